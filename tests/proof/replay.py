"""Position = replay: whatever was booked, corrected, voided and imported, each stored position is the fold of its
ledger, and what a brute-force model says, to the last digit."""

import io
import itertools
import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import partial

from django.db import transaction
from django.utils import timezone
from hypothesis import HealthCheck, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.factories import make_account, make_user
from tests.proof import model
from tests.proof.ground import Ground, at_once, trader
from tests.proof.register import EMBEDDED, tries
from tests.proof.table import spelled
from tradeops.core.api import Conflict
from trades.accounts.cash import cash_by_account
from trades.chain.verification import account_differences, differences
from trades.importing.faults import FileRefused
from trades.importing.services import import_file, undo_import
from trades.models import Activity, ImportBatch, Lot, Position, Trade
from trades.services import book_activity, book_trade, correct_version, void_version

START = datetime(2025, 1, 15, 14, 30, tzinfo=UTC)
EXAMPLES, SHARES, STEPS, THREADS, WRITES = 200, 8, 30, 8, 40
METHODS = ("fifo", "lifo", "hifo", "average_cost")
TICKERS = ("AAA", "BBB", "CCC")

minutes = st.integers(0, 20)
tickers = st.sampled_from(TICKERS[:2])
quantities = st.sampled_from(["1", "3", "7.5", "100", "0.004"])
prices = st.integers(1, 99999).map(lambda cents: str(Decimal(cents) / 100))
fees = st.sampled_from(["0", "1", "0.35"])
fills = st.fixed_dictionaries(
    {"kind": st.sampled_from(["buy", "sell"]), "ticker": tickers, "quantity": quantities, "price": prices, "fees": fees}
)
amounts = st.fixed_dictionaries({"amount": prices})
per_unit = st.fixed_dictionaries({"ticker": tickers, "amount_per_unit": st.sampled_from(["0.5", "0.0123", "250"])})
ACTIVITIES = {
    "deposit": amounts,
    "withdrawal": amounts,
    "interest": amounts,
    "fee": amounts,
    "dividend": per_unit,
    "return_of_capital": per_unit,
    "split": st.fixed_dictionaries({"ticker": tickers, "ratio": st.sampled_from([(2, 1), (4, 1), (3, 2)])}),
    "reverse_split": st.fixed_dictionaries(
        {"ticker": tickers, "ratio": st.sampled_from([(1, 2), (2, 5)]), "cash_in_lieu_price": st.none() | prices}
    ),
    "symbol_change": st.sampled_from([{"ticker": "AAA", "new_ticker": "CCC"}, {"ticker": "BBB", "new_ticker": "AAA"}]),
    "transfer_in": st.fixed_dictionaries({"ticker": tickers, "quantity": quantities, "cost_basis": prices}),
    "transfer_out": st.fixed_dictionaries({"ticker": tickers, "quantity": quantities}),
    # Between methods that keep lots a change says nothing about what the lots cost.
    "method_change": st.fixed_dictionaries({"pnl_method": st.sampled_from(METHODS[:3])}),
}
MOST_SPLITS = 2  # so that every quantity of the model ends within 12 decimals
activities = st.sampled_from(sorted(ACTIVITIES)).flatmap(
    lambda kind: ACTIVITIES[kind].map(lambda values: {"kind": kind} | values)
)
KEPT = ("quantity", "cost_basis", "realized_pnl", "income", "fees")
OPTIONS: dict = {}  # of an import: as files usually are
numbers = itertools.count(1)
made = Counter()


def moment(minute: int) -> datetime:
    return START + timedelta(minutes=minute)


