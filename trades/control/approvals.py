"""Four eyes: a proposal is approved, rejected or withdrawn, once, and by another than who made it."""

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.utils import timezone

from tradeops.core.api import Conflict
from tradeops.core.users.models import User
from tradeops.core.users.roles import Action, require

from ..booking import acts, changing
from ..booking.acts import Act
from ..booking.changing import Booking, Change
from ..models import Proposal, ProposalState, Target, Version
from .proposals import kind_of, values_of

REASON_CHARACTERS = 500


def target_of(proposal: Proposal) -> Version:
    """The latest version of what it is about."""
    model = Target(proposal.target).model
    rows = model.objects.latest_versions().select_related("entry", "account__owner")
    return rows.get(**{model.IDENTITY: proposal.target_id})


def approve(proposal: Proposal, *, actor: User, reason: str = "") -> Booking:
    """Carries it out as it was proposed, on the version it was proposed on.

    Raises PermissionDenied for who may not or made it, and Conflict where it no longer waits, where what it is about
    has moved on, or where the book refuses it now; then it waits on.
    """
    with transaction.atomic():
        proposal = waiting(proposal)
        refuse_own(proposal, actor)
        row = target_of(proposal)
        if row.version != proposal.target_version:
            detail = f"{row.name} stands at version {row.version}, and not at {proposal.target_version} as proposed."
            raise Conflict(detail, "moved_on", version=row.version)
        change = Change(row, values_of(proposal), proposal.target_version, proposal.is_adjustment)
        booking = changing.carry_out(change, Act(actor, kind_of(proposal), reason_of(proposal, reason)))
        proposal.entry = booking.adjustment or booking.row.entry
        decide(proposal, ProposalState.APPROVED, actor, reason)
    return booking


def reject(proposal: Proposal, *, actor: User, reason: str) -> Proposal:
    """Leaves the book as it is. Raises as `approve` does."""
    with transaction.atomic():
        proposal = waiting(proposal)
        refuse_own(proposal, actor)
        return decide(proposal, ProposalState.REJECTED, actor, reason)


def withdraw(proposal: Proposal, *, actor: User, reason: str = "") -> Proposal:
    """Taken back by who made it. Raises PermissionDenied for another, Conflict where it no longer waits."""
    with transaction.atomic():
        proposal = waiting(proposal)
        if proposal.proposed_by_id != actor.pk:
            raise PermissionDenied("Only who proposed it withdraws it: reject it instead.")
        require(actor, Action.BOOK, proposal.account)
        return decide(proposal, ProposalState.WITHDRAWN, actor, reason)


def waiting(proposal: Proposal) -> Proposal:
    """The proposal as it stands, its account locked: of two who decide at once, the second finds it decided."""
    account = acts.lock(proposal.account)
    proposal = Proposal.objects.select_related("proposed_by").get(pk=proposal.pk)
    proposal.account = account
    if proposal.state != ProposalState.WAITING:
        detail = f"Proposal {proposal.pk} is {proposal.get_state_display().lower()}."
        raise Conflict(detail, "not_waiting", state=proposal.state)
    return proposal


def refuse_own(proposal: Proposal, actor: User) -> None:
    require(actor, Action.APPROVE, proposal.account)
    if proposal.proposed_by_id == actor.pk:
        raise PermissionDenied("Another than who proposed it decides on it.")


def decide(proposal: Proposal, state: ProposalState, actor: User, reason: str) -> Proposal:
    proposal.state, proposal.decided_by, proposal.decided_at = state, actor, timezone.now()
    proposal.decision_reason = reason
    proposal.save(update_fields=["state", "decided_by", "decided_at", "decision_reason", "entry"])
    return proposal


def reason_of(proposal: Proposal, reason: str) -> str:
    """The entry's reason names who proposed it, and what both said of it as far as there is room."""
    parts = (f"Proposed by {proposal.proposed_by.username}", proposal.reason, reason)
    return ": ".join(part for part in parts if part)[:REASON_CHARACTERS]
