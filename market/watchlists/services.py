"""Making, changing and deleting watchlists."""

from collections.abc import Sequence

from django.db import IntegrityError, transaction
from django.shortcuts import get_object_or_404

from tradeops.core.preconditions import refuse_stale
from tradeops.core.refusals import refused
from tradeops.core.users.models import User
from tradeops.core.users.roles import Action, require

from ..models import Instrument, Watchlist, WatchlistEntry

MOST_LISTS = 50
MOST_TICKERS = 200


@transaction.atomic
def save_watchlist(
    watchlist: Watchlist, tickers: Sequence[str] | None, *, actor: User, expected_tags: list[str] | None = None
) -> Watchlist:
    """Saves a new or renamed list, with `tickers` in their order; None leaves those that it has.

    Raises ValidationError by field, PermissionDenied, Http404 for one that is deleted, and PreconditionFailed where it
    stands at none of `expected_tags`.
    """
    require(actor, Action.KEEP_ALERTS)
    if watchlist.pk is not None:
        lock(watchlist, expected_tags)
    elif Watchlist.objects.visible_to(watchlist.owner).count() >= MOST_LISTS:
        raise refused("non_field_errors", f"There are {MOST_LISTS} watchlists already; delete some.", "too_many")
    try:
        with transaction.atomic():
            watchlist.save()
    except IntegrityError as error:
        raise refused("name", "There is a watchlist of this name already.", "unique") from error
    if tickers is not None:
        set_tickers(watchlist, tickers)
    return watchlist


def lock(watchlist: Watchlist, expected_tags: list[str] | None) -> Watchlist:
    """The list as it stands now: two that change one go one after the other, and what is deleted stays so."""
    kept = get_object_or_404(Watchlist.objects.select_for_update(no_key=True), pk=watchlist.pk)
    if expected_tags is not None:
        refuse_stale(kept.name, kept.tag, expected_tags)
    return kept


def add_ticker(watchlist: Watchlist, ticker: str, *, actor: User) -> None:
    """Puts `ticker` at the end of the list. Raises as `save_watchlist` does."""
    save_watchlist(watchlist, [*watchlist.tickers, ticker], actor=actor, expected_tags=[watchlist.tag])


def set_tickers(watchlist: Watchlist, tickers: Sequence[str]) -> None:
    """Puts `tickers` in the place of what the list has."""
    check_tickers(tickers)
    watchlist.entries.all().delete()
    WatchlistEntry.objects.bulk_create(
        WatchlistEntry(watchlist=watchlist, instrument_id=ticker, place=place) for place, ticker in enumerate(tickers)
    )
    watchlist._prefetched_objects_cache = {}


def check_tickers(tickers: Sequence[str]) -> None:
    if len(tickers) > MOST_TICKERS:
        raise refused("tickers", f"A watchlist has {MOST_TICKERS} tickers at most.", "too_many")
    twice = next((ticker for place, ticker in enumerate(tickers) if ticker in tickers[:place]), None)
    if twice is not None:
        raise refused("tickers", f"{twice} is on the list twice.", "duplicate")
    known = set(Instrument.objects.filter(pk__in=tickers).values_list("pk", flat=True))
    unknown = next((ticker for ticker in tickers if ticker not in known), None)
    if unknown is not None:
        raise refused("tickers", f"There is no instrument {unknown}.", "does_not_exist")


@transaction.atomic
def delete_watchlist(watchlist: Watchlist, *, actor: User, expected_tags: list[str] | None = None) -> None:
    """Raises PermissionDenied, Http404 and PreconditionFailed as `save_watchlist` does."""
    require(actor, Action.KEEP_ALERTS)
    lock(watchlist, expected_tags).delete()


def moved(tickers: Sequence[str], ticker: str, steps: int) -> list[str]:
    """`tickers` with one of them some places nearer to the end, or below 0 to the beginning."""
    rest = [other for other in tickers if other != ticker]
    place = tickers.index(ticker) + steps
    return [*rest[: max(place, 0)], ticker, *rest[max(place, 0) :]]
