"""What was traded on a day, as its page reads it from the lake."""

import datetime as dt
from decimal import Decimal

import pytest
from django.core.files.base import ContentFile

from analytics import day_figures, lake, services
from analytics.layout import object_key
from tests.analytics.conftest import DAY

pytestmark = pytest.mark.django_db

FIGURES = f"/desk/reports/days/{DAY}/figures/"


@pytest.fixture
def two_days(day_of_trades):
    services.make_day(DAY - dt.timedelta(days=1))
    services.make_day(DAY)


def test_each_ticker_stands_beside_the_day_before_the_largest_first(two_days):
    """Worked by hand: 100 x 150.25 + 10 x 152.80, over 110; 152.80 against 9."""
    found = day_figures.read_figures(DAY)
    assert (found.trade_count, found.ticker_count) == (3, 2)
    apple, berkshire = found.shown
    assert (apple.ticker, berkshire.ticker, berkshire.change) == ("AAPL", "BRK.B", None)
    told = {name: apple.now[name] for name in ("notional", "vwap", "low", "high", "close", "realized_pnl", "net_pnl")}
    assert told == {
        "notional": Decimal("16553"), "vwap": Decimal("150.481818181818"), "low": Decimal("150.25"),
        "high": Decimal("152.8"), "close": Decimal("152.8"), "realized_pnl": Decimal("25.5"), "net_pnl": Decimal("24"),
    }  # fmt: skip
    assert apple.before["notional"] == 81
    assert apple.change == Decimal("15.977777777778")


def test_of_many_tickers_the_largest_are_shown(two_days, monkeypatch):
    monkeypatch.setattr(day_figures, "TICKERS_SHOWN", 1)
    found = day_figures.read_figures(DAY)
    assert ([one.ticker for one in found.shown], found.ticker_count) == (["AAPL"], 2)


def test_the_office_reads_them_and_a_trader_does_not(signed_in, alice, carol, two_days):
    page = signed_in(carol).get(FIGURES).content.decode()
    assert "16,553.00" in page and "+1,597.78" in page
    assert FIGURES in signed_in(carol).get(f"/desk/reports/days/{DAY}/").content.decode()
    assert signed_in(alice).get(FIGURES).status_code == 404


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"date,ticker\n2025-01-15,AAPL\n", None])
def test_a_file_that_is_spoiled_or_gone_is_told(signed_in, carol, two_days, content):
    key = object_key("analytics", DAY)
    storage = lake.lake()
    storage.delete(key)
    if content is not None:
        storage.save(key, ContentFile(content))
    answer = signed_in(carol).get(FIGURES)
    words = "Nothing was traded that day" if content is None else "could not be read"
    assert answer.status_code == 200 and words in answer.content.decode()
