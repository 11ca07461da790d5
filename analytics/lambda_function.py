"""The AWS handler: reads a day's trades from the lake, works out volumes and prices per ticker, writes the analysis.

Deployed alone, with `layout.py` and `reports.py` beside it: no Django, nothing but the standard library and boto3,
and its own environment (`S3_BUCKET_NAME`, `AWS_S3_ENDPOINT_URL`). With no `LAMBDA_API_URL` set, TradeOps calls the
same function in process and passes its own lake as `store`.
"""

import base64
import binascii
import datetime as dt
import io
import json
import logging
import os
import re
from typing import Protocol

from analytics.layout import ANALYSIS_COLUMNS, FIRST_DAY, csv_bytes, object_key, plain
from analytics.reports import DayReport, read_report

logger = logging.getLogger(__name__)
logger.setLevel(logging.INFO)

HEADERS = {"Content-Type": "application/json", "Cache-Control": "no-store"}
ACCOUNTS_HEADER = "X-TradeOps-Accounts"
DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
MAX_BODY_BYTES = 64 * 1024
MAX_ANSWER_BYTES = 6 * 1024 * 1024  # Lambda takes no more, and would answer with words of its own
# Some 1,500,000 trades: as many as can be read, and for a trader read twice, in the time that the template gives.
MAX_DAY_BYTES = 160 * 1024 * 1024


class Store(Protocol):
    """Where the files are. `read` returns None where nothing stands at the key; both raise StoreError."""

    def read(self, key: str) -> bytes | None: ...

    def write(self, key: str, content: bytes) -> None: ...


class StoreError(Exception):
    """The store did not answer, or refused. Its text is fit to be shown to the caller."""


class Refusal(Exception):
    """An answer other than 200, with a code for programs and a sentence for people."""

    def __init__(self, status: int, code: str, message: str):
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


def handler(event: object, context: object, store: Store | None = None) -> dict[str, object]:
    """Analyze one day.

    event    API Gateway's payload 1.0 or 2.0, whose body is `{"date": "2025-01-15"}`, or that object itself;
             without a date: yesterday, UTC. The header X-TradeOps-Accounts, `3,7`, has the answer speak of the
             trades in those accounts alone; the file that is written is the whole day's all the same
    store    where the files are; the bucket of the environment when None
    ->       {"statusCode", "headers", "body"}, the body JSON text: the tickers of the day on 200,
             {"error", "message"} otherwise
    """
    try:
        day = requested_day(request_of(event), dt.datetime.now(dt.UTC).date())
        store = BucketStore.from_environment() if store is None else store
        answer = analyze_day(day, store, accounts_of(event))
    except Refusal as refusal:
        logger.warning("refused: %s %s", refusal.status, refusal.message)
        return respond(refusal.status, {"error": refusal.code, "message": refusal.message})
    except StoreError as error:
        logger.error("the lake failed: %s", error)
        return respond(502, {"error": "storage_failed", "message": str(error)})
    logger.info("analyzed %s: %s trades", answer["date"], answer["trades"])
    return bounded(respond(200, answer), str(answer["output_key"]))


def respond(status: int, body: dict[str, object]) -> dict[str, object]:
    """The shape API Gateway wants."""
    return {"statusCode": status, "headers": dict(HEADERS), "body": json.dumps(body)}


def bounded(answer: dict[str, object], key: str) -> dict[str, object]:
    """The answer, or where it is larger than an answer can be, where to read it."""
    if len(json.dumps(answer)) <= MAX_ANSWER_BYTES:  # its body is text, and so quoted once more on its way
        return answer
    message = f"The analysis is written, and has too many tickers for an answer: read {key} in the lake."
    return respond(502, {"error": "answer_too_large", "message": message})


# --- what was asked


def request_of(event: object) -> dict[str, object]:
    """The request inside an event: API Gateway's body (1.0 or 2.0), its query string, or the event itself."""
    if not isinstance(event, dict):
        raise Refusal(400, "bad_request", "The event must be a JSON object.")
    if "requestContext" not in event and "httpMethod" not in event:
        return event
    body = _body_of(event)
    if body.strip():
        return _json_object(body)
    query = event.get("queryStringParameters")
    return query if isinstance(query, dict) else {}


def accounts_of(event: object) -> frozenset[str] | None:
    """The accounts that the answer may speak of, by the event's header; None where it has none: all."""
    headers = event.get("headers") if isinstance(event, dict) else None
    for name, value in (headers if isinstance(headers, dict) else {}).items():
        if name.lower() == ACCOUNTS_HEADER.lower():  # payload 2.0 has names in small letters, 1.0 as they were sent
            return frozenset(str(value).split(","))
    return None


def requested_day(request: dict[str, object], today: dt.date) -> dt.date:
    """The UTC day asked for, yesterday by default; refuses unknown keys, what is no date, and days to come."""
    for name in request:
        if name != "date":
            raise Refusal(400, "unknown_field", f"Unknown field: {name[:60]!a}. Known: date.")
    text = request.get("date")
    if text is None:
        return today - dt.timedelta(days=1)
    day = _parse_day(text)
    if day < FIRST_DAY:
        raise Refusal(400, "bad_date", f"date must not be before {FIRST_DAY}.")
    if day > today:
        raise Refusal(400, "bad_date", f"date must not be in the future: {day} (today is {today}, UTC).")
    return day