class Book(RuleBasedStateMachine):
    """The real book beside a list of what each trade and activity says now."""

    def __init__(self):
        super().__init__()
        self.says: dict[int, dict] = {}
        self.batches: list[ImportBatch] = []

    @initialize(method=st.sampled_from(METHODS), allows_short=st.booleans())
    def open_account(self, method, allows_short):
        self.user = make_user(f"user-{next(numbers)}")
        self.account = make_account(self.user, pnl_method=method, allows_short=allows_short)
        self.method, self.allows_short = method, allows_short

    # What is done -----------------------------------------------------------------------

    @rule(fill=fills, minute=minutes)
    def book_a_trade(self, fill, minute):
        self.attempt("trade", lambda: book_trade(trade_of(self.account, fill, minute), actor=self.user), fill, minute)

    @precondition(lambda self: self.says)
    @rule(activity=activities, minute=minutes)
    def book_an_activity(self, activity, minute):
        if self.is_left_out(activity):
            return
        row = activity_of(self.account, activity, minute)
        self.attempt("activity", lambda: book_activity(row, actor=self.user), activity, minute)

    @precondition(lambda self: any(is_fill(said) for said in self.says.values()))
    @rule(data=st.data(), quantity=quantities, price=prices, ticker=tickers, minute=minutes)
    def correct_a_trade(self, data, quantity, price, ticker, minute):
        identity = data.draw(st.sampled_from(sorted(key for key, said in self.says.items() if is_fill(said))))
        changes = {"quantity": quantity, "price": price, "ticker": ticker}
        values = {"quantity": Decimal(quantity), "price": Decimal(price), "instrument_id": ticker}
        row = Trade.objects.current().get(trade_id=identity)
        self.change(row, values | {"executed_at": moment(minute)}, self.says[identity] | changes, minute)

    @precondition(lambda self: any(not is_fill(said) for said in self.says.values()))
    @rule(data=st.data(), minute=minutes)
    def correct_an_activity(self, data, minute):
        identity = data.draw(st.sampled_from(sorted(key for key, said in self.says.items() if not is_fill(said))))
        row = Activity.objects.current().get(activity_id=identity)
        self.change(row, {"effective_at": moment(minute)}, self.says[identity], minute)

    @precondition(lambda self: self.says)
    @rule(data=st.data())
    def void_one(self, data):
        identity = data.draw(st.sampled_from(sorted(self.says)))
        kind, name = (Trade, "trade_id") if is_fill(self.says[identity]) else (Activity, "activity_id")
        row = kind.objects.current().get(**{name: identity})
        after = {key: said for key, said in self.says.items() if key != identity}
        if self.expect(after, lambda: void_version(row, actor=self.user)):
            made["void"] += 1
            self.says = after

    @rule(rows=st.lists(st.tuples(fills, minutes), min_size=1, max_size=4))
    def import_a_file(self, rows):
        batch = ImportBatch(account=self.account, actor=self.user, file_name="rows.csv", options=OPTIONS)
        # What the import will number the rows by is told by the book; for the forecast they come last of their minute.
        forecast = self.says | {10**9 + n: fill | {"at": minute} for n, (fill, minute) in enumerate(rows)}
        content = csv_of(rows, next(numbers)).encode()
        if self.expect(forecast, lambda: import_file(batch, io.BytesIO(content), actor=self.user)):
            new = Trade.objects.filter(entry=batch.entry).order_by("trade_id")
            assert new.count() == len(rows)
            # Equal minutes go by id, and the ids of one file follow its rows.
            self.says |= {row.trade_id: said_by(row) for row in new}
            self.batches.append(batch)
            made["import"] += 1

    @precondition(lambda self: self.batches)
    @rule()
    def undo_an_import(self):
        batch = self.batches.pop()
        gone = set(batch.entry.trade_versions.values_list("trade_id", flat=True))
        after = {key: said for key, said in self.says.items() if key not in gone}
        if self.expect(after, lambda: undo_import(batch, actor=self.user)):
            self.says = after
            made["undo"] += 1

    # How it is done ---------------------------------------------------------------------------

    def attempt(self, what: str, write, said: dict, minute: int) -> None:
        said = plain_of(said, minute)
        done = self.expect(self.says | {10**9: said}, write)
        if done:
            self.says[done.row.identity] = said
            made[what] += 1

    def change(self, row, changes: dict, said: dict, minute: int) -> None:
        after = self.says | {row.identity: said | {"at": minute}}
        if self.expect(after, lambda: correct_version(row, changes, actor=self.user)):
            self.says = after
            made["correction"] += 1

    def expect(self, after: dict, write):
        """Writes, and demands that the book refuses exactly what the model says cannot have happened."""
        try:
            self.model_of(after)
        except model.CannotHappen as reason:
            try:
                write()
            except (Conflict, FileRefused):  # the second: by a file
                made["refused"] += 1
                return None
            raise AssertionError(f"the book took what cannot have happened: {reason}") from None
        return write()

    def model_of(self, says: dict) -> model.Book:
        return model.Book([said | {"id": key} for key, said in says.items()], self.method, self.allows_short)

    def is_left_out(self, activity: dict) -> bool:
        kinds = Counter(said["kind"] for said in self.says.values())
        splits = kinds["split"] + kinds["reverse_split"]
        return (activity["kind"] in ("split", "reverse_split") and splits >= MOST_SPLITS) or (
            activity["kind"] == "method_change" and self.method == "average_cost"
        )

    # What must hold ----------------------------------------------------------------------------

    @invariant()
    def the_book_is_what_the_model_says(self):
        if not hasattr(self, "account"):
            return
        says = self.model_of(self.says)
        kept = {position.ticker: position for position in Position.objects.filter(account=self.account)}
        for ticker in {*TICKERS, *kept}:
            holding, position = says.of(ticker), kept.get(ticker) or Position()
            told = [
                Fraction(getattr(position, name))
                for name in ("quantity", "cost_basis", "realized_pnl", "income", "fees")
            ]
            counted = [holding.quantity, holding.cost, holding.realized, holding.income, holding.fees]
            assert told == counted, f"{ticker}: kept {told}, counted {counted}, of {self.says}"
            if self.method != "average_cost":
                lots = Lot.objects.filter(account=self.account, instrument_id=ticker).values_list("quantity", "cost")
                assert sum(Fraction(cost) for _, cost in lots) == holding.cost
                assert sum(Fraction(quantity) for quantity, _ in lots) == holding.quantity
        cash = cash_by_account([self.account], timezone.now()).get(self.account.pk)
        assert (Fraction(cash.cash) if cash else 0) == says.cash, f"cash {cash}, counted {says.cash}, of {self.says}"

    def teardown(self):
        if hasattr(self, "account"):
            found = list(account_differences(self.account))
            assert found == [], found[0]


