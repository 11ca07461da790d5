"""Small files as brokers and programs give them out, read as the desk reads them: nothing said but the clock."""

import io

import pytest

from trades.importing import importer
from trades.importing.manner import recognized

BUY = ("AAPL", "BUY", "100", "150.25")
SELL = ("AAPL", "SELL", "40", "151.1")
# The file, the fees of its rows, and the moment of the first.
FILES = {
    "Interactive Brokers, Flex query": (
        "ClientAccountID,Symbol,DateTime,Buy/Sell,Quantity,TradePrice,IBCommission,TradeID,TransactionID,IBOrderID\n"
        "U1,AAPL,20250115;093000,BUY,100,150.25,-1,501,901,7\nU1,AAPL,20250116;100000,SELL,-40,151.10,-1.02,502,902,7\n",
        ("1", "1.02"),
        "2025-01-15T14:30:00Z",
    ),
    "Interactive Brokers, trades of a statement": (
        "Symbol,Date/Time,Quantity,T. Price,C. Price,Proceeds,Comm/Fee,Basis,Realized P/L,Code\n"
        'AAPL,"2025-01-15, 09:30:00",100,150.25,151,-15025,-1,15026,0,O\n'
        'AAPL,"2025-01-16, 10:00:00",-40,151.1,151,6044,-1.02,-6010.4,33.6,C\n',
        ("1", "1.02"),
        "2025-01-15T14:30:00Z",
    ),
    "Schwab": (
        '"Date","Action","Symbol","Description","Quantity","Price","Fees & Comm","Amount"\n'
        '"01/16/2025","Sell","AAPL","APPLE INC","40","$151.10","$0.02","$6,043.98"\n'
        '"01/15/2025","Buy","AAPL","APPLE INC","100","$150.25","","-$15,025.00"\n',
        ("0", "0.02"),
        "2025-01-15T05:00:00Z",
    ),
    "Fidelity": (
        "Run Date,Account,Action,Symbol,Description,Type,Quantity,Price ($),Commission ($),Fees ($),Amount ($),"
        "Settlement Date\n"
        "01/16/2025,Z1,YOU SOLD APPLE INC (AAPL) (Cash),AAPL,APPLE INC,Cash,-40,151.1,,0.02,6043.98,01/17/2025\n"
        "01/15/2025,Z1,YOU BOUGHT APPLE INC (AAPL) (Cash),AAPL,APPLE INC,Cash,100,150.25,1,0.01,-15026.01,01/16/2025\n",
        ("1.01", "0.02"),
        "2025-01-15T05:00:00Z",
    ),
    "Robinhood": (
        '"Activity Date","Process Date","Settle Date","Instrument","Description","Trans Code","Quantity","Price",'
        '"Amount"\n'
        '"1/16/2025","1/16/2025","1/17/2025","AAPL","Apple","Sell","40","$151.10","$6,044.00"\n'
        '"1/15/2025","1/15/2025","1/16/2025","AAPL","Apple","Buy","100","$150.25","($15,025.00)"\n',
        ("0", "0"),
        "2025-01-15T05:00:00Z",
    ),
    "Alpaca, account activities": (
        "id,activity_type,transaction_time,type,price,qty,side,symbol,leaves_qty,order_id,cum_qty,order_status\n"
        "2::b,FILL,2025-01-16T15:00:00Z,fill,151.1,40,sell,AAPL,0,o-2,40,filled\n"
        "1::a,FILL,2025-01-15T14:30:00.123Z,partial_fill,150.25,100,buy,AAPL,0,o-1,100,filled\n",
        ("0", "0"),
        "2025-01-15T14:30:00.123000Z",
    ),
    "Alpaca, orders": (
        "symbol,side,type,qty,filled_qty,filled_avg_price,status,filled_at\n"
        "AAPL,buy,fill,150,100,150.25,filled,2025-01-15T14:30:00Z\nAAPL,sell,fill,40,40,151.1,filled,"
        "2025-01-16T15:00:00Z\n",
        ("0", "0"),
        "2025-01-15T14:30:00Z",
    ),
    "Ghostfolio": (
        "Date,Code,DataSource,Currency,Price,Quantity,Action,Fee,Note\n"
        "15-01-2025,AAPL,YAHOO,USD,150.25,100,buy,1,first\n16-01-2025,AAPL,YAHOO,USD,151.10,40,sell,1.02,\n",
        ("1", "1.02"),
        "2025-01-15T05:00:00Z",
    ),
    "Ghostfolio, by the names of its API": (
        "date,symbol,dataSource,currency,unitPrice,quantity,type,fee,comment\n"
        "2025-01-15T14:30:00.000Z,AAPL,YAHOO,USD,150.25,100,BUY,1,\n"
        "2025-01-16T15:00:00.000Z,AAPL,YAHOO,USD,151.1,40,SELL,1.02,\n",
        ("1", "1.02"),
        "2025-01-15T14:30:00Z",
    ),
    "A European spreadsheet": (
        "Ticker;Datum und Zeit;Side;Quantity;Price;Commission\n"
        "AAPL;15.01.2025 15:30;Buy;100;150,25;1,00\nAAPL;16.01.2025 16:00;Sell;40;151,10;1,02\n",
        ("1", "1.02"),
        "2025-01-15T20:30:00Z",
    ),
}


@pytest.mark.parametrize("broker", FILES)
def test_a_brokers_file_is_read_as_it_comes(broker):
    text, fees, first_at = FILES[broker]
    options = {"timezone": "America/New_York", "columns": {"Datum und Zeit": "executed_at"} if "Datum" in text else {}}
    file = io.BytesIO(text.encode())
    options |= importer.glimpse(file, options)["recognized"]
    checked = importer.check(file, options)
    rows = checked.trades(checked.trade_order).to_pylist()
    assert [(row["ticker"], row["side"], row["quantity"], row["price"]) for row in rows] == [BUY, SELL]
    assert tuple(row["fees"] for row in rows) == fees
    assert rows[0]["executed_at"] == importer.microseconds(importer.reading_of({}).clock.read(first_at))


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ({"executed_at": ["01/02/2025", "03/04/2025"]}, {}),  # either way round
        ({"executed_at": ["01/02/2025", "13/04/2025"]}, {"date_format": "%d/%m/%Y"}),
        ({"executed_at": ["2025-01-15 10:00:00", ""]}, {}),  # it needs no saying
        ({"executed_at": ["01/15/2025", "soon"]}, {}),
        ({"price": ["1,234"]}, {}),  # or 1.234
        ({"price": ["1,234.5", "2"]}, {"number_format": "us"}),
        ({"price": ["1.234,5"]}, {"number_format": "european"}),
        ({"price": ["1.5"], "quantity": ["many"]}, {}),
        ({"fees": ["-1", "0", "-0.02"]}, {"fees_sign": "negative"}),
        ({"fees": ["-1", "1"]}, {}),
        ({"fees": ["0", "-0.00"]}, {}),
    ],
)
def test_only_what_can_be_read_one_way_is_told_from_the_file(cells, said):
    assert recognized(cells, {}) == said


def test_what_the_user_said_is_not_told_again():
    cells = {"executed_at": ["01/15/2025"], "price": ["$1"], "fees": ["-1"]}
    assert recognized(cells, {"date_format": "%d/%m/%Y", "number_format": "plain", "fees_sign": "positive"}) == {}
