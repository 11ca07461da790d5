"""Running a backtest and keeping it, and making a kept one again."""

import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache

from django.db import transaction

from market.samples import as_csv, daily_bars
from strategies import backtest, pricepack, provenance
from strategies.backtest import Backtest, Spec
from strategies.library import strategies, with_defaults
from strategies.models import PendingRun, PriceData, Run, Source
from strategies.prices import Prices, read_files
from strategies.results import summarize
from strategies.terms import Terms
from tradeops.core.jobs.models import Job

BACKTEST = "backtest"  # the kind of job of a run that takes long
SAMPLE_TICKERS, SAMPLE_YEARS, SAMPLE_SEED = ("AAPL", "GOOGL", "MSFT", "TSLA"), 10, 12


class DamagedRun(ValueError):
    """The kept price rows of a run are not what its hash says."""


def run_backtest(owner, spec: Spec, all_prices: Sequence[Prices], source: str = Source.UPLOAD) -> Run:
    """Runs `spec` on these prices and keeps the outcome. Raises BacktestError where there is none to keep."""
    done = backtest.run(spec, all_prices)
    packed = pricepack.pack(all_prices)
    data_hash = pricepack.digest(packed)
    run = unsaved_run(owner, spec, summarize(done, data_hash), data_hash)
    run.source = source
    with transaction.atomic():
        run.data = keep_prices(all_prices, packed)
        run.save()
    return run


def keep_prices(all_prices: Sequence[Prices], packed: bytes) -> PriceData:
    """The row of these prices: a new one, or the one that was kept before."""
    kept = {
        "packed": pricepack.compress(packed),
        "bars": sum(map(len, all_prices)),
        "tickers": [prices.ticker for prices in all_prices],
    }
    # Held, so that whoever removes the last run of these rows at this moment waits, or is waited for.
    held = PriceData.objects.select_for_update(no_key=True).defer("packed")
    return held.get_or_create(digest=pricepack.digest(packed), defaults=kept)[0]


def remove(run: Run) -> None:
    """Removes a kept run, and its price rows where nothing else rests on them.

    What its owner asked of the same rows in vain, cancelled or failed, has no run to be removed with, and goes too.
    """
    with letting_go(run.data_id):
        run.delete()
        under_way = Job.objects.unfinished().filter(kind=BACKTEST, owner=run.owner_id).values_list("key", flat=True)
        vain = PendingRun.objects.filter(data=run.data_id, owner=run.owner_id, run=None)
        vain.exclude(pk__in=[int(key) for key in under_way]).delete()


@contextmanager
def letting_go(data_hash: str) -> Iterator[None]:
    """Within it something is removed that rests on these price rows; they go too where nothing else does."""
    with transaction.atomic():
        rows = PriceData.objects.select_for_update().filter(pk=data_hash)
        list(rows.values_list("pk"))  # held: who keeps the same rows at this moment waits, or is waited for
        yield
        rows.filter(runs=None, pending_runs=None, sweeps=None).delete()


def kept_pack(data: PriceData) -> bytes:
    """The pack of a kept row. Raises ValueError where it is not what its hash says."""
    packed = pricepack.decompress(bytes(data.packed))
    if pricepack.digest(packed) != data.pk:
        raise ValueError("the rows do not match their hash")
    return packed


def unsaved_run(owner, spec: Spec, summary: dict, data_hash: str) -> Run:
    """The row of a finished run, still without its price rows and their source."""
    return Run(
        owner=owner,
        strategy=spec.strategy,
        parameters=spec.parameters,
        initial_investment=spec.terms.initial_investment,
        fee_bps=spec.terms.fee_bps,
        fill=spec.terms.fill,
        terms=spec.terms.told(),
        fingerprint=provenance.fingerprint(spec, data_hash),
        tickers=[ticker["ticker"] for ticker in summary["tickers"]],
        profit_loss=summary["overall_profit_loss"],
        return_percentage=summary["overall_return_percentage"],
        closed_trades=sum(ticker["closed_trades"] for ticker in summary["tickers"]),
        summary=summary,
    )


def run_sample(owner, spec: Spec) -> Run:
    """The run of `spec` on the sample data: made once for each user and specification, then found again."""
    all_prices, data_hash = sample_prices()
    mark = provenance.fingerprint(spec, data_hash)
    known = Run.objects.filter(owner=owner, fingerprint=mark, source=Source.SAMPLE).order_by("-id").first()
    return known or run_backtest(owner, spec, all_prices, Source.SAMPLE)


@cache
def sample_prices() -> tuple[list[Prices], str]:
    """The sample's bars and their hash; read from CSV like an upload, so that both take one path."""
    files = [
        (f"{ticker}.csv", as_csv(daily_bars(ticker, SAMPLE_YEARS, SAMPLE_SEED)).encode()) for ticker in SAMPLE_TICKERS
    ]
    all_prices = read_files(files)
    return all_prices, pricepack.digest(pricepack.pack(all_prices))


def spec_of(run: Run) -> Spec:
    """The specification of a kept run; what was not declared yet when it was kept has its default."""
    plain = {"initial_investment": run.initial_investment, "fee_bps": run.fee_bps, "fill": run.fill}
    return Spec(run.strategy, with_defaults(strategies()[run.strategy], run.parameters), Terms(**run.terms | plain))


def remake(run: Run) -> Backtest:
    """The kept run with its curves, worked out again from the kept rows. Raises DamagedRun."""
    try:
        return backtest.run(spec_of(run), pricepack.unpack(kept_pack(run.data)))
    except (zlib.error, LookupError, ArithmeticError, TypeError, AttributeError, ValueError) as error:
        raise DamagedRun(f"Run {run.pk} cannot be worked out again from what was kept.") from error
