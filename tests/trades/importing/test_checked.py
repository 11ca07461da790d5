"""A whole file, checked: what each row says, in the API's own terms, and every fault by row and column."""

import csv
import io
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rest_framework.exceptions import ValidationError

from tradeops.core.csvfile import safe_text
from tradeops.core.decimals import plain
from trades.importing.checked import check_file
from trades.importing.faults import FileRefused
from trades.importing.moments import Clock
from trades.importing.numerals import NumberFormat
from trades.importing.reading import Reading
from trades.serializers import TradeRequestSerializer, field_values

pytestmark = pytest.mark.embedded

HEAD = "ticker,trade_type,quantity,price,executed_at\n"
SOUND = "AAPL,BUY,100,150.25,2025-01-15T14:30:00Z"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def microseconds(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(microseconds=1)


BOUNDS = microseconds(datetime(1900, 1, 1, tzinfo=UTC)), microseconds(datetime(2026, 1, 1, tzinfo=UTC))


def check(text: str | bytes, **reading):
    data = text if isinstance(text, bytes) else text.encode()
    return check_file(io.BytesIO(data), Reading(**reading), *BOUNDS)


def booked(text: str, **reading) -> list[dict]:
    """The trades of a file in the order in which they are booked."""
    checked = check(text, **reading)
    return [row for batch in checked.chunks(checked.trade_order) for row in batch.to_pylist()]


def faults(text: str | bytes, **reading) -> list[tuple]:
    with pytest.raises(FileRefused) as caught:
        check(text, **reading)
    return [(fault.row, fault.field, fault.code) for fault in caught.value.faults.listed]


def test_a_row_becomes_a_trade():
    (row,) = booked("ticker,trade_type,quantity,price,executed_at,fees,client_trade_id,strategy,tags,note\n" + SOUND
        + ",1.50,c-1, swing ,\"b, a,b\",'=1\n")  # fmt: skip
    assert row == {
        "line": 2, "executed_at": microseconds(datetime(2025, 1, 15, 14, 30, tzinfo=UTC)), "ticker": "AAPL",
        "side": "BUY", "quantity": "100", "price": "150.25", "fees": "1.5", "strategy": "swing", "tags": ",b,a,",
        "note": "=1", "client_trade_id": "c-1", "id": None,
    }  # fmt: skip


def test_a_formula_that_is_not_made_safe_is_taken_as_it_stands():
    (row,) = booked(HEAD.strip() + ",note\n" + SOUND + ",=1+1")
    assert row["note"] == "=1+1"


def test_what_is_left_out_is_empty():
    (row,) = booked(HEAD + SOUND)
    assert (row["fees"], row["strategy"], row["tags"], row["note"], row["client_trade_id"]) == ("0", "", "", "", None)


# The same as a request -----------------------------------------------------------------------

TOO_EARLY = "1899-12-31T23:59:59Z"  # a rule of the services, which a serializer does not know
CELLS = {
    "ticker": ["AAPL", "BRK.B", "7203", "aapl", "A" * 17, ".A", "A\n", "ＡＡ", "A B", ""],
    "quantity": ["100", "0.000000000001", "1e2", "+5", "5.", ".5", "1_000", "１", "NaN", "0", "0.00", "1,000", "$1", "",
                 "9999999999999999.999999999999", "10000000000000000", "0.0000000000001", "1" * 101, "00.50", "0x1"],
    "price": ["150.25", "1E3", "-1", "Infinity", "1e-13", "1e999", "", "abc", "000150.2500"],
    "fees": ["0", "1.5", "-0", "-0.01", "1e-12", "x", "0.0"],
    "executed_at": ["2025-01-15T14:30:00Z", "2025-01-15t14:30z", "2025-01-15 14:30:00.000001+02:00", "2025-01-15",
                    "2025-01-15T14:30:00", "2025-02-29T00:00:00Z", "2025-01-15T14:30:61Z", "yesterday", TOO_EARLY],
    "strategy": ["", "swing", " swing ", "x" * 80, "x" * 81, "\u2003a\u2003"],
    "tags": ["", "a", "a,b", "x" * 41, ",".join(map(str, range(21))), "a,a"],
    "note": ["", "text", "x" * 2000, "x" * 2001, "two\nlines", " kept ", '"quoted", twice', "\t=1", "'", "''", "'='"],
    "client_trade_id": ["", "c-1", " c ", "x" * 128, "x" * 129],
}  # fmt: skip
WHOLE = {"ticker": "AAPL", "trade_type": "BUY", "quantity": "1", "price": "1", "executed_at": "2025-01-15T14:30:00Z"}
CASES = [(field, text) for field, texts in CELLS.items() for text in texts]


USER_TEXT = ("strategy", "tags", "note", "client_trade_id")


def by_request(cells: dict[str, str]) -> dict | list[tuple]:
    """What the API makes of a trade of these cells: its fields, or (field, code) of what it refuses."""
    body: dict = {name: text for name, text in cells.items() if text or name not in ("client_trade_id", "tags", "fees")}
    if "tags" in body:
        body["tags"] = [tag for tag in body["tags"].split(",") if tag]
    serializer = TradeRequestSerializer(data=body)
    try:
        serializer.is_valid(raise_exception=True)
    except ValidationError as error:
        return sorted({*error.detail, *(["executed_at"] if cells["executed_at"] == TOO_EARLY else [])})
    values = field_values(serializer.validated_data)
    if cells["executed_at"] == TOO_EARLY:
        return ["executed_at"]
    return {
        "ticker": values["instrument_id"], "side": values["side"], "quantity": plain(values["quantity"]),
        "price": plain(values["price"]), "fees": plain(values.get("fees", Decimal(0))),
        "executed_at": microseconds(values["executed_at"]),
        "strategy": values.get("strategy", ""), "tags": values.get("tags", ""), "note": values.get("note", ""),
        "client_trade_id": values.get("client_trade_id"),
    }  # fmt: skip


def by_file(cells: dict[str, str]) -> dict | list[tuple]:
    text = io.StringIO()
    safe = [safe_text(cell) if name in USER_TEXT else cell for name, cell in cells.items()]
    csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL).writerows([list(cells), safe])
    try:
        (row,) = booked(text.getvalue())
    except FileRefused as error:
        return sorted({fault.field for fault in error.faults.listed})
    return {name: value for name, value in row.items() if name not in ("line", "id")}