def _parse_day(text: object) -> dt.date:
    if not isinstance(text, str) or not DAY.fullmatch(text):
        raise Refusal(400, "bad_date", "date must be a day as YYYY-MM-DD.")
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise Refusal(400, "bad_date", f"date is not a day of the calendar: {text}.") from None


def _body_of(event: dict[str, object]) -> str:
    body = event.get("body") or ""
    if not isinstance(body, str) or len(body) > MAX_BODY_BYTES:
        raise Refusal(400, "bad_request", f"The body must be JSON text of at most {MAX_BODY_BYTES} bytes.")
    if not event.get("isBase64Encoded"):
        return body
    try:
        return base64.b64decode(body, validate=True).decode()
    except (binascii.Error, ValueError):
        raise Refusal(400, "bad_request", "The body is not base64 of UTF-8 text.") from None


def _json_object(text: str) -> dict[str, object]:
    try:
        request = json.loads(text)
    except (ValueError, RecursionError):
        raise Refusal(400, "bad_json", "The body is not JSON.") from None
    if not isinstance(request, dict):
        raise Refusal(400, "bad_request", "The body must be a JSON object.")
    return request


# --- the work


def analyze_day(day: dt.date, store: Store, accounts: frozenset[str] | None = None) -> dict[str, object]:
    """Read the day's trades, write its analysis, and return the report, of `accounts` or all, as JSON holds it."""
    source, target = object_key("trades", day), object_key("analytics", day)
    content = store.read(source)
    if content is None:
        raise Refusal(404, "no_trades_file", f"There is no {source} in the lake. Export the day first.")
    report = _report_of(day, content)
    store.write(target, csv_bytes(ANALYSIS_COLUMNS, report.rows()))
    if accounts is not None:
        report = _report_of(day, content, accounts)
    return {
        "date": day.isoformat(),
        "trades": report.trades,
        "tickers": [_as_json(row) for row in report.rows()],
        "input_key": source,
        "output_key": target,
    }


def _report_of(day: dt.date, content: bytes, accounts: frozenset[str] | None = None) -> DayReport:
    """The report of a trades file; a damaged one is no mistake of the caller, so its status is 500."""
    try:
        # A line at a time: a large day as text would be several times its bytes.
        return read_report(day, io.TextIOWrapper(io.BytesIO(content), encoding="utf-8", newline=""), accounts)
    except ValueError as error:
        raise Refusal(500, "damaged_file", f"{object_key('trades', day)}: {error}") from error


def _as_json(row: dict[str, object]) -> dict[str, object]:
    counts = ("ticker", "trades", "buys", "sells")
    return {name: value if name in counts else plain(value) for name, value in row.items() if name != "date"}


# --- S3


class BucketStore:
    """The files of one S3 bucket."""

    def __init__(self, bucket: str, endpoint_url: str | None = None):
        # boto3 takes a fifth of a second to import: the web process, which passes its own store, never pays it.
        import boto3
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError, ClientError

        self.bucket, self.client_error = bucket, ClientError
        self.failures = (BotoCoreError, ClientError)
        # A store that hangs is given up, and told of, within the time that the template gives.
        retries = {"total_max_attempts": 3, "mode": "standard"}
        config = Config(connect_timeout=2, read_timeout=5, retries=retries)
        try:
            self.client = boto3.client("s3", endpoint_url=endpoint_url or None, config=config)
        except (ValueError, BotoCoreError) as error:
            raise StoreError(f"S3 cannot be asked, look at the settings: {type(error).__name__}.") from error

    @classmethod
    def from_environment(cls) -> "BucketStore":
        bucket = os.environ.get("S3_BUCKET_NAME")
        if not bucket:
            raise StoreError("S3_BUCKET_NAME is not set.")
        return cls(bucket, os.environ.get("AWS_S3_ENDPOINT_URL"))

    def read(self, key: str) -> bytes | None:
        try:
            found = self.client.get_object(Bucket=self.bucket, Key=key)
            if found.get("ContentLength", 0) > MAX_DAY_BYTES:
                message = f"{key} has more than {MAX_DAY_BYTES} bytes. POST /analytics/process of the desk analyzes it."
                raise Refusal(502, "day_too_large", message)
            return found["Body"].read()
        except self.failures as error:
            if self._code(error) == "NoSuchKey":
                return None
            raise StoreError(f"S3 did not give {key}: {self._code(error)}.") from error

    def write(self, key: str, content: bytes) -> None:
        try:
            self.client.put_object(Bucket=self.bucket, Key=key, Body=content, ContentType="text/csv; charset=utf-8")
        except self.failures as error:
            raise StoreError(f"S3 did not take {key}: {self._code(error)}.") from error

    def _code(self, error: Exception) -> str:
        if isinstance(error, self.client_error):
            return error.response.get("Error", {}).get("Code", "unknown")
        return type(error).__name__
