"""Files brought into the book over HTTP: whole or not at all, wherever they are wrong, however large they are."""

import contextlib
import http.client
import itertools
import json
import select
import threading
import time
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import requests
from django.conf import settings

from tests.desk import Desk
from tests.proof.ground import Client, Ground, at_once, trader
from tests.proof.memory import peak_bytes, resident_bytes, start_peak, web_process
from tests.proof.register import EMBEDDED, tries
from trades.chain.verification import differences
from trades.models import Account, Activity, ImportBatch, LedgerEntry, Position, Trade

START = datetime(2025, 1, 15, 14, 30, tzinfo=UTC)
HEAD = "ticker,trade_type,quantity,price,executed_at,note\n"
NAMES = HEAD.strip().split(",")
ROWS, BAD_LINES = 10_000, (2, 3, 101, 4096, 10_001)
# column -> what stands there, and the code and a word of the reason with which it is refused
WRONG = {
    "ticker": ("a b", "ticker", "A-Z"),
    "trade_type": ("HOLD", "invalid_choice", "purchase"),
    "quantity": ("0", "min_value", "greater than 0"),
    "price": ("1_000", "invalid", "valid number"),
    "executed_at": ("yesterday", "invalid", "time"),
}
MANY_BAD, LISTED = 150, 100
KILLED_AFTER = (0.15, 0.35, 0.55, 0.75, 0.95)  # of the time that an import takes
MOST_ANSWERED = 2  # of the kills, so that most are in mid-import
SENT_AT_ONCE = 4
TRIED = "a bad row at line 2 to 10,001 of 10,000; one file twice, and 4 times at once; 5 kills -9 in mid-import: over "


def rows_of(count: int, wrong: dict[int, tuple[str, str]] | None = None, note: str = "x") -> Iterator[bytes]:
    """A file of `count` trades, line by line; `wrong` puts a text into a column of a line, the head being line 1."""
    yield HEAD.encode()
    for number in range(count):
        when = f"{START + timedelta(seconds=number):%Y-%m-%dT%H:%M:%SZ}"
        fields = [f"T{number % 5}", "SELL" if number % 3 == 2 else "BUY", str(number % 7 + 1), "10.25", when, note]
        if wrong and number + 2 in wrong:
            column, text = wrong[number + 2]
            fields[NAMES.index(column)] = text
        yield (",".join(fields) + "\n").encode()


def file_of(count: int, wrong: dict[int, tuple[str, str]] | None = None) -> bytes:
    return b"".join(rows_of(count, wrong))


def bring(client: Client, account: Account, content, key: str | None = None) -> requests.Response:
    headers = {"Content-Type": "text/csv"} | ({"Idempotency-Key": key} if key else {})
    return client.call("POST", f"/trades/import?account={account.pk}", data=content, headers=headers)


# All or nothing ------------------------------------------------------------------------------


@tries("P11", TRIED + "serve_http and PostgreSQL", minutes=10)
def an_import_is_whole_on_postgresql(ground: Ground) -> str:
    return all_or_nothing(ground.serve_http())


@tries("P11", "the same over a whole desk of one process and SQLite", world=EMBEDDED, minutes=10)
def an_import_is_whole_on_sqlite(ground: Ground) -> str:
    return all_or_nothing(ground.bare())


def all_or_nothing(desk: Desk) -> str:
    user, account = trader("alice")
    client = Client(user, desk.url)
    for line, column in itertools.product(BAD_LINES, WRONG):
        refuse_at(client, account, line, column)
    refuse_many(client, account)
    refuse_short(desk)
    kept = [model.objects.count() for model in (Trade, Activity, LedgerEntry, Position, ImportBatch)]
    assert not any(kept), f"a refused file left rows: {kept}"
    took = bring_twice(client, account)
    bring_at_once(desk)
    whole, answered = kill_all(desk, took)
    assert list(differences()) == []
    refused = len(BAD_LINES) * len(WRONG)
    return (
        f"{refused} bad rows named by line, column and reason, nothing imported; again {ROWS:,} duplicates; of "
        f"{len(KILLED_AFTER)} killed imports {whole} were whole ({answered} answered before) and "
        f"{len(KILLED_AFTER) - whole} not there, each sent again was there once"
    )


