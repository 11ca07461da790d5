"""The replays page: staff makes tapes there, plays them and is told what cannot be; others only look, or may not."""

from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from market.models import Replay
from tests.market.test_replaying import START, kept, tape_file

pytestmark = pytest.mark.django_db


@pytest.fixture
def desk(client, carol):
    client.force_login(carol)
    return client


def test_the_page_is_for_the_back_office_and_to_be_read_by_auditors(client, alice, dave):
    address = f"/desk/market/replays/{kept().pk}/"
    client.force_login(alice)
    assert [client.get("/desk/market/replays/").status_code, client.post(address, {"action": "start"}).status_code] == [
        403, 403,
    ]  # fmt: skip
    client.force_login(dave)
    page = client.get("/desk/market/replays/")
    assert (page.status_code, b'name="of"' in page.content) == (200, False)
    assert [client.post(address, values).status_code for values in ({"action": "start"}, {})] == [403, 403]
    assert Replay.objects.get().state == "ready"


@pytest.mark.parametrize("action", ["", "burn"])
def test_an_action_that_is_none_is_refused(desk, action):
    assert desk.post(f"/desk/market/replays/{kept().pk}/", {"action": action}).status_code == 400
    assert desk.post("/desk/market/replays/", {"of": action}).status_code == 400


def test_staff_makes_a_tape_and_plays_it_from_the_page(desk):
    file = SimpleUploadedFile("tape.csv", tape_file())
    values = {"of": "file", "file-name": "Jan 15", "file-file": file, "file-timeframe": "1m"}
    assert desk.post("/desk/market/replays/", values).status_code == 302
    replay = Replay.objects.get()
    address = f"/desk/market/replays/{replay.pk}/"
    for values, expected in (
        ({"action": "start", "speed": "60"}, ("running", 60, False, START)),
        ({"action": "pause"}, ("running", 60, True, START)),
        ({"action": "speed", "speed": "1000"}, ("running", 1000, True, START)),
        ({"action": "seek", "at": "2025-01-15T14:31:00"}, ("running", 1000, True, START + timedelta(minutes=1))),
        ({"action": "seek", "at": "2031-01-15T14:31:00"}, ("running", 1000, True, START + timedelta(minutes=1))),
        ({"action": "speed", "speed": "5000"}, ("running", 1000, True, START + timedelta(minutes=1))),
        ({"action": "resume"}, ("running", 1000, False, START + timedelta(minutes=1))),
        ({"action": "stop"}, ("ended", 1000, False, START + timedelta(minutes=1))),
    ):
        assert desk.post(address, values).status_code == 302
        replay.refresh_from_db()
        assert (replay.state, replay.speed, replay.is_paused, replay.begins_at) == expected
        assert desk.get("/desk/market/replays/").status_code == 200
    desk.post(address, {"action": "delete"})
    assert not Replay.objects.exists()


def test_a_file_that_is_no_tape_is_said_beside_its_field(desk):
    file = SimpleUploadedFile("tape.csv", b"timestamp,ticker,price\nnoon,AAPL,1\n")
    values = {"of": "file", "file-name": "x", "file-file": file, "file-timeframe": "1m"}
    answer = desk.post("/desk/market/replays/", values)
    assert answer.status_code == 422
    assert "Row 2, timestamp" in answer.content.decode()


@pytest.mark.parametrize(
    ("zone", "start", "end", "wrong"),
    [
        ("Asia/Tokyo", "0001-01-01T00:00", "2025-01-15T14:30", "start"),
        ("America/New_York", "2025-01-15T14:30", "9999-12-31T23:59", "end"),
    ],
)
def test_a_time_that_is_outside_of_the_calendar_in_utc_is_said_beside_its_field(desk, carol, zone, start, end, wrong):
    carol.time_zone = zone
    carol.save()
    values = {"name": "x", "tickers": "AAPL", "timeframe": "1m", "start": start, "end": end}
    answer = desk.post(
        "/desk/market/replays/", {"of": "stored"} | {f"stored-{name}": it for name, it in values.items()}
    )
    assert answer.status_code == 422
    assert answer.context["forms"]["stored"].errors == {wrong: ["Enter a valid date/time."]}
