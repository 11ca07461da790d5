"""The AWS handler: every kind of event, the error path, and S3."""

import base64
import datetime as dt
import json
import re
import subprocess
import sys
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer

from analytics import lambda_function
from analytics.lambda_function import BucketStore, StoreError, handler

pytestmark = pytest.mark.pure

DAY = "2025-01-15"
SOURCE, TARGET = "trades/2025/01/15/trades_2025-01-15.csv", "analytics/2025/01/15/analysis_2025-01-15.csv"
TRADES = b"""\
id,ticker,trade_type,quantity,price,fees,realized_pnl,executed_at
1,AAPL,BUY,100,150.25,1,0,2025-01-15T14:30:00.000000Z
2,AAPL,SELL,40,151,0,30,2025-01-15T14:31:00.000000Z
"""


class MemoryStore(dict):
    """Files in a dict."""

    read = dict.get

    def write(self, key, content):
        self[key] = content


class BrokenStore:
    def read(self, key):
        raise StoreError(f"S3 did not give {key}: SlowDown.")


@pytest.fixture
def store():
    return MemoryStore({SOURCE: TRADES})


def payload_1(body, **extra):
    context = {"resourcePath": "/moneyai", "httpMethod": "POST"}
    return {"version": "1.0", "httpMethod": "POST", "requestContext": context, "body": body} | extra


def payload_2(body, **extra):
    context = {"http": {"method": "POST", "path": "/moneyai"}}
    return {"version": "2.0", "routeKey": "POST /moneyai", "requestContext": context, "body": body} | extra


def asked(**request):
    return json.dumps(request)


EVENTS = {
    "payload 1.0": payload_1(asked(date=DAY)),
    "payload 2.0": payload_2(asked(date=DAY)),
    "payload 1.0 in base64": payload_1(base64.b64encode(asked(date=DAY).encode()).decode(), isBase64Encoded=True),
    "payload 2.0 in base64": payload_2(base64.b64encode(asked(date=DAY).encode()).decode(), isBase64Encoded=True),
    "GET, payload 1.0": payload_1(None, queryStringParameters={"date": DAY}),
    "GET, payload 2.0": payload_2("", queryStringParameters={"date": DAY}),
    "bare invoke": {"date": DAY},
}


@pytest.mark.parametrize("event", EVENTS.values(), ids=EVENTS)
def test_every_kind_of_event_is_answered_alike(event, store):
    answer = handler(event, None, store=store)
    assert (answer["statusCode"], answer["headers"]["Content-Type"]) == (200, "application/json")
    body = json.loads(answer["body"])
    assert (body["date"], body["trades"], body["input_key"], body["output_key"]) == (DAY, 2, SOURCE, TARGET)
    (apple,) = body["tickers"]
    assert (apple["volume"], apple["notional"], apple["vwap"]) == ("140", "21065", "150.464285714286")
    assert store[TARGET].decode().splitlines() == [
        "date,ticker,trades,buys,sells,volume,buy_volume,sell_volume,notional,vwap,"
        "open,high,low,close,fees,realized_pnl,net_pnl",
        "2025-01-15,AAPL,2,1,1,140,100,40,21065,150.464285714286,150.25,151,150.25,151,1,30,29",
    ]


@pytest.mark.parametrize(
    ("accounts", "volumes"), [("7", ["100"]), ("3,9", ["40"]), ("3,7", ["140"]), ("none", []), ("", []), ("77", [])]
)
@pytest.mark.parametrize(
    "payload", [lambda body, given: payload_1(body, headers={"X-TradeOps-Accounts": given}),
                lambda body, given: payload_2(body, headers={"x-tradeops-accounts": given})],
    ids=["payload 1.0", "payload 2.0"],
)  # fmt: skip
def test_it_speaks_of_the_accounts_it_is_told_alone_and_writes_the_whole_day(payload, accounts, volumes):
    store = MemoryStore({SOURCE: with_accounts(7, 3)})
    body = json.loads(handler(payload(asked(date=DAY), accounts), None, store=store)["body"])
    assert [row["volume"] for row in body["tickers"]] == volumes
    assert b"AAPL,2,1,1,140" in store[TARGET]