def refuse_at(client: Client, account: Account, line: int, column: str) -> None:
    text, code, word = WRONG[column]
    answer = bring(client, account, file_of(ROWS, {line: (column, text)}))
    assert answer.status_code == 422, f"{column} {text!r} at line {line} is {answer.status_code}: {answer.text[:200]}"
    told = answer.json()
    (fault,) = told["errors"]
    named = {name: fault[name] for name in ("row", "column", "field", "code", "value")}
    wanted = {"row": line, "column": column, "field": column, "code": code, "value": text}
    assert named == wanted and word in fault["message"], f"line {line}, {column} is named as {fault}"
    assert (told["error_count"], told["bad_rows"]) == (1, 1), told


def refuse_many(client: Client, account: Account) -> None:
    """Of many bad rows all are counted and the first are listed."""
    lines = range(50, 50 + 60 * MANY_BAD, 60)
    told = bring(client, account, file_of(ROWS, dict.fromkeys(lines, ("price", "x")))).json()
    assert (told["status"], told["error_count"], told["bad_rows"]) == (422, MANY_BAD, MANY_BAD), str(told)[:300]
    assert [fault["row"] for fault in told["errors"]] == list(lines)[:LISTED]


def refuse_short(desk: Desk) -> None:
    """A rule of the book is broken by a row of the file, and by no cell of it."""
    user, account = trader("careful", allows_short=False)
    rows = [
        "KO,BUY,5,60,2025-01-15T14:30:00Z,",
        "KO,SELL,6,60,2025-01-15T14:31:00Z,",
        "PG,BUY,1,60,2025-01-15T14:32:00Z,",
        "",
    ]
    told = bring(Client(user, desk.url), account, (HEAD + "\n".join(rows)).encode()).json()
    named = [(fault["row"], fault["code"]) for fault in told["errors"]]
    assert (told["status"], named) == (422, [(3, "short_not_allowed")]), str(told)[:300]


def bring_twice(client: Client, account: Account) -> float:
    """Brings a file twice; the seconds that the first took."""
    content, begun = file_of(ROWS), time.monotonic()
    first = bring(client, account, content).json()
    took = time.monotonic() - begun
    second = bring(client, account, content).json()
    counts = [(told["imported"], told["duplicates"]) for told in (first, second)]
    assert counts == [(ROWS, 0), (0, ROWS)], counts
    check_there_once(account)
    return took


def bring_at_once(desk: Desk) -> None:
    user, account = trader("hasty")
    content, clients = file_of(1000), [Client(user, desk.url) for _ in range(SENT_AT_ONCE)]
    answers = at_once([lambda one=one: bring(one, account, content).json() for one in clients], SENT_AT_ONCE)
    assert sorted(told["imported"] for told in answers) == [0] * (SENT_AT_ONCE - 1) + [1000], answers
    check_there_once(account, 1000)


def check_there_once(account: Account, count: int = ROWS) -> None:
    there = (Trade.objects.filter(account=account).count(), LedgerEntry.objects.filter(account=account).count())
    assert there == (count, 1), f"{there[0]} trades under {there[1]} entries"


# Killed ------------------------------------------------------------------------------------------


def kill_all(desk: Desk, took: float) -> tuple[int, int]:
    """How many killed imports were whole, and how many of them had been answered before."""
    found = [kill_in_mid_import(desk, number, part * took) for number, part in enumerate(KILLED_AFTER)]
    whole, answered = (sum(column) for column in zip(*found, strict=True))
    assert answered <= MOST_ANSWERED, f"{answered} imports were done before they were to be killed"
    return whole, answered


def kill_in_mid_import(desk: Desk, number: int, seconds: float) -> tuple[bool, bool]:
    """Kills the web process so long after an import was sent; whether it is there, and was answered before."""
    user, account = trader(f"killed-{number}")
    client, content, answers = Client(user, desk.url), file_of(ROWS), []

    def send() -> None:
        with contextlib.suppress(requests.ConnectionError):
            answers.append(client.request("POST", **request_of(desk, account, content)))

    sender = threading.Thread(target=send)
    sender.start()
    time.sleep(seconds)
    desk.kill()
    sender.join()
    desk.start()
    is_whole = check_none_or_all(account)
    assert is_whole or not answers, "an import that was answered is not there"
    asked = request_of(desk, account, content)
    again = client.repeat("POST", asked["url"].removeprefix(desk.url), data=content, headers=asked["headers"])
    assert again.status_code == 200, f"sent again: {again.status_code} {again.text[:200]}"
    check_there_once(account)
    return is_whole, bool(answers)


def request_of(desk: Desk, account: Account, content: bytes) -> dict:
    headers = {"Content-Type": "text/csv", "Idempotency-Key": "again-and-again"}
    return {"url": f"{desk.url}/trades/import?account={account.pk}", "data": content, "headers": headers}


