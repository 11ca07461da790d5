"""Alert rules by the API: made, changed, seen by whom they concern, refused by field."""

from datetime import timedelta

import pytest
from django.http import Http404
from django.utils import timezone

from market.alerting.services import change_rule
from market.models import AlertRule
from market.tickers import TICKER_CHARACTERS

pytestmark = pytest.mark.django_db

RISE = {"kind": "percent_change", "ticker": "AAPL", "threshold": "1.5", "window_seconds": 120}
ABOVE = {"kind": "price_above", "ticker": "AAPL", "threshold": "150.25"}


def fields(answer) -> list[str]:
    assert answer.status_code == 400, answer.content
    return [error["field"] for error in answer.json()["errors"]]


def make(client, **values) -> dict:
    answer = client.post("/alerts/", ABOVE | values, format="json")
    assert answer.status_code == 201, answer.content
    return answer.json()


def test_a_rule_is_made_read_changed_and_deleted(api, alice):
    made = api(alice).post("/alerts/", RISE, format="json").json()
    assert (made["words"], made["status"], made["everybody"]) == ("up 1.5% in 120 s", "active", False)
    address = f"/alerts/{made['id']}"
    assert api(alice).get(address).json() == made
    changed = api(alice).patch(address, {"direction": "down", "cooldown_seconds": 60}, format="json").json()
    assert (changed["words"], changed["cooldown_seconds"]) == ("down 1.5% in 120 s", 60)
    put = api(alice).put(address, ABOVE, format="json").json()
    assert (put["words"], put["cooldown_seconds"], put["id"]) == ("above 150.25", 0, made["id"])
    assert api(alice).delete(address).status_code == 204
    assert api(alice).get(address).status_code == 404


def test_whose_a_rule_is_stays(api, carol):
    address = f"/alerts/{make(api(carol))['id']}"
    assert fields(api(carol).patch(address, {"everybody": True}, format="json")) == ["everybody"]
    assert api(carol).patch(address, {"everybody": False}, format="json").status_code == 200


def test_a_rule_deleted_in_another_tab_is_not_there(api, alice):
    make(api(alice))
    at_hand = AlertRule.objects.get(owner=alice)
    AlertRule.objects.filter(pk=at_hand.pk).delete()
    with pytest.raises(Http404):
        change_rule(at_hand, {"is_paused": True}, actor=alice)


def test_what_another_changed_meanwhile_stays(api, alice):
    make(api(alice))
    at_hand = AlertRule.objects.get(owner=alice)
    api(alice).patch(f"/alerts/{at_hand.pk}", {"threshold": "151"}, format="json")
    changed = change_rule(at_hand, {"is_paused": True}, actor=alice)
    assert (changed.words, changed.is_paused) == ("above 151", True)


def test_a_change_of_what_it_says_makes_another_rule_of_it_and_a_snooze_does_not(api, alice):
    made = make(api(alice))
    key = AlertRule.objects.get(pk=made["id"]).key
    later = (timezone.now() + timedelta(hours=1)).isoformat()
    snoozed = api(alice).patch(f"/alerts/{made['id']}", {"snoozed_until": later}, format="json").json()
    assert (snoozed["status"], AlertRule.objects.get(pk=made["id"]).key) == ("snoozed", key)
    api(alice).patch(f"/alerts/{made['id']}", {"threshold": 151}, format="json")
    assert AlertRule.objects.get(pk=made["id"]).key != key


def test_a_rule_is_changed_only_as_it_was_read(api, alice):
    client = api(alice)
    address = f"/alerts/{make(client)['id']}"
    read = client.get(address)["ETag"]
    paused = client.patch(address, {"paused": True}, format="json", headers={"If-Match": read})
    assert (paused.status_code, client.get(address)["ETag"]) == (200, paused["ETag"])
    late = {"headers": {"If-Match": read}, "format": "json"}
    assert client.patch(address, {"paused": False}, **late).status_code == 412
    assert client.delete(address, **late).status_code == 412
    assert client.delete(address, headers={"If-Match": f"{read}, {paused['ETag']}"}).status_code == 204


def test_each_sees_their_own_and_everybodys(api, alice, bob):
    AlertRule.objects.all().delete()
    own, others = make(api(alice)), make(api(bob))
    shared = AlertRule.objects.create(kind="stale", window_seconds=30)
    assert {rule["id"] for rule in api(alice).get("/alerts/").json()["results"]} == {own["id"], shared.pk}
    for method in ("get", "delete"):
        assert getattr(api(alice), method)(f"/alerts/{others['id']}").status_code == 404
    assert api(alice).patch(f"/alerts/{others['id']}", {"paused": True}, format="json").status_code == 404