def is_fill(said: dict) -> bool:
    return said["kind"] in ("buy", "sell")


def plain_of(said: dict, minute: int) -> dict:
    """What the model reads: a split's ratio as two numbers, the minute it happened."""
    ratio = said.get("ratio")
    return said | {"at": minute} | ({"new": ratio[0], "old": ratio[1]} if ratio else {})


def trade_of(account, fill: dict, minute: int) -> Trade:
    return Trade(
        account=account,
        instrument_id=fill["ticker"],
        side=fill["kind"].upper(),
        quantity=Decimal(fill["quantity"]),
        price=Decimal(fill["price"]),
        fees=Decimal(fill["fees"]),
        executed_at=moment(minute),
    )


DECIMALS = ("amount", "amount_per_unit", "quantity", "cost_basis", "cash_in_lieu_price")


def activity_of(account, said: dict, minute: int) -> Activity:
    values = {name: Decimal(said[name]) for name in DECIMALS if said.get(name) is not None}
    if "ratio" in said:
        values |= {"ratio_new": said["ratio"][0], "ratio_old": said["ratio"][1]}
    for name, own in (("ticker", "instrument_id"), ("new_ticker", "new_instrument_id"), ("pnl_method", "pnl_method")):
        if name in said:
            values[own] = said[name]
    return Activity(account=account, kind=said["kind"], effective_at=moment(minute), **values)


def said_by(row: Trade) -> dict:
    minute = round((row.executed_at - START).total_seconds() / 60)
    values = {"quantity": str(row.quantity), "price": str(row.price), "fees": str(row.fees)}
    return {"kind": row.side.lower(), "ticker": row.instrument_id, "at": minute} | values


def csv_of(rows: list, number: int) -> str:
    """A file of fills, each under a key of its own: what is alike is no duplicate."""
    lines = ["ticker,trade_type,quantity,price,executed_at,fees,client_trade_id"]
    for place, (fill, minute) in enumerate(rows):
        when = f"{moment(minute):%Y-%m-%dT%H:%M:%SZ}"
        values = (fill["ticker"], fill["kind"].upper(), fill["quantity"], fill["price"], when, fill["fees"])
        lines.append(",".join((*values, f"f{number}-{place}")))
    return "\n".join(lines) + "\n"


