"""Files that come in and go out: imports, exports, price files."""

import csv
import io
import random
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from django.test import Client as Browser

from tests.factories import book, make_account, make_user
from tests.proof.ground import Ground, trader
from tests.proof.register import EMBEDDED, not_yet, tries
from tests.proof.suite import ROOT, passed_tests
from trades.chain.verification import differences
from trades.importing.faults import FileRefused
from trades.importing.services import import_file
from trades.models import Account, ImportBatch, LedgerEntry, Position, Trade

START = datetime(2025, 1, 15, 14, 30, tzinfo=UTC)
HEAD = "ticker,trade_type,quantity,price,executed_at,note\n"
BAD_LINES, ROWS = (2, 3, 101, 4096, 10_001), 10_000
KILLED_AFTER = (0.2, 0.5, 0.8, 1.1, 2.0)  # of the time that an import takes
WRONG = {"quantity": "0", "price": "1_000", "trade_type": "HOLD", "executed_at": "yesterday", "ticker": "a b"}
LEDGERS, TRADES_EACH, PRICE_FILES = 100, 8, 30
UNSAFE_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")


def rows_of(count: int, wrong: dict[int, tuple[str, str]] | None = None) -> bytes:
    """A file of `count` trades; `wrong` puts a text into a column of a line, the head being line 1."""
    names, lines = HEAD.strip().split(","), [HEAD]
    for number in range(count):
        when = (START + timedelta(seconds=number)).isoformat()
        fields = [f"T{number % 5}", "SELL" if number % 3 == 2 else "BUY", str(number % 7 + 1), "10.25", when, "x"]
        if wrong and number + 2 in wrong:
            column, text = wrong[number + 2]
            fields[names.index(column)] = text
        lines.append(",".join(fields) + "\n")
    return "".join(lines).encode()


def bring(account: Account, content: bytes) -> ImportBatch:
    batch = ImportBatch(account=account, actor=account.owner, file_name="rows.csv", options={})
    return import_file(batch, io.BytesIO(content), actor=account.owner).batch


# All or nothing ------------------------------------------------------------------------------


@tries("P11", "a bad row at line 2 to 10,001 of 10,000; one file twice; 5 kills -9 in mid-import", minutes=10)
def an_import_is_all_or_nothing(ground: Ground) -> str:
    _, account = trader("alice")
    for line in BAD_LINES:
        for column, text in WRONG.items():
            refuse_at(account, line, column, text)
    assert not LedgerEntry.objects.exists(), "a refused file left an entry"
    begun = time.monotonic()
    first = bring(account, rows_of(ROWS))
    took = time.monotonic() - begun
    second = bring(account, rows_of(ROWS))
    assert (first.imported_count, second.imported_count, second.duplicate_count) == (ROWS, 0, ROWS)
    assert (Trade.objects.count(), LedgerEntry.objects.count()) == (ROWS, 1)
    whole = [kill_in_mid_import(number, part * took) for number, part in enumerate(KILLED_AFTER)]
    found = list(differences())
    assert found == [], found[0]
    refused = len(BAD_LINES) * len(WRONG)
    return (
        f"{refused} bad rows named by line and column, nothing imported; the second time {ROWS:,} duplicates; of "
        f"{len(whole)} killed imports {whole.count(True)} were whole and {whole.count(False)} not there"
    )


def refuse_at(account: Account, line: int, column: str, text: str) -> None:
    try:
        bring(account, rows_of(ROWS, {line: (column, text)}))
    except FileRefused as refusal:
        (fault,) = refusal.faults.listed
        assert (fault.row, fault.column) == (line, column), f"line {line}, {column} is named as {fault}"
        assert fault.message and fault.value == text, f"line {line}: {fault}"
        return
    raise AssertionError(f"{column} {text!r} at line {line} was taken")


# A process that imports the file on its standard input, says that it begins, and is killed.
IMPORTER = """
import io, sys
import django
django.setup()
from tests.proof.files import bring
from trades.models import Account
content = sys.stdin.buffer.read()
print("begins", flush=True)
bring(Account.objects.get(pk=int(sys.argv[1])), content)
print("done", flush=True)
"""


def kill_in_mid_import(number: int, seconds: float) -> bool:
    """Kills an import so long after it began; whether it is there. A half of it is not."""
    _, account = trader(f"killed-{number}")
    command = [sys.executable, "-c", IMPORTER, str(account.pk)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT) as process:
        process.stdin.write(rows_of(ROWS))
        process.stdin.close()
        assert process.stdout.readline() == b"begins\n", "the import did not begin"
        time.sleep(seconds)
        process.send_signal(signal.SIGKILL)
    rows = Trade.objects.filter(account=account).count()
    assert rows in (0, ROWS), f"{rows} of {ROWS} rows are there after a kill"
    assert Position.objects.filter(account=account).exists() == (rows == ROWS)
    return rows == ROWS


