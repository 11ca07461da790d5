"""The analysis in columns against the one row by row, which the Lambda function makes: equal to the digit."""

import datetime as dt
import random
from decimal import Decimal

import pytest

from analytics import parquet
from analytics.layout import TRADE_COLUMNS, write_csv
from analytics.report_columns import read_report_columns
from analytics.reports import read_report

pytestmark = pytest.mark.pure

DAY = dt.date(2025, 1, 15)
LARGEST = Decimal("9999999999999999.999999999999")


def rows(seed: int, count: int) -> list[dict[str, object]]:
    chance = random.Random(seed)

    def number() -> Decimal:
        some = [Decimal(chance.randint(1, 10**6)) / 10**4, Decimal("1e-12"), LARGEST, Decimal(chance.randint(1, 500))]
        return chance.choice(some)

    made = []
    for place in range(count):
        at = dt.datetime(2025, 1, 15, tzinfo=dt.UTC) + dt.timedelta(seconds=place)
        row = dict.fromkeys(TRADE_COLUMNS, "") | {"id": place, "version": 1, "account": 1, "notional": Decimal(1)}
        row |= {"ticker": chance.choice(("AAPL", "MSFT", "BRK.B")), "trade_type": chance.choice(("BUY", "SELL"))}
        row |= {"quantity": number(), "price": number(), "fees": number() - 1, "executed_at": at, "recorded_at": at}
        made.append(row | {"realized_pnl": chance.choice((1, -1)) * number() * number()})
    return made


@pytest.mark.parametrize(("seed", "count"), [(1, 400), (2, 101), (3, 1), (4, 0)])
def test_both_readings_of_a_day_come_to_the_same(tmp_path, monkeypatch, seed, count):
    monkeypatch.setattr(parquet, "ROWS_A_GROUP", 50)
    path, made = tmp_path / "trades.parquet", rows(seed, count)
    with (tmp_path / "trades.csv").open("w", newline="") as file:
        write_csv(file, TRADE_COLUMNS, parquet.ParquetFile(path, TRADE_COLUMNS).passing(made))
    with (tmp_path / "trades.csv").open(newline="") as lines:
        expected = read_report(DAY, lines)
    found = read_report_columns(DAY, path)
    assert found.rows() == expected.rows()
    assert found.trades == count