def positions_are_the_replay(ground: Ground, share: int) -> str:
    """Tries a share of the books, each from a seed of its own: all of them take long on a small machine."""
    wanted = settings(
        max_examples=EXAMPLES // SHARES,
        stateful_step_count=STEPS,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(seed(share)(type("Book", (Book,), {})), settings=wanted)
    acts = ", ".join(f"{count} × {what}" for what, count in sorted(made.items()))
    return f"{EXAMPLES // SHARES} books of up to {STEPS} steps ({acts}), equal after every step"


for share in range(SHARES):
    tried = (
        f"stateful tests of {EXAMPLES} × {STEPS} steps against a brute-force model of fractions"
        if not share
        else (f"part {share + 1} of them")
    )
    tries("P04", tried, world=EMBEDDED, minutes=9)(partial(positions_are_the_replay, share=share))


# Threads ---------------------------------------------------------------------------------------


@tries("P04", "8 threads in 3 books on PostgreSQL: book, correct, void, import", minutes=8)
def threads_leave_the_replay(ground: Ground) -> str:
    books = [trader(f"trader-{number}", pnl_method=METHODS[number]) for number in range(3)]
    done = at_once([lambda number=number: write_for_a_while(number, books) for number in range(THREADS)], THREADS)
    found = list(differences())
    assert found == [], found[0]
    for user, account in books:
        rows = list(Trade.objects.current().filter(account=account))
        counted = model.Book([said_by(row) | {"id": row.trade_id} for row in rows], account.pnl_method, True)
        for position in Position.objects.filter(account=account):
            assert Fraction(position.realized_pnl) == counted.of(position.ticker).realized, f"{user}: {position}"
    acts = sum(done, Counter())
    return f"{sum(acts.values())} acts ({spelled(acts)}), {Trade.objects.count()} versions, no difference"


def write_for_a_while(number: int, books: list) -> Counter:
    source, acts = random.Random(number), Counter()
    for turn in range(WRITES):
        user, account = books[source.randrange(len(books))]
        fill = {"kind": source.choice(["buy", "sell"]), "ticker": source.choice(TICKERS), "fees": "0.35"}
        fill |= {"quantity": source.choice(["1", "3", "7.5"]), "price": str(source.randint(1, 999))}
        row = book_trade(trade_of(account, fill, source.randint(0, 20)), actor=user).row
        acts["trade"] += 1
        if turn % 4 == 1:
            correct_version(row, {"price": Decimal(source.randint(1, 999))}, actor=user)
            acts["correction"] += 1
        elif turn % 4 == 2:
            void_version(row, actor=user)
            acts["void"] += 1
        elif turn % 8 == 3:
            batch = ImportBatch(account=account, actor=user, file_name="rows.csv", options=OPTIONS)
            import_file(batch, io.BytesIO(csv_of([(fill, 3)] * 20, 100 * number + turn).encode()), actor=user)
            acts["import"] += 1
    return acts


# One cent ----------------------------------------------------------------------------------------


CHANGES = {"cost_basis": Position, "realized_pnl": Position, "quantity": Position, "cost": Lot}


@tries("P04", "a cent changed by hand in positions and lots, for verify_ledger to find")
def a_cent_is_found(ground: Ground) -> str:
    user, account = trader("alice")
    for minute in range(20):
        fill = {"kind": "sell" if minute % 3 == 2 else "buy", "ticker": TICKERS[minute % 2], "fees": "1"}
        book_trade(trade_of(account, fill | {"quantity": str(minute + 1), "price": "10.25"}, minute), actor=user)
    assert list(differences()) == []
    for name, kept in CHANGES.items():
        with transaction.atomic():
            row = kept.objects.first()
            kept.objects.filter(pk=row.pk).update(**{name: getattr(row, name) + Decimal("0.01")})
            found = next(differences(), "")
            assert name in found or kept is Lot and found.startswith("Lot"), f"a cent on {name}: {found or 'not found'}"
            transaction.set_rollback(True)
    return f"{len(CHANGES)} of {len(CHANGES)} found and named"
