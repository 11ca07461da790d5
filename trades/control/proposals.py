"""Proposals as rows: what a correction or void that waits for another's approval would do."""

from tradeops.core.api import Conflict

from ..booking.acts import Act, key_reused
from ..chain import links
from ..models import Account, EntryKind, Proposal, ProposalState, Target, Version


def under_key(account: Account, act: Act) -> Proposal | None:
    """What the act's key was proposed under before. Raises Unprocessable where that was another act."""
    proposal = Proposal.objects.filter(account=account, idempotency_key=act.key).first() if act.key else None
    if proposal is not None and (kind_of(proposal), proposal.request_hash) != (act.kind, act.request_hash):
        raise key_reused(act)
    return proposal


def kind_of(proposal: Proposal) -> EntryKind:
    """Of the entry that would carry it out."""
    if proposal.is_adjustment:
        return EntryKind.ADJUSTMENT
    return EntryKind.VOID if proposal.is_void else EntryKind.CORRECTION


def refuse_second(latest: Version) -> None:
    """Raises Conflict where a proposal about it waits: two could not both be carried out."""
    waiting = Proposal.objects.waiting().about(latest).first()
    if waiting is not None:
        detail = f"Proposal {waiting.pk} about {latest.name.lower()} waits for approval: withdraw or decide it first."
        raise Conflict(detail, "proposal_waiting", proposal=waiting.pk)


def propose(latest: Version, values: dict, act: Act, is_adjustment: bool) -> Proposal:
    """Saves what is asked for, to wait. The account is locked."""
    proposal = Proposal(
        account=latest.account,
        target=Target.of(latest),
        target_id=latest.identity,
        target_version=latest.version,
        is_void=values.get("is_void", False),
        is_adjustment=is_adjustment,
        changes={} if values.get("is_void") else spelled(values),
        reason=act.reason,
        idempotency_key=act.key,
        request_hash=act.request_hash if act.key else "",
        proposed_by=act.actor,
        state=ProposalState.WAITING,
    )
    proposal.save(force_insert=True)
    return proposal


def spelled(values: dict) -> dict[str, str | None]:
    return {name: None if value is None else links.spelled(value) for name, value in values.items()}


def values_of(proposal: Proposal) -> dict:
    """What is proposed, by field name, as it was asked for."""
    if proposal.is_void:
        return {"is_void": True}
    fields = Target(proposal.target).model._meta
    return {
        name: None if text is None else fields.get_field(name).to_python(text)
        for name, text in proposal.changes.items()
    }