def test_rules_of_everybody_are_the_back_offices(api, alice, carol, dave):
    for who, status in ((alice, 403), (carol, 201), (dave, 403)):
        assert api(who).post("/alerts/", ABOVE | {"everybody": True}, format="json").status_code == status
    (rule,) = AlertRule.objects.filter(owner=None, kind="price_above")
    assert api(alice).patch(f"/alerts/{rule.pk}", {"paused": True}, format="json").status_code == 403
    assert api(alice).delete(f"/alerts/{rule.pk}").status_code == 403
    assert api(carol).patch(f"/alerts/{rule.pk}", {"paused": True}, format="json").json()["status"] == "paused"


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"kind": "dance"}, "kind"),
        ({"ticker": None}, "ticker"),
        ({"ticker": "NOPE"}, "ticker"),
        ({"ticker": "a b"}, "ticker"),
        ({"ticker": "A" * (TICKER_CHARACTERS + 1)}, "ticker"),
        ({"threshold": "0"}, "threshold"),
        ({"threshold": "-5"}, "threshold"),
        ({"threshold": "NaN"}, "threshold"),
        ({"threshold": "0.0000001"}, "threshold"),
        ({"threshold": "300000000"}, "threshold"),
        ({"threshold": None}, "threshold"),
        ({"kind": "percent_change", "threshold": "0.001"}, "threshold"),
        ({"kind": "percent_change", "threshold": "200.01"}, "threshold"),
        ({"kind": "percent_change", "threshold": "100", "direction": "down"}, "threshold"),
        ({"kind": "percent_change", "window_seconds": 4}, "window_seconds"),
        ({"kind": "percent_change", "window_seconds": 3601}, "window_seconds"),
        ({"kind": "stale"}, "threshold"),
        ({"kind": "stale", "threshold": None, "window_seconds": 86401}, "window_seconds"),
        ({"cooldown_seconds": -1}, "cooldown_seconds"),
        ({"cooldown_seconds": 10**12}, "cooldown_seconds"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
        ({"expires_at": "tomorrow"}, "expires_at"),
        ({"webhook_url": "ftp://example.com/"}, "webhook_url"),
        ({"webhook_url": "http://user:secret@example.com/"}, "webhook_url"),
        ({"webhook_url": "http://[::1"}, "webhook_url"),
        ({"color": "red"}, "color"),
    ],
)
def test_what_cannot_be_watched_is_refused_by_field(api, alice, values, field):
    assert fields(api(alice).post("/alerts/", ABOVE | values, format="json"))[0] == field


def test_the_secret_of_a_webhook_is_chosen_or_made_anew_and_stays_where_it_is_not_spoken_of(api, alice, client):
    body = ABOVE | {"webhook_url": "https://example.com/hook"}
    made = api(alice).post("/alerts/", body, format="json").json()

    def secret_after(method, body):
        return getattr(api(alice), method)(f"/alerts/{made['id']}", body, format="json").json().get("webhook_secret")

    assert secret_after("put", body) == made["webhook_secret"]
    assert secret_after("patch", {"webhook_secret": "chosen" * 8}) == "chosen" * 8
    assert secret_after("patch", {"paused": True}) == "chosen" * 8
    fresh = secret_after("patch", {"webhook_secret": ""})
    assert len(fresh) == 64 and fresh != made["webhook_secret"]
    for bad in ("short", "x" * 65, "with a space in it" * 2, "é" * 32):
        answer = api(alice).patch(f"/alerts/{made['id']}", {"webhook_secret": bad}, format="json")
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "webhook_secret")
    client.force_login(alice)
    client.post(f"/desk/alerts/rules/{made['id']}/", {"action": "renew"})
    assert api(alice).get(f"/alerts/{made['id']}").json()["webhook_secret"] not in (fresh, "")


def test_a_webhook_has_a_secret_that_only_its_keeper_reads(api, alice, carol):
    made = make(api(carol), everybody=True, webhook_url="https://example.com/hook")
    assert len(made["webhook_secret"]) == 64
    seen = api(alice).get(f"/alerts/{made['id']}").json()
    assert (seen["webhook_url"], seen["webhook_secret"]) == ("", "")


def test_a_desk_that_others_reach_calls_no_inside_address(api, alice, settings):
    settings.FOREIGN_HOSTS = ["desk.example.com"]
    for url in ("http://127.0.0.1:9/", "http://169.254.169.254/latest", "http://[::1]/", "http://10.0.0.1/"):
        assert fields(api(alice).post("/alerts/", ABOVE | {"webhook_url": url}, format="json")) == ["webhook_url"]


def test_there_is_an_end_to_how_many_rules_one_may_have(api, alice, monkeypatch):
    monkeypatch.setattr("market.alerting.services.MOST_RULES", 1)
    make(api(alice))
    assert fields(api(alice).post("/alerts/", ABOVE, format="json")) == ["non_field_errors"]


def test_what_the_feed_watches_is_bounded_for_all_users_together(api, alice, bob, carol, client, monkeypatch):
    fill, silence = {"kind": "percent_change", "ticker": None, "threshold": 1}, {"kind": "stale", "threshold": None}
    first = make(api(alice), **fill, window_seconds=30)
    for name, values, field in (
        ("MOST_WATCHED", {}, "non_field_errors"),
        ("MOST_OF_EVERY_TICKER", silence | {"ticker": None}, "ticker"),
        ("MOST_WINDOWS", {"kind": "percent_change", "window_seconds": 31}, "window_seconds"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(f"market.alerting.services.{name}", 2)  # hers, and everybody's that is there from the start
            assert fields(api(bob).post("/alerts/", ABOVE | values, format="json")) == [field]
            make(api(carol), **values, everybody=True)
        AlertRule.objects.filter(made_by=carol).delete()
    monkeypatch.setattr("market.alerting.services.MOST_WATCHED", 1)
    address = f"/alerts/{first['id']}"
    for paused in (True, False):
        answer = api(alice).patch(address, {"cooldown_seconds": 5, "paused": paused}, format="json")
        assert answer.status_code == (200 if paused else 400)
    client.force_login(alice)
    page = client.post(f"/desk/alerts/rules/{first['id']}/", {"action": "resume"}, follow=True)
    assert "1 rules are watched already" in page.content.decode()


def test_a_stranger_and_a_token_that_only_reads_are_refused(api, alice):
    assert api().get("/alerts/").status_code == 401
    assert api(alice, scope="read").get("/alerts/").status_code == 200
    assert api(alice, scope="read").post("/alerts/", ABOVE, format="json").status_code == 403
