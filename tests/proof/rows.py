"""Which row each parameter of an address names, and whose it is, so that no address with an id is left untried."""

import io
import re
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal

from django.db import models
from django.utils import timezone

from analytics.models import ExportJob, LakeFile, Revision
from analytics.services import make_day
from market.models import Alert, AlertRule, Instrument, Replay, Watchlist
from market.replaying import keep_tape
from market.tape_files import make_tape
from strategies.backtest import make_spec
from strategies.models import PendingRun, Run, Source, Sweep, SweepPart
from strategies.services import run_sample
from tests.faults.addresses import own_routes
from tradeops.core.users.models import ApiToken, User
from trades.control.breaks import Statement
from trades.control.reconciling import reconcile
from trades.importing.services import import_file
from trades.models import Account, Activity, ImportBatch, Position, Proposal, Reconciliation, Trade
from trades.services import book_activity


@dataclass(frozen=True)
class Named:
    """What a parameter names: rows of a model by a column, those of `where`.

    `owner` leads to the user whose they are; without it they are everybody's, or the staff's.
    """

    model: type[models.Model]
    column: str = "pk"
    owner: str | None = None
    is_staffs: bool = False
    where: dict = field(default_factory=dict)

    def of(self, owner: User | None = None) -> str | None:
        """The value for a row of `owner` (or anybody's); None where there is none."""
        rows = self.model.objects.filter(**self.where).order_by("-pk")
        if owner is not None and self.owner:
            rows = rows.filter(**{self.owner: owner})
        value = rows.values_list(self.column, flat=True).first()
        return None if value is None else str(value)


CURRENT = {"superseded_by": None, "is_void": False}


@dataclass(frozen=True)
class Word:
    """A parameter that names no row: one of some words, of which this is one."""

    word: str
    owner: None = None
    is_staffs: bool = False

    def of(self, owner: User | None = None) -> str:
        return self.word


@dataclass(frozen=True)
class TickerOfRun:
    """A ticker of the newest run."""

    owner: None = None
    is_staffs: bool = False

    def of(self, owner: User | None = None) -> str | None:
        run = Run.objects.filter(**({"owner": owner} if owner else {})).order_by("-pk").first()
        return run and run.ticker_names[0]


# The path's part before a parameter, and the parameter -> what it names.
NAMED = {
    "trades/trade_id": Named(Trade, "trade_id", "account__owner", where=CURRENT),
    "activities/activity_id": Named(Activity, "activity_id", "account__owner", where=CURRENT),
    "accounts/account_id": Named(Account, "pk", "owner"),
    "positions/ticker": Named(Position, "instrument_id", "account__owner"),
    "tickers/ticker": Named(Instrument, "ticker"),
    "tokens/token_id": Named(ApiToken, "pk", "user"),
    "market/ticker": Named(Instrument, "ticker"),
    "replays/replay_id": Named(Replay, is_staffs=True),
    "watchlists/watchlist_id": Named(Watchlist, "pk", "owner"),
    "alerts/rule_id": Named(AlertRule, "pk", "owner", where={"owner__isnull": False}),
    "rules/rule_id": Named(AlertRule, "pk", "owner", where={"owner__isnull": False}),
    "fired/alert_id": Named(Alert, "pk", "owner", where={"owner__isnull": False}),
    "runs/run_id": Named(Run, "pk", "owner"),
    "sweeps/sweep_id": Named(Sweep, "pk", "owner"),
    "strategies/run_id": Named(Run, "pk", "owner"),
    "charts/ticker": TickerOfRun(),
    "curves/ticker": TickerOfRun(),
    "pending/pending_id": Named(PendingRun, "pk", "owner"),
    "jobs/id": Named(ExportJob, "pk", "requests__user"),
    "approvals/proposal_id": Named(Proposal, "pk", "account__owner"),
    "reconciliations/reconciliation_id": Named(Reconciliation, "pk", "account__owner"),
    "imports/import_id": Named(ImportBatch, "pk", "account__owner"),
    "import/import_id": Named(ImportBatch, "pk", "account__owner"),
    "new/kind": Word("deposit"),
    "performance/parts": Word("tickers"),
    "files/id": Named(LakeFile, is_staffs=True),
    "days/day": Named(LakeFile, "day", is_staffs=True),
    "revisions/id": Named(Revision, is_staffs=True),
}
# What an address asks for before it looks for its row; `{runs[0]}` and `{runs[1]}` are the numbers of two kept runs.
QUERIES = {
    "/what-if": "?quantity=1&side=sell",
    "/runs/compare": "?runs={runs[0]},{runs[1]}",
    "/runs/compare/curves": "?runs={runs[0]},{runs[1]}",
    "/strategies/compare/": "?run={runs[0]}&run={runs[1]}",
}
PARAMETER = re.compile(r"([^/<]*)/<(?:\w+:)?(\w+)>")