def with_accounts(*accounts: int) -> bytes:
    """TRADES with a column that says whose each is."""
    cells = ["account", *map(str, accounts)]
    return b"".join(f"{line},{cell}\n".encode() for line, cell in zip(TRADES.decode().splitlines(), cells, strict=True))


def test_a_file_that_does_not_say_whose_its_trades_are_tells_nobodys(store):
    answer = handler(payload_2(asked(date=DAY), headers={"x-tradeops-accounts": "7"}), None, store=store)
    assert (answer["statusCode"], json.loads(answer["body"])["error"]) == (500, "damaged_file")


def test_the_same_day_gives_the_same_bytes(store):
    handler({"date": DAY}, None, store=store)
    first = store[TARGET]
    handler({"date": DAY}, None, store=store)
    assert store[TARGET] == first


@pytest.mark.usefixtures("one_day")
@pytest.mark.parametrize("event", [{}, payload_1(None), payload_2("{}")])
def test_without_a_date_it_is_yesterday(event):
    answer = json.loads(handler(event, None, store=MemoryStore())["body"])
    yesterday = dt.datetime.now(dt.UTC).date() - dt.timedelta(days=1)
    assert answer["message"].startswith(f"There is no trades/{yesterday:%Y/%m/%d}/trades_{yesterday}.csv")


@pytest.mark.parametrize(
    ("event", "code"),
    [
        (None, "bad_request"),
        ([DAY], "bad_request"),
        (payload_2("{"), "bad_json"),
        (payload_2("[]"), "bad_request"),
        (payload_2("[" * 5000), "bad_json"),
        (payload_2(7), "bad_request"),
        (payload_2("x" * 70_000), "bad_request"),
        (payload_2("%%", isBase64Encoded=True), "bad_request"),
        ({"date": "2025-02-30"}, "bad_date"),
        ({"date": "20250115"}, "bad_date"),
        ({"date": "２０２５-01-15"}, "bad_date"),
        ({"date": 20250115}, "bad_date"),
        ({"date": "1899-12-31"}, "bad_date"),
        ({"date": "9999-12-31"}, "bad_date"),
        ({"day": DAY}, "unknown_field"),
    ],
)
def test_what_cannot_be_done_is_a_400_with_a_code(event, code, store):
    answer = handler(event, None, store=store)
    body = json.loads(answer["body"])
    assert (answer["statusCode"], body["error"]) == (400, code)
    assert body["message"]
    assert TARGET not in store


def test_what_is_logged_of_a_request_is_one_line_of_ascii(store, caplog):
    """AWS's own log takes no lone surrogate, and would end the call with an error of the runtime."""
    handler(payload_2(json.dumps({"\ud800\nERROR forged": 1})), None, store=store)
    assert caplog.messages == ["refused: 400 Unknown field: '\\ud800\\nERROR forged'. Known: date."]


def test_a_day_with_too_many_tickers_for_an_answer_is_written_and_says_where(store, monkeypatch):
    monkeypatch.setattr(lambda_function, "MAX_ANSWER_BYTES", 400)
    answer = handler({"date": DAY}, None, store=store)
    body = json.loads(answer["body"])
    assert (answer["statusCode"], body["error"], TARGET in body["message"]) == (502, "answer_too_large", True)
    assert b"AAPL,2,1,1,140" in store[TARGET]


def test_a_day_without_a_file_is_a_404():
    answer = handler({"date": DAY}, None, store=MemoryStore())
    assert (answer["statusCode"], json.loads(answer["body"])["error"]) == (404, "no_trades_file")


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", TRADES + b"3,AAPL\n", TRADES.replace(b"150.25", b"oops")])
def test_a_damaged_file_is_a_500_and_writes_nothing(content):
    store = MemoryStore({SOURCE: content})
    answer = handler({"date": DAY}, None, store=store)
    assert (answer["statusCode"], json.loads(answer["body"])["error"]) == (500, "damaged_file")
    assert TARGET not in store


