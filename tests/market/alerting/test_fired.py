"""What fires: from a tick through the feed's save to its row, its event, its deliveries and its page."""

import hashlib
import hmac
import http.server
import json
import socket
import threading
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.core import mail
from django.utils import timezone
from django.utils.html import escape

from market.alerting import webhooks
from market.alerting.delivery import post_webhook, send_email
from market.alerting.services import change_rule, latency_of
from market.models import Alert, AlertRule, FeedState
from tests.market.test_feed_store import START, Feed
from tradeops.core.events.models import Event
from tradeops.core.jobs.models import Job
from tradeops.core.jobs.runner import TryAgain
from tradeops.core.users.models import User

pytestmark = pytest.mark.django_db


def rule_of(owner, **values) -> AlertRule:
    values = {"kind": "price_above", "instrument_id": "AAPL", "threshold": Decimal("150")} | values
    return AlertRule.objects.create(owner=owner, made_by=owner, **values)


def fire(*, first: float = 100, then: float = 151) -> list[Alert]:
    """Has a feed see AAPL go from one price to another."""
    feed = Feed()
    feed.tick(0, first, 200)
    feed.tick(1, then, 200)
    feed.save()
    return list(Alert.objects.order_by("pk"))


def make_alert(rule: AlertRule, ms: int = 10, **values) -> Alert:
    times = {"tick_at": START, "detected_at": START, "published_at": START + timedelta(milliseconds=ms)}
    row = {"instrument_id": "AAPL", "kind": rule.kind, "price": 151, "threshold": 150, "source": "simulated"}
    return Alert.objects.create(rule=rule, owner=rule.owner, **row | times | values)


def test_a_users_rule_tells_that_user_alone(alice):
    rule = rule_of(alice)
    (alert,) = fire()
    assert (alert.rule, alert.owner, alert.price, alert.threshold) == (rule, alice, Decimal(151), 150.0)
    assert (alert.change_percentage, alert.window_seconds) == (None, None)
    assert alert.tick_at <= alert.detected_at <= alert.published_at
    event = Event.objects.get(kind="alert")
    assert (event.stream_id, event.payload["message"]) == (f"user:{alice.pk}", "AAPL rose above 150.00: 151.00")


def test_paused_expired_and_unknown_rules_and_those_of_people_who_left_do_not_fire(alice, bob):
    rule_of(alice, is_paused=True)
    rule_of(alice, expires_at=timezone.now() - timedelta(seconds=1))
    rule_of(alice, instrument_id="KO")
    rule_of(bob)
    bob.is_active = False
    bob.save()
    assert fire() == []


def test_the_feed_sees_who_leaves_and_a_change_of_an_earlier_time_that_is_committed_later(alice, bob):
    early, late = rule_of(alice), rule_of(bob)
    stamps = [AlertRule.objects.stamp()]
    change_rule(late, {"cooldown_seconds": 9}, actor=bob)
    AlertRule.objects.filter(pk=late.pk).update(changed_at=timezone.now() + timedelta(hours=1))
    stamps.append(AlertRule.objects.stamp())
    change_rule(early, {"cooldown_seconds": 9}, actor=alice)
    stamps.append(AlertRule.objects.stamp())
    User.objects.filter(pk=bob.pk).update(is_active=False)
    assert len({*stamps, AlertRule.objects.stamp()}) == 4


def test_a_rule_that_is_deleted_before_it_is_saved_makes_no_alert(alice):
    rule, feed = rule_of(alice), Feed()
    feed.tick(0, 100, 200)
    feed.tick(1, 151, 200)
    rule.delete()
    feed.save()
    assert Alert.objects.count() == 0


def test_a_restart_within_a_breach_neither_doubles_nor_forgets(alice):
    rule_of(alice)
    first = Feed()
    first.tick(0, 100, 200)
    first.tick(1, 151, 200)
    first.save()
    first.tick(2, 149, 200)  # lost with the process
    FeedState.objects.update(holder="")
    second = Feed("two", now=START + timedelta(seconds=3))
    assert second.tick(3, 152, 200).fired == []
    second.tick(4, 150, 200)
    assert len(second.tick(5, 150.01, 200).fired) == 1


def test_a_cooldown_is_remembered_across_a_restart(alice):
    rule_of(alice, cooldown_seconds=60)
    fire(first=149)
    FeedState.objects.update(holder="")
    feed = Feed("two", now=START + timedelta(seconds=3))
    feed.tick(3, 149, 200)
    assert feed.tick(60.9, 151, 200).fired == []
    assert len(feed.tick(61, 151, 200).fired) == 1


