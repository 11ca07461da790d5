"""What proposals would change, spelled as the API spells it, for any number of them in two queries."""

from .. import ledger
from ..models import Proposal, Target, Trade, Version
from ..versions.reading import spelled_changes
from .proposals import values_of


def with_changes(proposals: list[Proposal]) -> list[Proposal]:
    """The proposals, each with the version it was proposed on as `before`, and its `shown_changes`."""
    bases = {target: bases_of([one for one in proposals if one.target == target], target.model) for target in Target}
    for proposal in proposals:
        before = proposal.before = bases[Target(proposal.target)][proposal.target_id, proposal.target_version]
        proposal.shown_changes = [] if proposal.is_void else spelled_changes(before, after_of(before, proposal))
    return proposals


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
