"""Writing prices of the past: uploaded bars, stated prices, splits.

Prices are everybody's, so every row says who made it. Whoever may book may upload bars, which stand beside the
feed's own and never over them, and may state a price. Another's uploaded bars are replaced, and
another's stated price is corrected, by back office and administrators alone.
"""

from collections.abc import Sequence, Set
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.utils import timezone

from tradeops.core.refusals import refused
from tradeops.core.users.models import User
from tradeops.core.users.roles import Action, require

from .bar_files import BarValues
from .bars import PRICES
from .models import Bar, Instrument, Mark, Source, Split, Timeframe

SAID = (*PRICES, "volume")


@dataclass(frozen=True, slots=True)
class Upload:
    """How many bars were written, and how many stood there already as they are."""

    imported: int
    duplicates: int


def may_change_anothers(user: User) -> bool:
    return user.may_in_all(Action.STATE_PRICE)


# Bars -----------------------------------------------------------------------------------


@transaction.atomic
def upload_bars(ticker: str, timeframe: Timeframe, bars: Sequence[BarValues], *, actor: User) -> Upload:
    """Writes all of `bars`, each start once and each checked by `bar_files.fault_of`, or none.

    An unknown ticker becomes an instrument. Raises ValidationError for what is no ticker, and
    PermissionDenied for an auditor, or where `actor` may not replace what stands there.
    """
    require(actor, Action.STATE_PRICE)
    Instrument.objects.ensure([ticker])
    # Two uploads of one ticker go one after the other; trades of it, which refer to its row, go on.
    Instrument.objects.select_for_update(no_key=True).get(pk=ticker)
    starts = [bar.start for bar in bars]
    uploaded = Bar.objects.of([ticker]).filter(
        timeframe=timeframe, source=Source.UPLOAD, start__gte=min(starts), start__lte=max(starts)
    )
    standing = {bar.start: bar for bar in uploaded}
    new = [bar for bar in bars if bar.start not in standing or not says_the_same(standing[bar.start], bar)]
    if not may_change_anothers(actor):
        refuse_replacing([standing[bar.start] for bar in new if bar.start in standing], actor)
    write_uploaded(ticker, timeframe, new, actor, corrected=standing.keys())
    return Upload(imported=len(new), duplicates=len(bars) - len(new))


def says_the_same(bar: Bar, values: BarValues) -> bool:
    return all(getattr(bar, name) == getattr(values, name) for name in SAID)


def refuse_replacing(bars: list[Bar], actor: User) -> None:
    """Raises PermissionDenied where some of `bars` are another's."""
    others = [bar for bar in bars if bar.made_by_id != actor.pk]
    if others:
        first = min(bar.start for bar in others).astimezone(UTC)
        raise PermissionDenied(
            f"{len(others)} of these bars were uploaded by somebody else and say otherwise, the first that of "
            f"{first:%Y-%m-%d %H:%M} UTC: the back office can replace them."
        )


def write_uploaded(
    ticker: str, timeframe: Timeframe, bars: Sequence[BarValues], actor: User, *, corrected: Set[datetime]
) -> None:
    """Writes `bars`; those of the starts `corrected` are marked, for they say otherwise than what stands there."""
    now = timezone.now()
    made = {"source": Source.UPLOAD, "is_final": True, "made_by": actor, "made_at": now}
    rows = [
        Bar(
            instrument_id=ticker,
            timeframe=timeframe,
            start=bar.start,
            ends_at=bar.start + timeframe.length,
            corrected_at=now if bar.start in corrected else None,
            **{name: getattr(bar, name) for name in SAID},
            **made,
        )
        for bar in bars
    ]
    Bar.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["instrument", "timeframe", "start", "source"],
        update_fields=[*SAID, "made_by", "made_at", "corrected_at"],
        batch_size=1000,
    )


# Stated prices ---------------------------------------------------------------------------------


@transaction.atomic
def state_price(mark: Mark, *, actor: User) -> Mark:
    """Saves `mark`, made by `actor`; one that corrects another is counted in its place from then on.

    Raises ValidationError by field, and PermissionDenied for an auditor or for another's mark.
    """
    require(actor, Action.STATE_PRICE)
    Instrument.objects.ensure([mark.ticker])
    if mark.at > timezone.now():
        raise refused("at", "A price of the future is not known.", "in_the_future")
    if mark.price is None and mark.corrects_id is None:
        raise refused("price", "Only a correction may leave it out.", "required")
    if mark.corrects_id is not None:
        check_correction(mark, actor)
    mark.made_by = actor
    mark.save(force_insert=True)
    return mark


def check_correction(mark: Mark, actor: User) -> None:
    corrected = Mark.objects.select_for_update().filter(pk=mark.corrects_id, instrument=mark.ticker).first()
    if corrected is None:
        error = ValidationError(f"There is no such stated price of {mark.ticker}.", code="does_not_exist")
        raise ValidationError({"corrects": error})
    if corrected.made_by_id != actor.pk and not may_change_anothers(actor):
        raise PermissionDenied("Somebody else stated this price: the back office can correct it.")
    if Mark.objects.filter(corrects=corrected).exists():
        error = ValidationError("It was corrected before; correct the later one.", code="already_corrected")
        raise ValidationError({"corrects": error})


# Splits ----------------------------------------------------------------------------------------


def record_split(ticker: str, effective_at: datetime, new: Decimal, old: Decimal) -> Split:
    """Notes that `old` units of `ticker` became `new` ones, for charts; one a UTC day, the last word counts."""
    day = effective_at.astimezone(UTC).date()
    values = {"effective_at": effective_at, "new": new, "old": old}
    split, _ = Split.objects.update_or_create(instrument_id=ticker, day=day, defaults=values)
    return split


def forget_split(ticker: str, effective_at: datetime) -> None:
    """Takes back what `record_split` noted."""
    Split.objects.filter(instrument=ticker, day=effective_at.astimezone(UTC).date()).delete()