# The API and the page --------------------------------------------------------------------


def test_what_fired_is_listed_to_whom_it_concerns(api, alice, bob):
    own, others = make_alert(rule_of(alice)), make_alert(rule_of(bob))
    shared = make_alert(rule_of(None))
    listed = api(alice).get("/alerts/fired").json()["results"]
    assert [alert["id"] for alert in listed] == [shared.pk, own.pk]
    assert (listed[1]["latency_ms"], listed[1]["message"]) == (10, "AAPL rose above 150.00: 151.00")
    assert api(alice).post(f"/alerts/fired/{others.pk}/acknowledge").status_code == 404
    assert api(alice).get("/alerts/fired?acknowledged=maybe").status_code == 400
    assert api(alice).get("/alerts/fired?ticker=KO").json()["results"] == []


def test_whoever_acknowledges_first_is_kept(api, alice, bob, dave):
    alert = make_alert(rule_of(None))
    for who in (alice, bob):
        answer = api(who).post(f"/alerts/fired/{alert.pk}/acknowledge")
        assert (answer.status_code, answer.json()["acknowledged_by"]) == (200, "alice")
    assert api(dave).post(f"/alerts/fired/{alert.pk}/acknowledge").status_code == 403
    assert api(alice).get("/alerts/fired?acknowledged=false").json()["results"] == []


def test_all_that_a_page_shows_are_acknowledged_at_once_and_no_strangers(client, alice, bob, dave):
    mine, others = [make_alert(rule_of(None)) for _ in range(3)], make_alert(rule_of(bob))
    client.force_login(alice)
    assert b"Acknowledge the 3 shown" in client.get("/desk/alerts/").content
    answer = client.post("/desk/alerts/fired/?cursor=older", {"alert": [mine[0].pk, mine[1].pk, others.pk, 10**9]})
    assert answer["Location"] == "/desk/alerts/?cursor=older"
    assert list(Alert.objects.order_by("pk").values_list("acknowledged_by", flat=True)) == [alice.pk] * 2 + [None] * 2
    assert client.post("/desk/alerts/fired/", {"alert": ["x"]}).status_code == 400
    client.force_login(dave)
    assert client.post("/desk/alerts/fired/", {"alert": [mine[2].pk]}).status_code == 403


def test_latency_is_the_least_that_so_many_do_not_exceed(alice):
    rule = rule_of(alice)
    for place in range(1, 201):
        at = START + timedelta(seconds=place)
        make_alert(rule, tick_at=at, published_at=at + timedelta(milliseconds=place))
    replayed = make_alert(rule, source="replay", tick_at=START - timedelta(days=365), published_at=START)
    assert replayed.latency_ms is None
    latency = latency_of(Alert.objects.all())
    assert (latency.count, latency.p50, latency.p99, latency.keeps_objective) == (200, 100, 198, True)


def test_the_page_makes_pauses_snoozes_and_deletes_rules(client, alice):
    client.force_login(alice)
    form = {"kind": "price_above", "ticker": "aapl", "threshold": "150", "direction": "up", "window_seconds": "60"}
    form |= {"cooldown_seconds": "0", "lasts": "7", "webhook_url": ""}
    assert client.post("/desk/alerts/", form).status_code == 302
    rule = AlertRule.objects.get(owner=alice)
    assert (rule.ticker, rule.expires_at > timezone.now()) == ("AAPL", True)
    for action, standing in (("pause", "paused"), ("resume", "active"), ("snooze", "snoozed"), ("resume", "active")):
        client.post(f"/desk/alerts/rules/{rule.pk}/", {"action": action})
        assert AlertRule.objects.get(pk=rule.pk).standing(timezone.now()) == standing
    alert = make_alert(rule)
    assert b"AAPL rose above 150.00" in client.get("/desk/alerts/").content
    older = client.post(f"/desk/alerts/fired/{alert.pk}/?cursor=older")
    assert older["Location"] == f"/desk/alerts/?cursor=older#alert-{alert.pk}"  # where one was
    alert.refresh_from_db()
    assert alert.acknowledged_by == alice
    client.post(f"/desk/alerts/rules/{rule.pk}/", {"action": "delete"})
    assert not AlertRule.objects.filter(pk=rule.pk).exists()
    assert Alert.objects.get(pk=alert.pk).rule is None


def test_the_page_says_what_is_wrong_and_keeps_what_was_typed(client, alice):
    client.force_login(alice)
    form = {"kind": "price_above", "ticker": "NOPE", "threshold": "150", "direction": "up", "window_seconds": "60"}
    page = client.post("/desk/alerts/", form | {"cooldown_seconds": "0"})
    assert (page.status_code, b"There is no instrument NOPE" in page.content) == (422, True)
    assert client.post("/desk/alerts/", form | {"cooldown_seconds": "x"}).status_code == 422