def check_none_or_all(account: Account) -> bool:
    trades = Trade.objects.filter(account=account).count()
    assert trades in (0, ROWS), f"{trades} of {ROWS} rows are there after a kill"
    is_whole = trades == ROWS
    for model in (LedgerEntry, Position, ImportBatch):
        assert model.objects.filter(account=account).exists() == is_whole, f"{model.__name__} after a kill"
    return is_whole


# However large -----------------------------------------------------------------------------------


LARGE_ROWS, LARGE_NOTE, LARGE_BYTES = 106_000, "x" * 1860, 200_000_000
SHORT_ROWS, SHORT_NOTE = 1_000_000, "x" * 152
# Of what is sent on while the refusal is on its way.
GROWTH_BYTES, SLACK_BYTES = 60_000_000, 64_000_000
BOMB_MEGABYTES = 2000
ENCODINGS = ("gzip", "deflate", "br", "zstd", "gzip, identity", "x-gzip")
LARGE_TRIED = (
    "200 MB imported, and refused for its last row, the peak of the web process's memory against before; an announced "
    "and an endless body over the limit; packed bodies and a bomb as a file: "
)
SHORT_TRIED = "a million rows of 188 bytes in 5 tickers looked ahead at, imported, and sent again: "


@tries("P12", LARGE_TRIED + "serve_http and PostgreSQL", minutes=10)
def memory_is_flat_on_postgresql(ground: Ground) -> str:
    return memory_is_flat(ground, ground.serve_http())


@tries("P12", "the same over a whole desk of one process and SQLite", world=EMBEDDED, minutes=10)
def memory_is_flat_on_sqlite(ground: Ground) -> str:
    return memory_is_flat(ground, ground.bare())


def warmed_up(desk: Desk) -> tuple[Client, Account, int]:
    """A client, its book, and the web process, in which what an import needs once is there before it is measured."""
    user, account = trader("alice")
    client = Client(user, desk.url)
    for _ in range(3):
        assert bring(client, account, file_of(ROWS)).status_code == 200
    return client, account, web_process(desk)


def memory_is_flat(ground: Ground, desk: Desk) -> str:
    client, account, web = warmed_up(desk)
    growth = {}
    with watched(web, growth, "200 MB"):
        megabytes = bring_large(ground, client, account)
    with watched(web, growth, "bodies over the limit"):
        refuse_long_bodies(desk, client)
    with watched(web, growth, "bombs"):
        refuse_packed(desk, client, account)
    told = told_growth(growth)
    return f"{megabytes} MB read, {LARGE_ROWS:,} rows imported; the process's peak rose by {told}; all others refused"


def told_growth(growth: dict[str, int]) -> str:
    """By how much the peak rose for what. Raises AssertionError for too much."""
    told = ", ".join(f"{max(grown, 0) / 1e6:.0f} MB for {what}" for what, grown in growth.items())
    assert max(growth.values()) < GROWTH_BYTES, f"the web process grew by {told}"
    return told


@tries("P12", SHORT_TRIED + "serve_http on PostgreSQL", minutes=9)
def memory_is_flat_for_short_rows_on_postgresql(ground: Ground) -> str:
    return memory_is_flat_for_short_rows(ground, ground.serve_http())


@tries("P12", SHORT_TRIED + "a whole desk on SQLite", world=EMBEDDED, minutes=9)
def memory_is_flat_for_short_rows_on_sqlite(ground: Ground) -> str:
    return memory_is_flat_for_short_rows(ground, ground.bare())


def memory_is_flat_for_short_rows(ground: Ground, desk: Desk) -> str:
    client, account, web = warmed_up(desk)
    file, growth = ground.folder / "short.csv", {}
    with file.open("wb") as made:
        made.writelines(rows_of(SHORT_ROWS, note=SHORT_NOTE))
    # The rows of the warming up are its first ones.
    for what, query, imported in (
        ("a look ahead", "&dry_run=true", SHORT_ROWS - ROWS),
        ("the import", "", SHORT_ROWS - ROWS),
        ("the same file again", "", 0),
    ):
        with watched(web, growth, what):
            told = bring_file(client, account, file, query).json()
        assert told["imported"] == imported, str(told)[:300]
    return f"{file.stat().st_size / 1e6:.0f} MB; the process's peak rose by {told_growth(growth)}"


@contextlib.contextmanager
def watched(web: int, growth: dict[str, int], what: str) -> Iterator[None]:
    """Notes by how much the most that the process held, while `what` was done, was above what it held before."""
    before = resident_bytes(web)
    start_peak(web)
    yield
    growth[what] = peak_bytes(web) - before


