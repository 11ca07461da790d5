"""docs/import.md says what happens: its files, brought in as it says."""

import re
from pathlib import Path

from django.core.files.uploadedfile import SimpleUploadedFile

from trades.importing.heads import COLUMNS
from trades.importing.moments import DIRECTIVES
from trades.models import ActivityKind

DOCS = Path(__file__).resolve().parents[3] / "docs"
TEXT = (DOCS / "import.md").read_text()


def send(client, name: str, **more):
    file = SimpleUploadedFile(name, (DOCS / "import" / name).read_bytes(), "text/csv")
    said = {"timezone": "America/New_York", "date_format": "%m/%d/%Y %H:%M:%S"} | more
    return client.post("/trades/import", {"file": file, **said}, format="multipart")


def test_the_mistakes_of_the_example_are_told_as_it_says(api, alice):
    response = send(api(alice), "broker.csv")
    assert response.status_code == 422
    rows = re.findall(r"^\| (\d+) \| (.+?) \| (.+?) \| (.+?) \|$", TEXT, re.MULTILINE)
    told = [(str(one["row"]), one["column"], one["message"], one["value"]) for one in response.json()["errors"]]
    assert [(row, column, value) for row, column, _, value in told] == [
        (row, column, value) for row, column, _, value in rows
    ]
    assert all(
        message.startswith(words.rstrip(".")) for (_, _, message, _), (_, _, words, _) in zip(told, rows, strict=True)
    )


def test_the_example_set_right_is_imported_once_and_undone(api, alice):
    client = api(alice)
    assert send(client, "broker-fixed.csv", dry_run="true").json()["imported"] == 4
    first = send(client, "broker-fixed.csv").json()
    assert (first["imported"], first["duplicates"], first["ignored_columns"]) == (4, 0, ["Desk"])
    again = send(client, "broker-fixed.csv").json()
    assert (again["imported"], again["duplicates"]) == (0, 4)
    trades = client.get("/trades/?ordering=id").json()["results"]
    assert [trade["client_trade_id"] for trade in trades] == ["B-1001", "B-1002", "B-1003", "B-1004"]
    assert (trades[3]["fees"], trades[3]["executed_at"]) == ("1.02", "2025-01-17T15:02:11Z")
    assert client.post(f"/trades/imports/{first['id']}/undo", {}, format="json").json()["state"] == "undone"


def test_every_column_kind_and_directive_is_named():
    for name in [*COLUMNS[:10], *ActivityKind.values, *(f"%{one}" for one in DIRECTIVES)]:
        assert name in TEXT