def test_a_rule_is_changed_on_its_page(client, alice):
    client.force_login(alice)
    rule = rule_of(alice)
    rule.expires_at = timezone.now() + timedelta(days=2)
    rule.save()
    address, version = f"/desk/alerts/rules/{rule.pk}/edit/", rule.version
    page = client.get(address)
    assert (page.status_code, b'value="150"' in page.content) == (200, True)
    form = {"kind": "price_above", "ticker": "aapl", "threshold": "150", "direction": "up", "window_seconds": "60"}
    form |= {"cooldown_seconds": "30", "lasts": "", "webhook_url": ""}
    for values, expected in (
        ({}, ("150", 30, version, True)),
        ({"threshold": "160.5"}, ("160.5", 30, version + 1, True)),
        ({"threshold": "160.5", "lasts": "for_ever"}, ("160.5", 30, version + 1, False)),
    ):
        assert client.post(address, form | values)["Location"] == "/desk/alerts/"
        kept = AlertRule.objects.get(pk=rule.pk)
        told = (f"{kept.threshold.normalize():f}", kept.cooldown_seconds, kept.version, kept.expires_at is not None)
        assert told == expected
    refused = client.post(address, form | {"ticker": "NOPE"})
    assert (refused.status_code, b"There is no instrument NOPE" in refused.content) == (422, True)
    assert (AlertRule.objects.get(pk=rule.pk).ticker, AlertRule.objects.count()) == ("AAPL", 2)  # and everybody's


def test_a_rule_that_was_changed_meanwhile_is_shown_anew(client, alice):
    client.force_login(alice)
    rule = rule_of(alice)
    address, tag = f"/desk/alerts/rules/{rule.pk}/edit/", escape(rule.tag)
    assert f'name="tag" value="{tag}"' in client.get(address).content.decode()
    AlertRule.objects.filter(pk=rule.pk).update(changed_at=timezone.now() + timedelta(seconds=1))
    form = {"kind": "price_above", "ticker": "AAPL", "threshold": "170", "direction": "up", "window_seconds": "60"}
    answer = client.post(address, form | {"cooldown_seconds": "0", "tag": rule.tag}, follow=True)
    assert answer.redirect_chain == [(address, 302)]
    assert "The rule was changed meanwhile" in answer.content.decode()
    assert AlertRule.objects.get(pk=rule.pk).threshold == rule.threshold


def test_a_rule_is_changed_by_who_keeps_it_alone(client, alice, bob):
    client.force_login(alice)
    assert client.get(f"/desk/alerts/rules/{rule_of(bob).pk}/edit/").status_code == 404
    assert client.get(f"/desk/alerts/rules/{rule_of(None).pk}/edit/").status_code == 403


def test_anothers_rule_is_not_there(client, alice, bob):
    client.force_login(alice)
    assert client.post(f"/desk/alerts/rules/{rule_of(bob).pk}/", {"action": "delete"}).status_code == 404
    assert client.post(f"/desk/alerts/rules/{rule_of(alice).pk}/", {"action": "dance"}).status_code == 400


# Delivery ----------------------------------------------------------------------------------


def test_deliveries_are_owed_with_the_alert(alice, settings):
    settings.EMAIL_URL = "smtp://mail.example.com"
    alice.email = "alice@example.com"
    alice.save()
    rule_of(alice, by_email=True, webhook_url="https://example.com/", webhook_secret="x")
    (alert,) = fire()
    owed = set(Job.objects.values_list("kind", "key", "owner"))
    assert owed == {(kind, str(alert.pk), alice.pk) for kind in ("alert_email", "alert_webhook")}


def test_an_email_says_what_fired(alice, settings):
    settings.EMAIL_URL, alice.email = "smtp://mail.example.com", "alice@example.com"
    alice.save()
    alert = make_alert(rule_of(alice, by_email=True))
    assert send_email(str(alert.pk)) == {"sent_to": "alice"}
    assert (mail.outbox[0].subject, mail.outbox[0].to) == ("AAPL rose above 150.00: 151.00", ["alice@example.com"])


def test_a_mail_server_that_is_away_is_tried_again(alice, settings, monkeypatch):
    settings.EMAIL_URL, alice.email = "smtp://mail.example.com", "alice@example.com"
    alice.save()
    alert = make_alert(rule_of(alice, by_email=True))

    def refuse(*_):
        raise ConnectionRefusedError

    monkeypatch.setattr("market.alerting.delivery.send_mail", refuse)
    with pytest.raises(TryAgain):
        send_email(str(alert.pk))


