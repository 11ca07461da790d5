"""What proposals would change, spelled as the API spells it, for any number of them in two queries."""

from django.core.exceptions import FieldDoesNotExist, ValidationError
from django.http import Http404

from .. import ledger
from ..models import Proposal, Target, Trade, Version
from ..versions.serializers import spelled_changes
from .proposals import values_of

# What comes of a proposal that SQL made one of nothing.
UNREADABLE = (AttributeError, TypeError, ValueError, FieldDoesNotExist, ValidationError)


def with_changes(proposals: list[Proposal]) -> list[Proposal]:
    """The proposals, each with the version it was proposed on as `before`, and its `shown_changes`.

    One that cannot be read is left out.
    """
    bases = {target: bases_of([one for one in proposals if one.target == target], target.model) for target in Target}
    return [one for one in proposals if can_be_shown(one, bases.get(one.target, {}))]


def can_be_shown(proposal: Proposal, bases: dict[tuple[int, int], Version]) -> bool:
    before = proposal.before = bases.get((proposal.target_id, proposal.target_version))
    try:
        proposal.shown_changes = [] if proposal.is_void else spelled_changes(before, after_of(before, proposal))
    except UNREADABLE:
        return False
    return before is not None


def with_changes_or_404(proposal: Proposal) -> Proposal:
    for shown in with_changes([proposal]):
        return shown
    raise Http404


def bases_of(proposals: list[Proposal], model: type[Version]) -> dict[tuple[int, int], Version]:
    """The versions that proposals rest on, by id and number."""
    rows = model.objects.filter(**{f"{model.IDENTITY}__in": {one.target_id for one in proposals}})
    rows = rows.filter(version__in={one.target_version for one in proposals}).select_related("entry", "account__owner")
    return {(row.identity, row.version): row for row in rows} if proposals else {}


def after_of(before: Version, proposal: Proposal) -> Version:
    """What would follow, to be shown beside it."""
    after = before.next_version(values_of(proposal))
    after.entry = before.entry
    if isinstance(after, Trade):
        after.notional = ledger.multiply(after.quantity, after.price)
    return after