def bring_large(ground: Ground, client: Client, account: Account) -> int:
    """Brings 200 MB with a bad last row, and again without it; how many MB that were each time."""
    file, last = ground.folder / "large.csv", LARGE_ROWS + 1
    for wrong in ({last: ("price", "x")}, None):
        with file.open("wb") as made:
            made.writelines(rows_of(LARGE_ROWS, wrong, note=LARGE_NOTE))
        assert file.stat().st_size >= LARGE_BYTES, f"{file.stat().st_size} bytes"
        answer = bring_file(client, account, file)
        if wrong:
            assert answer.status_code == 422 and answer.json()["errors"][0]["row"] == last, answer.text[:300]
        else:
            told = answer.json()
            assert told["imported"] + told["duplicates"] == LARGE_ROWS, answer.text[:300]
    return round(file.stat().st_size / 1e6)


def bring_file(client: Client, account: Account, file: Path, query: str = "") -> requests.Response:
    address = f"{next(client.addresses)}/trades/import?account={account.pk}{query}"
    with file.open("rb") as upload:
        return client.post(address, data=upload, headers={"Content-Type": "text/csv"}, timeout=400)


def refuse_long_bodies(desk: Desk, client: Client) -> None:
    """One byte too many is refused by its announcement; a body without one when the limit is reached."""
    token = {"Authorization": client.headers["Authorization"]}
    for path, kind, limit in (
        ("/trades/import", "text/csv", settings.IMPORT_MAX_BYTES),
        ("/algorithm/run", "text/csv", settings.UPLOAD_MAX_BYTES),
        ("/trades/", "application/json", settings.JSON_MAX_BYTES),
    ):
        announced = token | {"Content-Type": kind, "Content-Length": str(limit + 1)}
        assert status_before_body(desk, path, announced) == 413, f"{path}: an announced body"
        sent, status = send_endlessly(desk, path, token | {"Content-Type": kind, "Transfer-Encoding": "chunked"}, limit)
        assert status == 413, f"{path}: an endless body is {status}"
        assert sent <= limit + SLACK_BYTES, f"{path}: {sent} bytes were taken"


def status_before_body(desk: Desk, path: str, headers: dict[str, str]) -> int:
    """The answer to a request of which only the head is sent."""
    connection = http.client.HTTPConnection("127.0.0.1", desk.port, timeout=30)
    with contextlib.closing(connection):
        connection.putrequest("POST", path)
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.endheaders()
        return connection.getresponse().status


def send_endlessly(desk: Desk, path: str, headers: dict[str, str], limit: int) -> tuple[int, int]:
    """Sends a body in chunks until it is refused; how many bytes went, and the status."""
    connection, chunk, sent = http.client.HTTPConnection("127.0.0.1", desk.port, timeout=60), b"x" * 1_000_000, 0
    with contextlib.closing(connection):
        connection.putrequest("POST", path)
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.endheaders()
        with contextlib.suppress(OSError):  # the server hangs up
            while sent <= limit + 2 * SLACK_BYTES:
                if is_answered(connection):
                    break
                connection.send(b"%x\r\n" % len(chunk) + chunk + b"\r\n")
                sent += len(chunk)
        return sent, connection.getresponse().status


def is_answered(connection: http.client.HTTPConnection) -> bool:
    """Whether there is something to read, without waiting for it."""
    return bool(select.select([connection.sock], [], [], 0)[0])


def refuse_packed(desk: Desk, client: Client, account: Account) -> None:
    """Packed bodies are not unpacked; a bomb in the place of a file is no CSV."""
    packed = bomb()
    for encoding in ENCODINGS:
        headers = {"Content-Type": "text/csv", "Content-Encoding": encoding}
        answer = client.call("POST", f"/trades/import?account={account.pk}", data=packed, headers=headers)
        assert answer.status_code == 415, f"Content-Encoding {encoding} is {answer.status_code}"
    for name in ("rows.csv", "rows.csv.gz", "rows.zip"):
        files = {"file": (name, packed, "application/gzip", {"Content-Encoding": "gzip"})}
        answer = client.call("POST", f"/trades/import?account={account.pk}", files=files)
        assert answer.status_code == 422, f"{name} is {answer.status_code}: {answer.text[:200]}"
        assert json.loads(answer.text)["errors"], answer.text[:200]


def bomb() -> bytes:
    """Some MB that unpack to a thousand times as many."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    megabyte = b"T,BUY,1,1,2025-01-15\n" * 50_000
    return b"".join(packer.compress(megabyte) for _ in range(BOMB_MEGABYTES)) + packer.flush()
