"""The alert rules as the feed goes by them."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from django.db.models import Max

from ..models import Alert, AlertKind, AlertRule, Direction
from ..rules import FOR_EVER, LONG_AGO, Rule
from ..ticks import to_micros, to_ms
from ..windows import MEAN_SECONDS, OLDEST_REFERENCE_WINDOWS

BPS_A_PERCENT = 100


def rules_in_force(tickers: Sequence[str], now: datetime) -> list[Rule]:
    """The active rules over `tickers`; one of a ticker that the feed does not have is left out."""
    places = {ticker: place for place, ticker in enumerate(tickers)}
    rules = list(AlertRule.objects.active(now).order_by("pk"))
    last = last_fired([rule for rule in rules if rule.cooldown_seconds], places)
    return [
        as_rule(rule, places, last.get(rule.pk, {}))
        for rule in rules
        if rule.instrument_id is None or rule.instrument_id in places
    ]


def last_fired(rules: Sequence[AlertRule], places: Mapping[str, int]) -> dict[int, dict[int, int]]:
    """By rule and place, when it last fired."""
    found: dict[int, dict[int, int]] = {}
    fired = Alert.objects.filter(rule__in=rules).order_by().values_list("rule", "instrument")
    for rule, ticker, at in fired.annotate(Max("tick_at")):
        if ticker in places:
            found.setdefault(rule, {})[places[ticker]] = to_ms(at)
    return found


def as_rule(rule: AlertRule, places: Mapping[str, int], fired: Mapping[int, int]) -> Rule:
    every = tuple(places.values())
    return Rule(
        key=rule.key,
        kind=rule.kind,
        places=every if rule.instrument_id is None else (places[rule.instrument_id],),
        threshold=threshold_of(rule),
        window_seconds=rule.window_seconds,
        cooldown_ms=rule.cooldown_seconds * 1000,
        quiet_until=to_ms(rule.snoozed_until) if rule.snoozed_until else LONG_AGO,
        ends_at=to_ms(rule.expires_at) if rule.expires_at else FOR_EVER,
        last_fired=fired,
    )


def threshold_of(rule: AlertRule) -> int:
    if rule.kind == AlertKind.STALE:
        return 0
    if rule.kind == AlertKind.PERCENT_CHANGE:
        return int(rule.threshold * BPS_A_PERCENT) * (-1 if rule.direction == Direction.DOWN else 1)
    return to_micros(rule.threshold)


def watched_seconds(rules: Sequence[Rule]) -> int:
    """How far back ticks are needed."""
    windows = [rule.window_seconds for rule in rules if rule.kind == AlertKind.PERCENT_CHANGE]
    return max(MEAN_SECONDS, OLDEST_REFERENCE_WINDOWS * max(windows, default=0))
