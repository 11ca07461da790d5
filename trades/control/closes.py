"""Closing the books through a day: from then on nothing changes it but an adjustment in the open period."""

from datetime import date

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone

from tradeops.core.api import Conflict
from tradeops.core.users.models import User

from ..booking import acts
from ..booking.acts import Act
from ..chain import links
from ..models import Account, EntryKind, LedgerEntry


def closes_of(account: Account):
    return LedgerEntry.objects.filter(account=account, kind=EntryKind.CLOSE).select_related("actor")


def close_books(
    account: Account, day: date, *, actor: User, reason: str = "", idempotency_key: str | None = None
) -> tuple[LedgerEntry, bool]:
    """Closes the account's trade dates through `day`: the entry that says so, and whether it is a repeat's.

    Raises PermissionDenied for a role that may not, ValidationError for a day that is not over, Conflict
    where the books are closed through that day or a later one.
    """
    asked_for = links.digest_of({"day": day, "reason": reason})
    act = Act(actor, EntryKind.CLOSE, reason, idempotency_key, asked_for)
    try:
        with transaction.atomic():
            return _close(acts.lock(account), day, act), False
    except IntegrityError as conflict:
        return acts.entry_of_repeat(account, act, conflict), True


def _close(account: Account, day: date, act: Act) -> LedgerEntry:
    entry = acts.write_entry(account, act, closes_day=day)  # first: a repeat of the same key must not get further
    today = account.trade_date(timezone.now())
    if day >= today:
        message = f"Only a day that is over can be closed: the account's today is {today}."
        raise ValidationError({"day": ValidationError(message, code="not_over")})
    if account.closed_through is not None and day <= account.closed_through:
        detail = f"The books are closed through {account.closed_through}; a close goes further."
        raise Conflict(detail, "period_closed", closed_through=account.closed_through.isoformat())
    account.closed_through = day
    account.save(update_fields=["closed_through"])
    return entry