@pytest.mark.parametrize(("field", "text"), CASES)
def test_a_cell_is_taken_or_refused_as_by_a_request(field, text):
    cells = WHOLE | {field: text}
    if field == "quantity" and text.startswith("-"):
        pytest.skip("a quantity below zero is a broker's sale")
    assert by_file(cells) == by_request(cells)


@settings(max_examples=200, deadline=None)
@given(st.fixed_dictionaries({field: st.sampled_from(texts) for field, texts in CELLS.items()}))
def test_a_row_is_taken_or_refused_as_by_a_request(cells):
    cells = WHOLE | cells
    assert by_file(cells) == by_request(cells)


# What a row is ----------------------------------------------------------------------------------


def test_a_sale_is_known_by_its_word_or_by_its_sign():
    assert [row["side"] for row in booked(HEAD + SOUND + "\n" + SOUND.replace("BUY", "sld"))] == ["BUY", "SELL"]
    signed = "Symbol,Qty,Price,Date/Time\nAAPL,-5,10,2025-01-15T14:30:00Z\nAAPL,5.0,10,2025-01-15T14:30:00Z\n"
    assert [(row["side"], row["quantity"]) for row in booked(signed)] == [("SELL", "5"), ("BUY", "5")]
    both = HEAD + SOUND.replace("BUY,100", "SELL,-100")
    assert [(row["side"], row["quantity"]) for row in booked(both)] == [("SELL", "100")]


def test_a_row_that_contradicts_itself_is_refused():
    assert faults(HEAD + SOUND.replace("BUY,100", "BUY,-100")) == [(2, "quantity", "contradiction")]
    assert faults("type," + HEAD + "sell," + SOUND) == [(2, "trade_type", "contradiction")]
    assert faults("type," + HEAD + "sell," + SOUND.replace("BUY", "deposit")) == [(2, "trade_type", "contradiction")]
    told_by_its_type = "type,amount," + HEAD + "deposit,5," + SOUND.replace("BUY", "journal")
    assert [row.activity.kind for row in check(told_by_its_type).activities] == ["deposit"]


def test_a_file_that_never_says_buy_or_sell_is_refused():
    assert faults("Symbol,Qty,Price,Date/Time\nAAPL,5,10,2025-01-15T14:30:00Z\n") == [
        (1, "trade_type", "missing_column")
    ]
    assert faults(HEAD + SOUND.replace("BUY", "")) == [(2, "trade_type", "required")]
    assert faults(HEAD + SOUND.replace("BUY", "journal")) == [(2, "trade_type", "invalid_choice")]


