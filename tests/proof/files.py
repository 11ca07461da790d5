"""Files that go out and come in again: exports of the book, price files."""

import csv
import io
import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from django.test import Client as Browser

from tests.factories import act, book, make_account, make_user
from tests.proof.ground import Ground
from tests.proof.register import EMBEDDED, tries
from tests.proof.suite import passed_tests
from trades.chain.verification import differences
from trades.export import book_pages
from trades.importing.services import import_file
from trades.models import Account, Activity, ImportBatch, Position, Trade

START = datetime(2025, 1, 15, 14, 30, tzinfo=UTC)
LEDGERS, TRADES_EACH, ACTIVITIES_EACH, PRICE_FILES = 100, 8, 3, 30
UNSAFE_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")


def bring_in(account: Account, content: bytes) -> ImportBatch:
    batch = ImportBatch(account=account, actor=account.owner, file_name="rows.csv", options={})
    return import_file(batch, io.BytesIO(content), actor=account.owner).batch


# Out and in again ------------------------------------------------------------------------------


TRIED = "100 random ledgers with hostile notes, exported with and without activities, read as a spreadsheet would, "


@tries("P14", TRIED + "imported, on PostgreSQL", minutes=8)
def exports_come_back_on_postgresql(ground: Ground) -> str:
    return exports_come_back()


@tries("P14", "the same on SQLite", world=EMBEDDED, minutes=8)
def exports_come_back_on_sqlite(ground: Ground) -> str:
    return exports_come_back()


def exports_come_back() -> str:
    source, cells, owner = random.Random(7), 0, make_user("alice")
    for number in range(LEDGERS):
        account, other = (make_account(owner, f"{name} {number}") for name in ("From", "To"))
        for minute in range(TRADES_EACH):
            hostile_trade(account, source, minute, number)
        is_whole_book = bool(number % 2)
        for _ in range(ACTIVITIES_EACH * is_whole_book):
            hostile_activity(account, source)
        content = b"".join(book_pages(account)) if is_whole_book else exported(account)
        cells += check_cells(content)
        bring_in(other, content)
        for tell in (trades_of, activities_of, positions_of):
            told, found = tell(account), tell(other)
            assert told == found, f"ledger {number}: {first_difference(told, found)}"
        assert bring_in(other, content).imported_count == 0, f"ledger {number} came in twice"
    assert list(differences()) == []
    return (
        f"{LEDGERS} ledgers of {TRADES_EACH} trades, half with {ACTIVITIES_EACH} activities, came back the same; of "
        f"{cells:,} cells of text none is a formula"
    )


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


def hostile_activity(account: Account, source: random.Random) -> None:
    amount = str(Decimal(source.randint(1, 10**9)) / 10**4)
    kind, values = source.choice(
        [
            ("deposit", {"amount": amount}),
            ("fee", {"amount": amount}),
            ("dividend", {"ticker": "AAA", "amount_per_unit": "0.1234"}),
            ("split", {"ticker": "BBB", "ratio_new": 2, "ratio_old": 1}),
        ]
    )
    at = START + timedelta(minutes=source.randint(0, 5))
    act(account, kind, effective_at=at, note=hostile_text(source, 40), **values)


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


def trades_of(account: Account) -> list[tuple]:
    return list(Trade.objects.current().filter(account=account).in_order().values_list(*TOLD))


def activities_of(account: Account) -> list[tuple]:
    return list(Activity.objects.current().filter(account=account).in_order().values_list(*Activity.CONTENT))


def first_difference(told: list, found: list) -> str:
    pairs = ((one, other) for one, other in zip(told, found, strict=False) if one != other)
    return "; ".join(f"{one} came back as {other}" for one, other in pairs)[:600] or f"{len(told)} rows, {len(found)}"


def positions_of(account: Account) -> list[tuple]:
    names = ("instrument_id", "quantity", "cost_basis", "realized_pnl", "fees")
    return list(Position.objects.filter(account=account).order_by("instrument_id").values_list(*names))


# Price files ------------------------------------------------------------------------------------


@tries("P13", "twins of one price file (BOM, CRLF, quoted, reversed …); files with two prices or none", world=EMBEDDED)
def a_backtest_is_never_quietly_wrong(ground: Ground) -> str:
    twins = passed_tests(ground, "tests/strategies/test_prices.py", least=10, words="twins")
    hostile = passed_tests(ground, "tests/strategies/test_prices.py", least=PRICE_FILES, words="hostile")
    run = passed_tests(
        ground, "tests/strategies/test_api.py", least=PRICE_FILES, words="twins or hostile or too_few_bars"
    )
    return (
        f"{twins} twins read alike to the last bit, {hostile} files refused with row and column; by {run} tests of the "
        "address the twins' results are equal, the files refused, too few bars told"
    )
