"""Which column is which: our names, brokers' heads as they come, and what the user says."""

import pytest

from trades.importing.faults import FileRefused
from trades.importing.heads import BROKERS_NAMES, COLUMNS, FIELD_OF, recognize, refuse_missing

pytestmark = pytest.mark.pure

# Heads of files that brokers give out, and what of them is ours.
HEADS = {
    "Date,Action,Symbol,Description,Quantity,Price,Fees & Comm,Amount": {
        "executed_at": "Date", "trade_type": "Action", "ticker": "Symbol", "quantity": "Quantity", "price": "Price",
        "fees": "Fees & Comm", "amount": "Amount",
    },
    "Trade Date,Settlement Date,Transaction Type,Investment Name,Symbol,Shares,Share Price,Commissions and Fees": {
        "executed_at": "Trade Date", "trade_type": "Transaction Type", "ticker": "Symbol", "quantity": "Shares",
        "price": "Share Price", "fees": "Commissions and Fees",
    },
    "Symbol,Date/Time,Quantity,T. Price,C. Price,Proceeds,Comm/Fee,Basis,Realized P/L,Code": {
        "executed_at": "Date/Time", "ticker": "Symbol", "quantity": "Quantity", "price": "T. Price", "fees": "Comm/Fee",
    },
    "Symbol,DateTime,Buy/Sell,Quantity,TradePrice,IBCommission,TradeID": {
        "executed_at": "DateTime", "trade_type": "Buy/Sell", "ticker": "Symbol", "quantity": "Quantity",
        "price": "TradePrice", "fees": "IBCommission", "client_trade_id": "TradeID",
    },
    "Action,Time,ISIN,Ticker,Name,No. of shares,Price / share,Currency (Price / share),ID": {
        "trade_type": "Action", "executed_at": "Time", "ticker": "Ticker", "quantity": "No. of shares",
        "price": "Price / share", "id": "ID",
    },
    "Run Date,Action,Symbol,Security Description,Quantity,Price ($),Commission ($),Fees ($),Settlement Date": {
        "executed_at": "Run Date", "trade_type": "Action", "ticker": "Symbol", "quantity": "Quantity",
        "price": "Price ($)", "fees": "Commission ($)",
    },
    "activity_type,id,side,symbol,qty,price,transaction_time": {
        "type": "activity_type", "id": "id", "trade_type": "side", "ticker": "symbol", "quantity": "qty",
        "price": "price", "executed_at": "transaction_time",
    },
    "Symbol;Date;Time;Side;Qty;Price;Commission": {
        "ticker": "Symbol", "date": "Date", "time": "Time", "trade_type": "Side", "quantity": "Qty", "price": "Price",
        "fees": "Commission",
    },
}  # fmt: skip


def refusal(*arguments):
    with pytest.raises(FileRefused) as caught:
        recognize(*arguments)
    return caught.value.faults.listed[0]


@pytest.mark.parametrize("head", HEADS)
def test_brokers_heads_are_recognized(head):
    columns = recognize(head.split(";") if ";" in head else head.split(","))
    assert {field: columns.name_of(field) for field in columns.places} == HEADS[head]
    refuse_missing(columns, 1)


def test_a_file_of_our_own_is_recognized_whole():
    assert recognize(COLUMNS).ignored == ["date", "time"]


def test_no_name_means_two_things():
    assert len(FIELD_OF) == len(COLUMNS) + sum(len(names.split("|")) for names in BROKERS_NAMES.values())


def test_our_own_name_beside_a_brokers_is_not_simply_believed():
    """A broker's "Price" may be an order's limit, where "Avg Price" is what was paid."""
    assert refusal(["Symbol", "Filled", "Price", "Avg Price", "Filled Time"]).code == "ambiguous_column"
    columns = recognize(["Symbol", "Filled", "Price", "Avg Price", "Filled Time"], {"Avg Price": "price"})
    assert columns.name_of("price") == "Avg Price"


def test_a_commission_and_a_fee_are_both_fees():
    columns = recognize(["Symbol", "Commission", "Reg Fee", "Price", "Fees"])
    assert sorted(columns.places["fees"]) == [1, 2, 4]


def test_what_the_user_says_goes_before_what_is_recognized():
    names = ["Symbol", "Underlying", "Date", "Booked", "Commission"]
    columns = recognize(names, {"Underlying": "ticker", "Booked": "executed_at", "Commission": ""})
    assert {field: columns.name_of(field) for field in columns.places} == {
        "ticker": "Underlying",
        "executed_at": "Booked",
    }
    assert columns.ignored == ["Symbol", "Date", "Commission"]


def test_two_columns_that_may_be_the_same_are_refused_by_name():
    fault = refusal(["Symbol", "Trade Date", "Run Date", "Price", "Quantity"])
    assert (fault.code, fault.field) == ("ambiguous_column", "date")
    assert "'Trade Date', 'Run Date'" in fault.message


def test_a_choice_that_cannot_be_is_refused():
    assert refusal(["a"], {"b": "ticker"}).code == "unknown_column"
    assert refusal(["a"], {"a": "sideways"}).code == "unknown_field"


def test_every_column_that_is_missing_is_named():
    with pytest.raises(FileRefused) as caught:
        refuse_missing(recognize(["Symbol", "note"]), 3)
    faults = caught.value.faults
    assert [(fault.row, fault.field) for fault in faults.listed] == [(3, "quantity"), (3, "price"), (3, "executed_at")]


def test_a_file_of_activities_needs_none_of_a_trades_columns():
    assert refuse_missing(recognize(["type", "date", "amount"]), 1) is None
    with pytest.raises(FileRefused):  # nothing says that its rows are activities
        refuse_missing(recognize(["date", "amount"]), 1)