ACTIVITIES = (
    "type,ticker,trade_type,quantity,price,executed_at,amount,fees,ratio,amount_per_unit,note\n"
    "deposit,,,,,2025-01-02T00:00:00Z,1000,,,,'=1\n"
    f"trade,{SOUND},,,,,\n"
    "dividend,AAPL,,100,,2025-01-03T00:00:00Z,12.5,0.00,,0.125,\n"
    ",AAPL,Stock Split,,,2025-01-04T00:00:00Z,,,4:1,,\n"
    "withdrawal,,,,,2025-01-05T00:00:00Z,-10,,,,\n"
)


def test_activities_are_set_apart_with_their_lines():
    checked = check(ACTIVITIES)
    found = [row.activity for row in checked.activities]
    assert [row.line for row in checked.activities] == [2, 4, 5, 6]
    assert [(one.kind, one.amount, one.amount_per_unit, one.ratio) for one in found] == [
        ("deposit", Decimal(1000), None, ""),
        ("dividend", None, Decimal("0.125"), ""),
        ("split", None, None, "4:1"),
        ("withdrawal", Decimal(10), None, ""),
    ]
    assert (found[0].note, found[0].effective_at) == ("=1", datetime(2025, 1, 2, tzinfo=UTC))
    assert (len(checked), checked.lines.tolist(), checked.row_count) == (1, [3], 5)
    assert checked.order.tolist() == [1, 2, 3, 4, 0]


@pytest.mark.parametrize(
    ("row", "field", "code"),
    [
        ("deposit,,,,,2025-01-02T00:00:00Z,,,,,", "amount", "required"),
        ("deposit,,,,,2025-01-02T00:00:00Z,-5,,,,", "amount", "min_value"),
        ("deposit,,,,,2025-01-02T00:00:00Z,5,1.25,,,", "fees", "not_of_this_kind"),
        ("deposit,,,,,,5,,,,", "executed_at", "required"),
        ("deposit,,,,,2025-01-02,5,,,,", "executed_at", "naive"),
        ("split,AAPL,,,,2025-01-02T00:00:00Z,,,1:4,,", "ratio", "ratio"),
        ("split,AAPL,,,,2025-01-02T00:00:00Z,,,4,,", "ratio", "invalid"),
        ("split,,,,,2025-01-02T00:00:00Z,,,4:1,,", "ticker", "required"),
        ("dividend,aapl,,,,2025-01-02T00:00:00Z,,,,1,", "ticker", "ticker"),
        ("dividend,AAPL,,,,1850-01-02T00:00:00Z,,,,1,", "executed_at", "out_of_range"),
    ],
)
def test_an_activity_that_cannot_be_is_refused_by_its_column(row, field, code):
    assert (3, field, code) in faults(ACTIVITIES.splitlines()[0] + f"\ntrade,{SOUND},,,,,\n{row}\n")


# Order --------------------------------------------------------------------------------------------


def lines_in_order(moments: list[str], head: str = HEAD, tail=lambda place: "") -> list[int]:
    rows = [f"AAPL,BUY,1,1,{moment}{tail(place)}\n" for place, moment in enumerate(moments)]
    return [row["line"] for row in booked(head + "".join(rows))]


def test_a_file_is_booked_oldest_first_and_ties_as_they_stand():
    assert lines_in_order(["2025-01-02T00:00:00Z", "2025-01-01T00:00:00Z", "2025-01-02T00:00:00Z"]) == [3, 2, 4]
    assert lines_in_order(["2025-01-01T00:00:00Z"] * 3) == [2, 3, 4]


def test_a_file_that_is_newest_first_is_booked_from_its_end():
    moments = ["2025-01-03T00:00:00Z", "2025-01-02T00:00:00Z", "2025-01-02T00:00:00Z", "2025-01-01T00:00:00Z"]
    assert lines_in_order(moments) == [5, 4, 3, 2]


def test_trades_of_one_moment_in_an_export_keep_the_order_of_their_ids():
    head = HEAD.strip() + ",id,version\n"
    assert lines_in_order(["2025-01-01T00:00:00Z"] * 3, head, lambda place: f",{9 - place},1") == [4, 3, 2]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 30), min_size=1, max_size=60), st.data())