def parameters_of(route: str) -> list[Named | Word | TickerOfRun]:
    """What the parameters of a route name. Raises AssertionError for one that stands in no list here."""
    names = [f"{before}/{name}" for before, name in PARAMETER.findall(route)]
    unknown = [name for name in names if name not in NAMED]
    assert not unknown, f"/{route}: no row is known for {unknown[0]}"
    return [NAMED[name] for name in names]


def filled(route: str, values: list[str]) -> str:
    rest = iter(values)
    address = "/" + re.sub(r"<[^>]+>", lambda _: next(rest), route)
    query = next((query for ending, query in QUERIES.items() if address.endswith(ending)), "")
    return address + (query.format(runs=kept_runs()) if "{runs" in query else query)


def kept_runs() -> list[int]:
    """The numbers of the two oldest runs."""
    return list(Run.objects.order_by("pk").values_list("pk", flat=True)[:2])


def routes_with_ids() -> list[str]:
    return [route for route in own_routes() if "<" in route]


def address_of(route: str, owner: User | None = None) -> str | None:
    """A route with the ids of rows that are there (of `owner`); None where there is no such row."""
    values = [named.of(owner) for named in parameters_of(route)]
    return None if None in values else filled(route, values)


def unknown_of(route: str) -> str:
    """A route with the ids of rows that are not there."""
    return filled(route, ["ZZZ" if name == "ticker" else "987654321" for _, name in PARAMETER.findall(route)])


FILE = b"ticker,trade_type,quantity,price,executed_at\nKO,BUY,1,60,2025-01-15T14:30:00Z\n"


def complete_book(owner: User) -> None:
    """Adds to the demo's book the rows it has not: each kind that an address names must be there."""
    account = Account.objects.filter(owner=owner).order_by("pk").first()
    deposit = Activity(account=account, kind="deposit", amount=Decimal(1000), effective_at=None)
    book_activity(deposit, actor=owner)
    batch = ImportBatch(account=account, actor=owner, file_name="rows.csv", options={})
    import_file(batch, io.BytesIO(FILE), actor=owner)
    trade = Trade.objects.current().filter(account=account).first()
    Proposal.objects.create(
        account=account, target="trade", target_id=trade.trade_id, target_version=trade.version, is_void=True,
        proposed_by=owner,
    )  # fmt: skip
    reconcile(Account.objects.get(pk=account.pk), timezone.now(), Statement(Decimal(0), None), actor=owner)
    make_day(timezone.now().date() - timedelta(days=1))
    keep_watch(owner)
    run_sample(owner, make_spec({"slow": 100}))  # a second run: two stand side by side
    keep_sweep(owner)


def keep_watch(owner: User) -> None:
    """What watches the market: a list, a rule of the owner's that has fired, and a replay that never began."""
    now, instrument = timezone.now(), Instrument.objects.order_by("ticker").first()
    Watchlist.objects.create(owner=owner, name="Proof").entries.create(instrument=instrument, place=1)
    rule = AlertRule.objects.create(owner=owner, made_by=owner, kind="stale", window_seconds=30)
    Alert.objects.create(
        rule=rule, owner=owner, instrument=instrument, kind=rule.kind, price=Decimal(1), window_seconds=30,
        source="simulated", tick_at=now, detected_at=now,
    )  # fmt: skip
    tape = make_tape([(1_736_951_400_000, instrument.ticker, 1_000_000, 1)])
    keep_tape("Proof", tape, actor=None)


def keep_sweep(owner: User) -> None:
    """A sweep of one part, done without its workers, and a run that waits for its own."""
    run = Run.objects.filter(owner=owner).order_by("-pk").first()
    PendingRun.objects.create(
        owner=owner, strategy=run.strategy, parameters=run.parameters, terms=run.terms, source=Source.SAMPLE,
        data=run.data, estimated_seconds=9,
    )  # fmt: skip
    sweep = Sweep.objects.create(
        owner=owner, strategy=run.strategy, parameters=run.parameters, terms=run.terms, source=Source.SAMPLE,
        grid={"fast": [10, 20], "slow": [50, 60]}, data=run.data, combinations=4, parts=1, estimated_seconds=0.1,
    )  # fmt: skip
    SweepPart.objects.create(sweep=sweep, number=0, rows=[])
