"""The one door to the AWS handler: by HTTP at `LAMBDA_API_URL`, or in process where none is set.

The address is a setting; nothing in a request can change it. What comes back is data: no redirect is followed, time
and size are bounded, and only JSON is handed on. Whoever sees only some books says which by a header, and the handler
answers of those alone.
"""

import base64
import hashlib
import json
import logging
import tempfile
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse, IncompleteRead
from pathlib import Path
from urllib.parse import unquote, urlsplit

from django.conf import settings
from django.core.files.base import File
from django.db import connection

from analytics import lake, services
from analytics.lambda_function import ACCOUNTS_HEADER, StoreError, handler
from analytics.revisions import Entries, Overtaken, Tampered, keep
from tradeops.core.outgoing import posted

logger = logging.getLogger(__name__)

# The function says nothing until it is done, and API Gateway itself gives up after 29 s.
READ_SECONDS, WHOLE_SECONDS = 29.5, 30
MAX_ANSWER_BYTES = 6 * 1024 * 1024  # the most that a Lambda can answer
CALLS_AT_ONCE, BUSY_SECONDS = 8, 5
# In process it is the processor of a web process that is used, for some seconds at this size.
MAX_DAY_BYTES = 16 * 1024 * 1024
MAX_ACCOUNTS = 500  # API Gateway takes 10 KiB of headers in all
HEADERS = {
    "Content-Type": "application/json",
    "Accept": "application/json",
    "Accept-Encoding": "identity",
    "User-Agent": "TradeOps",
}

calls = threading.BoundedSemaphore(CALLS_AT_ONCE)
turn = threading.Lock()  # in process one works at a time, and the others wait


@dataclass(frozen=True)
class Answer:
    """What the handler answered: a status and JSON text."""

    status: int
    body: str


class LambdaError(Exception):
    """No answer that could be handed on.

    502 for a bad one and for what is too large to be asked or done here, 503 when too many wait, 504 for a late one.
    """

    def __init__(self, status: int, reason: str, message: str):
        super().__init__(message)
        self.status, self.reason = status, reason


def invoke(body: str, accounts: Iterable[int] | None = None) -> Answer:
    """Have the handler work on `body`, a JSON object as text, and answer of `accounts` or all. Raises LambdaError.

    Call it outside any transaction: it may take WHOLE_SECONDS.
    """
    only = header_of(accounts)
    work = call if settings.LAMBDA_API_URL else call_in_process
    if not calls.acquire(blocking=False):
        raise LambdaError(503, "busy", "Too many calls to the Lambda function are under way. Try again shortly.")
    outcome: Future[Answer] = Future()
    threading.Thread(target=settle, args=(outcome, calls, work, body, only), name="lambda-call", daemon=True).start()
    try:
        # A thread beside it, because neither the look-up of a name nor a store in process has a time-out of its own.
        return outcome.result(WHOLE_SECONDS)
    except TimeoutError:
        raise LambdaError(504, "timeout", f"The Lambda function did not answer within {WHOLE_SECONDS} s.") from None


def header_of(accounts: Iterable[int] | None) -> dict[str, str]:
    """Says which accounts alone to answer of. Raises LambdaError for more than MAX_ACCOUNTS."""
    if accounts is None:
        return {}
    numbers = [str(account) for account in accounts]
    if len(numbers) > MAX_ACCOUNTS:
        message = f"The Lambda function can be asked of at most {MAX_ACCOUNTS} accounts, and you have more."
        raise LambdaError(502, "too_many_accounts", message)
    # Never an empty header, which may be lost on its way and would then mean all.
    return {ACCOUNTS_HEADER: ",".join(numbers) or "none"}


def settle(
    outcome: Future[Answer], place: threading.BoundedSemaphore, work: Callable, body: str, only: dict[str, str]
) -> None:
    """Have the one who waits get what `work` returns or raises, whichever it is."""
    try:
        outcome.set_result(work(body, only))
    except BaseException as error:
        outcome.set_exception(error)
    finally:
        place.release()


# --- in process