def test_any_places_of_the_file_can_be_read_in_any_order(quantities, data):
    rows = "".join(f"AAPL,BUY,{place + 1},1,2025-01-15T14:30:00Z\n" for place in range(len(quantities)))
    source = io.BytesIO((HEAD + rows).encode())
    checked = check_file(source, Reading(), *BOUNDS)
    places = data.draw(st.lists(st.integers(0, len(quantities) - 1), min_size=1, max_size=20))
    assert checked.trades(np.array(places))["line"].to_pylist() == [place + 2 for place in places]


# Faults ---------------------------------------------------------------------------------------------


def test_every_bad_row_is_named_with_column_reason_and_value():
    text = f"Symbol,Side,Qty,Price,Date/Time\naapl,buy,0,1,x\n{SOUND}\nAAPL,BUY,1\nAAPL,hold,1,1,2025-01-15T14:30:00Z\n"
    with pytest.raises(FileRefused) as caught:
        check(text)
    found = caught.value.faults
    assert [(fault.row, fault.column, fault.field, fault.code, fault.value) for fault in found.listed] == [
        (2, "Symbol", "ticker", "ticker", "aapl"),
        (2, "Qty", "quantity", "min_value", "0"),
        (2, "Date/Time", "executed_at", "invalid", "x"),
        (4, None, None, "ragged", None),
        (5, "Side", "trade_type", "invalid_choice", "hold"),
    ]
    assert (found.count, found.bad_rows) == (5, 3)


@pytest.mark.parametrize("line", [2, 3, 100, 9_999, 10_001])
def test_one_bad_row_anywhere_is_found(line):
    rows = [SOUND] * 10_000
    rows[line - 2] = SOUND.replace("150.25", "x")
    assert faults(HEAD + "\n".join(rows)) == [(line, "price", "invalid")]


def test_all_faults_are_counted_and_the_first_hundred_listed():
    with pytest.raises(FileRefused) as caught:
        check(HEAD + (SOUND.replace("AAPL", "?") + "\n") * 1000)
    found = caught.value.faults
    assert (len(found.listed), found.count, found.bad_rows, found.listed[-1].row) == (100, 1000, 1000, 101)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", (None, None, "empty")),
        (HEAD, (1, None, "no_rows")),
        ("ticker,price\nA,1\n", (1, "quantity", "missing_column")),
        (HEAD.replace("price", "Price,Avg Price") + SOUND, (None, "price", "ambiguous_column")),
    ],
)
def test_a_file_that_cannot_be_one_is_refused(text, fault):
    assert faults(text)[0] == fault


def test_a_file_of_several_accounts_is_refused():
    head, rows = HEAD.strip() + ",Account\n", f"{SOUND},1\n{SOUND},2\n"
    assert faults(head + rows) == [(None, "account", "several_accounts")]
    assert len(booked(head + rows, columns={"Account": ""})) == 2
    assert len(booked(head + rows.replace(",2\n", ",1\n"))) == 2


# What the user says of a file -------------------------------------------------------------------------


def test_local_times_are_read_by_the_clock_of_their_zone():
    reading = {"clock": Clock("%m/%d/%Y", ZoneInfo("America/New_York"))}
    text = "Symbol,Side,Qty,Price,Date,Time\nA,B,1,1,{},{}\n"
    (row,) = booked(text.format("01/15/2025", "09:30:00"), **reading)
    assert row["executed_at"] == microseconds(datetime(2025, 1, 15, 14, 30, tzinfo=UTC))
    assert faults(text.format("11/02/2025", "01:30:00"), **reading) == [(2, "date", "ambiguous_time")]
    assert faults(text.format("03/09/2025", "02:30:00"), **reading) == [(2, "date", "nonexistent_time")]


def test_numbers_are_read_in_the_form_the_user_names():
    text = 'Symbol;Side;Qty;Price;DateTime\nA;B;"1.000";1,5;2025-01-15T14:30:00Z\n'
    (row,) = booked(text, numbers=NumberFormat.EUROPEAN)
    assert (row["quantity"], row["price"]) == ("1000", "1.5")
    assert faults(text) == [(2, "price", "invalid")]


def test_costs_may_be_written_below_zero_and_in_several_columns():
    head = HEAD.strip() + ",Commission,Reg Fee\n"
    (row,) = booked(head + SOUND + ",1.25,0.003")
    assert row["fees"] == "1.253"
    (row,) = booked(head + SOUND + ",-1.25,0", has_negative_fees=True)
    assert row["fees"] == "1.25"
    assert faults(head + SOUND + ",-1.25,0") == [(2, "fees", "min_value")]
    assert faults(head + SOUND + ",1.25,0", has_negative_fees=True) == [(2, "fees", "min_value")]