# Out and in again ------------------------------------------------------------------------------


@tries("P14", "100 random ledgers with hostile notes, exported, read as a spreadsheet would, imported", minutes=8)
def exports_come_back(ground: Ground) -> str:
    source, cells = random.Random(7), 0
    for number in range(LEDGERS):
        owner = make_user(f"user-{number}")
        account, other = make_account(owner, "From"), make_account(owner, "To")
        for minute in range(TRADES_EACH):
            hostile_trade(account, source, minute, number)
        content = exported(account)
        cells += check_cells(content)
        bring(other, content)
        told, found = told_of(account), told_of(other)
        assert told == found, first_difference(told, found)
        assert positions_of(account) == positions_of(other), f"ledger {number}: the positions differ"
    return f"{LEDGERS} ledgers of {TRADES_EACH} trades came back the same; of {cells:,} cells of text none is a formula"


ALPHABET = [*"=+-@\t'\",;\n|%aZ0 é\u202e😀", "\r\n"]
FORMULAS = ('=HYPERLINK("http://evil.example","x")', "@SUM(1+1)*cmd|' /C calc'!A0", "+1", "-1+1", "'=1")


def hostile_text(source: random.Random, longest: int) -> str:
    text = "".join(source.choice(ALPHABET) for _ in range(source.randint(0, longest)))
    return source.choice([text, text, source.choice(FORMULAS)[:longest]])


def hostile_trade(account: Account, source: random.Random, minute: int, number: int) -> None:
    one_line = str.maketrans("", "", "\r\n\t")
    tags = [hostile_text(source, 10).translate(one_line).replace(",", "").strip() for _ in range(source.randint(0, 3))]
    tags = list(dict.fromkeys(tag for tag in tags if tag))
    book(
        account,
        source.choice(["BUY", "SELL"]),
        str(Decimal(source.randint(1, 10**9)) / 10**6),
        str(Decimal(source.randint(1, 10**9)) / 10**4),
        ticker=source.choice(["AAA", "BBB"]),
        fees=str(Decimal(source.randint(0, 999)) / 100),
        executed_at=START + timedelta(minutes=source.randint(0, 5)),
        note=hostile_text(source, 40),
        strategy=hostile_text(source, 20).translate(one_line).strip(),
        tags=f",{','.join(tags)}," if tags else "",
        client_trade_id=source.choice([None, f"={number}-{minute}", f"+{number}-{minute}", f"'{number}-{minute}"]),
    )


def exported(account: Account) -> bytes:
    browser = Browser(headers={"Host": "127.0.0.1"})
    browser.force_login(account.owner)
    answer = browser.get(f"/trades/?format=csv&account={account.pk}")
    assert answer.status_code == 200
    return b"".join(answer)


def check_cells(content: bytes) -> int:
    """How many cells of a user's text there are; none may begin as a formula does."""
    count = 0
    for row in csv.DictReader(io.StringIO(content.decode(), newline="")):
        for name in ("strategy", "tags", "note", "client_trade_id"):
            assert not row[name].startswith(UNSAFE_STARTS), f"{name} begins as a formula: {row[name]!r}"
            count += 1
    return count


TOLD = (
    "instrument_id", "side", "quantity", "price", "fees", "executed_at", "strategy", "tags", "note", "client_trade_id",
)  # fmt: skip


def told_of(account: Account) -> list[tuple]:
    return list(Trade.objects.current().filter(account=account).in_order().values_list(*TOLD))


def first_difference(told: list, found: list) -> str:
    pairs = ((one, other) for one, other in zip(told, found, strict=False) if one != other)
    return "; ".join(f"{one} came back as {other}" for one, other in pairs)[:600] or f"{len(told)} rows, {len(found)}"


def positions_of(account: Account) -> list[tuple]:
    names = ("instrument_id", "quantity", "cost_basis", "realized_pnl", "fees")
    return list(Position.objects.filter(account=account).order_by("instrument_id").values_list(*names))


# Price files ------------------------------------------------------------------------------------


@tries("P13", "twins of one price file (BOM, CRLF, quoted, reversed …); files with two prices or none", world=EMBEDDED)
def a_backtest_is_never_quietly_wrong(ground: Ground) -> str:
    twins = passed_tests(ground, "tests/strategies/test_prices.py", words="twins")
    hostile = passed_tests(ground, "tests/strategies/test_prices.py", words="hostile")
    passed_tests(ground, "tests/strategies/test_api.py", words="too_few_bars")
    assert twins + hostile >= PRICE_FILES, f"{twins + hostile} files"
    return f"{twins} twins read alike to the last bit, {hostile} files refused with row and column"


not_yet("P12", "no upload of 200 MB is sent while the memory of the web process is watched")