def test_a_store_that_fails_is_a_502_and_is_logged(caplog):
    answer = handler({"date": DAY}, None, store=BrokenStore())
    assert (answer["statusCode"], json.loads(answer["body"])["error"]) == (502, "storage_failed")
    assert "SlowDown" in caplog.text


def test_without_a_bucket_it_says_what_is_missing(monkeypatch):
    monkeypatch.delenv("S3_BUCKET_NAME", raising=False)
    answer = handler({"date": DAY}, None)
    assert (answer["statusCode"], json.loads(answer["body"])["message"]) == (502, "S3_BUCKET_NAME is not set.")


@pytest.fixture(scope="module")
def s3_address():
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(s3_address, monkeypatch):
    environment = {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "S3_BUCKET_NAME": "lambda-lake",
        "AWS_S3_ENDPOINT_URL": s3_address,
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    bucket = boto3.resource("s3", endpoint_url=s3_address).Bucket("lambda-lake")
    bucket.create()
    yield bucket
    bucket.objects.all().delete()
    bucket.delete()


def test_it_reads_from_and_writes_to_the_bucket_of_its_environment(bucket):
    bucket.put_object(Key=SOURCE, Body=TRADES)
    assert handler(payload_2(asked(date=DAY)), None)["statusCode"] == 200
    assert b"AAPL,2,1,1,140" in bucket.Object(TARGET).get()["Body"].read()


def test_a_day_that_is_larger_than_can_be_read_in_time_is_not_begun(bucket, monkeypatch):
    bucket.put_object(Key=SOURCE, Body=TRADES)
    monkeypatch.setattr(lambda_function, "MAX_DAY_BYTES", 100)
    answer = handler({"date": DAY}, None)
    assert (answer["statusCode"], json.loads(answer["body"])["error"]) == (502, "day_too_large")


@pytest.mark.parametrize("bad", ["foo", "127.0.0.1:9000", "http://[::1"])
def test_an_endpoint_that_is_no_address_is_a_502(bucket, monkeypatch, bad):
    monkeypatch.setenv("AWS_S3_ENDPOINT_URL", bad)
    answer = handler({"date": DAY}, None)
    assert (answer["statusCode"], "look at the settings" in answer["body"]) == (502, True)


def test_a_store_that_hangs_is_given_up_within_the_functions_time(bucket):
    template = (Path(__file__).resolve().parents[2] / "deploy/lambda/template.yaml").read_text()
    (seconds,) = re.findall(r"^ +Timeout: (\d+)$", template, re.MULTILINE)
    config = BucketStore.from_environment().client.meta.config
    tries = config.retries["total_max_attempts"]
    assert tries * max(config.connect_timeout, config.read_timeout) + 2 ** (tries - 1) < int(seconds) - 8


def test_an_object_that_is_not_there_is_a_404(bucket):
    assert handler({"date": DAY}, None)["statusCode"] == 404


def test_a_bucket_that_is_not_there_is_a_502_by_its_code(bucket, monkeypatch):
    monkeypatch.setenv("S3_BUCKET_NAME", "no-such-bucket")
    answer = handler({"date": DAY}, None)
    assert answer["statusCode"] == 502
    assert "NoSuchBucket" in answer["body"]


def test_an_endpoint_that_refuses_is_a_502(bucket, monkeypatch):
    monkeypatch.setenv("AWS_S3_ENDPOINT_URL", "http://127.0.0.1:1")
    with pytest.raises(StoreError, match="EndpointConnectionError"):
        BucketStore.from_environment().write(TARGET, b"")


def test_it_runs_without_django_and_its_kin():
    program = (
        "import sys, json, analytics.lambda_function as f\n"
        "f.handler({'date': 'x'}, None)\n"
        "print([m for m in ('django', 'numpy', 'pandas', 'pyarrow', 'requests', 'boto3') if m in sys.modules])"
    )
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=root, check=False)
    assert done.stdout.strip() == "[]", done.stderr
