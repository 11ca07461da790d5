"""Numbered events: no gaps in a stream, whatever is rolled back or forgotten."""

from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone

from tradeops.core.events import relay
from tradeops.core.events.models import Event
from tradeops.core.events.services import ALERTS, forget_old_events, latest_numbers, record_event, user_stream

pytestmark = pytest.mark.django_db


def numbers(stream: str) -> list[int]:
    return [event.number for event in Event.objects.after(stream, 0)]


def test_each_stream_counts_for_itself():
    for stream in (ALERTS, user_stream(7), ALERTS):
        record_event(stream, "alert", {})
    assert (numbers(ALERTS), numbers(user_stream(7))) == ([1, 2], [1])
    assert latest_numbers([ALERTS, user_stream(7), user_stream(8)]) == {ALERTS: 2, user_stream(7): 1, user_stream(8): 0}


def test_what_is_rolled_back_takes_no_number():
    record_event(ALERTS, "alert", {})
    with pytest.raises(RuntimeError), transaction.atomic():
        record_event(ALERTS, "alert", {})
        raise RuntimeError
    assert record_event(ALERTS, "alert", {}).number == 2


def test_a_frame_bears_type_stream_and_number_and_no_users_id():
    event = record_event(user_stream(7), "trade", {"id": 5})
    assert event.frame() == {"type": "trade", "stream": "user", "n": 1, "id": 5}


def test_a_payload_that_is_no_object_is_a_frame_that_says_no_more():
    record_event(ALERTS, "alert", {})
    Event.objects.update(payload=[1])
    assert Event.objects.get().frame() == {"type": "alert", "stream": ALERTS, "n": 1}


def test_open_pages_are_told_after_the_commit(monkeypatch, django_capture_on_commit_callbacks):
    told = []
    monkeypatch.setattr(relay, "send", told.append)
    with django_capture_on_commit_callbacks(execute=True):
        event = record_event(ALERTS, "alert", {"id": 5})
        assert told == []
    assert told == [{"type": "live.event", "stream": ALERTS, "n": 1, "frame": event.frame()}]


def test_a_day_is_kept_and_forgetting_makes_no_number_anew():
    old, young = (record_event(ALERTS, "alert", {}) for _ in range(2))
    Event.objects.filter(number=old.number).update(recorded_at=timezone.now() - timedelta(days=1, seconds=1))
    assert forget_old_events() == 1
    assert numbers(ALERTS) == [young.number]
    Event.objects.update(recorded_at=timezone.now() - timedelta(days=2))
    forget_old_events()
    assert record_event(ALERTS, "alert", {}).number == 3