class LakeStore:
    """The desk's own lake, as the handler wants its files: what it writes knows the entries of what it has read."""

    def __init__(self):
        self.entries: Entries = {}

    def read(self, key: str) -> bytes | None:
        try:
            file = lake.read(key)
            if file is None:
                return None
            with file:
                content = whole(file)
            self.entries = services.entries_known_by(key, hashlib.sha256(content).hexdigest())
            return content
        except lake.LakeError as error:
            raise StoreError(str(error)) from error

    def write(self, key: str, content: bytes) -> None:
        with tempfile.TemporaryDirectory(prefix="tradeops-") as folder:
            path = Path(folder) / "part"
            path.write_bytes(content)
            try:
                self.keep(key, path, content.count(b"\n") - 1)
            except (lake.LakeError, Tampered) as error:
                raise StoreError(str(error)) from error

    def keep(self, key: str, path: Path, rows: int) -> None:
        """Where another maker of the same day was first, once more after it: nobody else would try again."""
        try:
            keep(key, path, rows, self.entries)
        except Overtaken:
            keep(key, path, rows, self.entries)


def whole(file: File) -> bytes:
    content = file.read(MAX_DAY_BYTES + 1)
    if len(content) > MAX_DAY_BYTES:
        message = f"The day has more than {MAX_DAY_BYTES} bytes of trades. POST /analytics/process analyzes it."
        raise LambdaError(502, "day_too_large", message)
    return content


def call_in_process(body: str, only: dict[str, str]) -> Answer:
    event = {"version": "2.0", "requestContext": {"http": {"method": "POST"}}, "headers": only, "body": body}
    if not turn.acquire(timeout=WHOLE_SECONDS):
        raise TimeoutError  # whoever asked has gone by now
    try:
        answer = handler(event, None, store=LakeStore())
    finally:
        turn.release()
        connection.close()
    return Answer(answer["statusCode"], answer["body"])


# --- by HTTP


def call(body: str, only: dict[str, str]) -> Answer:
    try:
        return fetch(settings.LAMBDA_API_URL, body, only)
    except LambdaError as error:
        logger.warning("The Lambda call failed: %s", error)
        raise


def fetch(url: str, body: str, only: dict[str, str]) -> Answer:
    seconds = {"read_seconds": READ_SECONDS, "whole_seconds": WHOLE_SECONDS}
    try:
        with posted(url, body.encode(), HEADERS | credentials_in(url) | only, **seconds) as answer:
            content = read_bounded(answer)
    except TimeoutError:
        raise LambdaError(504, "timeout", "The Lambda function did not answer in time.") from None
    except (HTTPException, OSError, ValueError) as error:
        # The error's own text holds the address.
        message = f"The Lambda function was not reached: {type(error).__name__}."
        raise LambdaError(502, "unreachable", message) from None
    return checked(answer.status, content)


def credentials_in(url: str) -> dict[str, str]:
    """Says who calls, where the address holds a name and a password."""
    parts = urlsplit(url)
    if parts.username is None:
        return {}
    named = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return {"Authorization": "Basic " + base64.b64encode(named.encode()).decode()}


def read_bounded(answer: HTTPResponse) -> bytes:
    content = answer.read(MAX_ANSWER_BYTES + 1)
    if len(content) > MAX_ANSWER_BYTES:
        raise LambdaError(502, "too_large", f"The Lambda function answered more than {MAX_ANSWER_BYTES} bytes.")
    if answer.length:  # is still to come: the connection ended before the answer did
        raise IncompleteRead(content, answer.length)
    return content


def checked(status: int, content: bytes) -> Answer:
    """The answer, when it is one that can be handed on: a final status and JSON."""
    if not 200 <= status <= 599 or 300 <= status <= 399:
        raise LambdaError(502, "redirect", f"The Lambda function answered {status}, which is not followed.")
    try:
        text = content.decode("utf-8-sig")
        json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        message = f"The Lambda function answered {status} with something that is not JSON."
        raise LambdaError(502, "not_json", message) from None
    return Answer(status, text)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
