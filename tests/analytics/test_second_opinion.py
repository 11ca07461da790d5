"""Two random days of two accounts, with corrections and voids, against a brute force that knows nothing of the book."""

import csv
import datetime as dt
import io
import random
from collections import defaultdict
from decimal import Decimal
from fractions import Fraction

import pytest
from django.core.files.storage import storages

from analytics import services, statements
from analytics.layout import object_key
from market.models import Mark
from tests.analytics.conftest import DAY
from tests.factories import book, make_account
from trades.services import correct_version, void_version

BEFORE = DAY - dt.timedelta(days=1)
TICKERS = ("BRK.B", "600519.SS", "X-1")
CLOCKS = (dt.time(), dt.time(23, 59, 59, 999999), dt.time(9, 30))


def rows_of(kind: str) -> list[dict[str, str]]:
    with storages["lake"].open(object_key(kind, DAY)) as file:
        return list(csv.DictReader(io.StringIO(file.read().decode(), newline="")))


def random_book(seed: int, accounts: list) -> list[dict]:
    """Books trades, corrects some and voids others; what is left of them, in the order of execution."""
    chance = random.Random(seed)
    left = []
    for number in range(24):
        at = dt.datetime.combine(chance.choice((BEFORE, DAY)), chance.choice(CLOCKS), dt.UTC)
        told = {"side": chance.choice(("BUY", "SELL")), "ticker": chance.choice(TICKERS), "executed_at": at}
        told |= {"quantity": Decimal(chance.randint(1, 10**6)).scaleb(-chance.choice((0, 3, 12)))}
        told |= {"price": Decimal(chance.randint(1, 10**6)).scaleb(-4), "fees": Decimal(chance.randint(0, 99)) / 100}
        account = chance.choice(accounts)
        row = book(account, **told)
        if number % 6 == 4:
            void_version(row, actor=account.owner)
            continue
        if number % 6 == 5:
            told["price"] += 1
            correct_version(row, {"price": told["price"]}, actor=account.owner)
        left.append(told | {"id": row.trade_id, "account": account.pk})
    return sorted(left, key=lambda one: (one["executed_at"], one["id"]))


def realized_first_in_first_out(trades: list[dict]) -> dict[int, Fraction]:
    """By trade, matched against what is open one unit after the other."""
    lots, realized = defaultdict(list), defaultdict(Fraction)
    for one in trades:
        sign, rest, price = (1 if one["side"] == "BUY" else -1), Fraction(one["quantity"]), Fraction(one["price"])
        queue = lots[one["account"], one["ticker"]]
        while rest and queue and queue[0][0] * sign < 0:
            taken = min(rest, abs(queue[0][0]))
            realized[one["id"]] += taken * (price - queue[0][1]) * -sign
            queue[0][0] += taken * sign
            rest -= taken
            queue[:] = [lot for lot in queue if lot[0]]
        if rest:
            queue.append([sign * rest, price])
    return realized


def figures(trades: list[dict], realized: dict[int, Fraction]) -> dict[str, Fraction | int]:
    prices = [Fraction(one["price"]) for one in trades]
    volume = sum(Fraction(one["quantity"]) for one in trades)
    notional = sum(Fraction(one["quantity"]) * Fraction(one["price"]) for one in trades)
    told = {"trades": len(trades), "volume": volume, "notional": notional, "high": max(prices), "low": min(prices)}
    told |= {"vwap": Fraction(round(notional / volume * 10**12), 10**12)}  # half to even, as Python's round
    return told | {"realized_pnl": sum(realized[one["id"]] for one in trades)}


def held(trades: list[dict]) -> Fraction:
    return sum((Fraction(one["quantity"]) * (1 if one["side"] == "BUY" else -1) for one in trades), Fraction())


@pytest.mark.django_db
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_random_days_come_to_what_brute_force_says(alice, bob, seed):
    trades = random_book(seed, [make_account(alice), make_account(bob)])
    for ticker in TICKERS:
        at = dt.datetime.combine(DAY, dt.time(20), dt.UTC)
        Mark.objects.create(instrument_id=ticker, price=Decimal("12.345"), at=at, made_by=alice)
    services.make_day(DAY)
    statements.make_statements(DAY)
    realized, today = realized_first_in_first_out(trades), [one for one in trades if one["executed_at"].date() == DAY]
    analysis = {row["ticker"]: row for row in rows_of("analytics")}
    assert set(analysis) == {one["ticker"] for one in today}
    for ticker, row in analysis.items():
        expected = figures([one for one in today if one["ticker"] == ticker], realized)
        assert {name: Fraction(row[name]) for name in expected} == expected, ticker
    told = rows_of("accounts")
    assert len(told) >= len(analysis)
    for row in told:
        own = [one for one in trades if (str(one["account"]), one["ticker"]) == (row["account"], row["ticker"])]
        earlier, now = ([one for one in own if (one["executed_at"].date() == DAY) is day] for day in (False, True))
        expected = figures(now, realized) if now else {"trades": 0}
        expected |= {"quantity": held(own), "exposure": held(own) * Fraction("12.345")}
        expected |= {"previous_quantity": held(earlier)}
        expected |= {"previous_volume": sum(Fraction(one["quantity"]) for one in earlier)}
        assert {name: Fraction(row[name]) for name in expected} == expected, row