class Receiver:
    """A server that keeps what it was posted and answers with `statuses` in turn."""

    def __init__(self, *statuses: int):
        received = self.received = []
        answers = list(statuses)

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                received.append((dict(self.headers), body))
                self.send_response(answers.pop(0))
                self.send_header("Location", "/elsewhere")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


def test_a_webhook_is_posted_signed_and_tried_again_until_it_is_taken(alice):
    with Receiver(503, 302, 200) as receiver:
        alert = make_alert(rule_of(alice, webhook_url=receiver.url, webhook_secret="s3cret"))
        for _ in range(2):
            with pytest.raises(TryAgain):
                post_webhook(str(alert.pk))
        assert post_webhook(str(alert.pk)) == {"status": 200}
    headers, body = receiver.received[-1]
    told = json.loads(body)
    assert (told["type"], told["id"], told["message"]) == ("alert", alert.pk, "AAPL rose above 150.00: 151.00")
    moment, _, digest = headers["X-TradeOps-Signature"].removeprefix("t=").partition(",v1=")
    assert digest == hmac.new(b"s3cret", f"{moment}.".encode() + body, hashlib.sha256).hexdigest()
    assert abs(int(moment) - datetime.now(UTC).timestamp()) < 3600
    assert {headers["X-TradeOps-Alert"] for headers, _ in receiver.received} == {str(alert.pk)}
    assert len(receiver.received) == 3  # the redirect was not followed


def test_a_webhook_that_is_gone_or_leads_inside_is_given_up(alice, settings):
    with Receiver(410) as receiver:
        alert = make_alert(rule_of(alice, webhook_url=receiver.url, webhook_secret="x"))
        with pytest.raises(ValueError, match="410"):
            post_webhook(str(alert.pk))
        settings.FOREIGN_HOSTS = ["desk.example.com"]
        with pytest.raises(ValueError, match="not a public one"):
            post_webhook(str(alert.pk))
    assert len(receiver.received) == 1


def test_a_webhooks_host_is_looked_up_once_and_called_there_by_no_proxy(alice, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    asked, real = [], socket.getaddrinfo

    def look_up(host, port, *rest, **more):
        # Who asks a second time is led elsewhere.
        if host == "hook.example":
            asked.append(host)
            host = "127.0.0.1" if len(asked) == 1 else "127.0.0.2"
        return real(host, port, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    with Receiver(200) as receiver:
        address = receiver.url.replace("127.0.0.1", "hook.example")
        alert = make_alert(rule_of(alice, webhook_url=address, webhook_secret="x"))
        assert post_webhook(str(alert.pk)) == {"status": 200}
    ((headers, _),) = receiver.received
    assert (asked, headers["Host"]) == (["hook.example"], f"hook.example:{receiver.server.server_port}")


def test_a_receiver_that_answers_byte_by_byte_is_cut_off(alice, monkeypatch):
    monkeypatch.setattr(webhooks, "WHOLE_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as server:
        cut = threading.Event()

        def drip():
            peer, _ = server.accept()
            peer.sendall(b"HTTP/1.1 200 OK\r\nX-Long: ")
            with suppress(OSError):
                while not cut.wait(0.02):
                    peer.sendall(b"x")
            cut.set()

        threading.Thread(target=drip, daemon=True).start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}/hook"
        alert = make_alert(rule_of(alice, webhook_url=url, webhook_secret="x"))
        with pytest.raises(TryAgain, match="TimeoutError"):
            post_webhook(str(alert.pk))
        assert cut.wait(60)  # nothing goes on behind


def test_nothing_is_delivered_for_a_rule_that_is_gone(alice):
    rule = rule_of(alice, webhook_url="https://example.com/")
    alert = make_alert(rule)
    rule.delete()
    assert "skipped" in post_webhook(str(alert.pk))
    assert "skipped" in send_email("999999")


def test_the_page_leads_to_what_fired_before_its_newest_hundred(client, alice):
    rule = rule_of(alice)
    alerts = [make_alert(rule, tick_at=START + timedelta(seconds=place)) for place in range(101)]
    client.force_login(alice)
    newest = client.get("/desk/alerts/")
    assert [alert.pk for alert, _ in newest.context["fired"]] == [alert.pk for alert in alerts[:0:-1]]
    older = client.get(newest.context["next"])
    assert [alert.pk for alert, _ in older.context["fired"]] == [alerts[0].pk]
    assert client.get("/desk/alerts/?cursor=x").status_code == 400
