"""What the addresses of trades and of activities share: versions, corrections, voids, histories."""

import re

from django.urls import reverse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import ErrorDetail, NotFound, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from tradeops.core.api import refuse_unknown
from tradeops.core.pagination import KeysetPagination
from tradeops.core.preconditions import IF_MATCH, named_tags, refuse_stale

from .. import services
from ..control.differences import with_changes as with_proposed
from ..control.serializers import AdjustmentSerializer, ProposalSerializer
from ..models import Version
from ..requests import IDEMPOTENCY_KEY, BookView, idempotency_key, latest_version
from ..serializers import ADJUSTMENT_HELP
from .serializers import VoidSerializer, with_changes

VERSION_TAG = re.compile(r'"([1-9][0-9]{0,8})"')
REASON = OpenApiParameter("reason", OpenApiTypes.STR, description="Why; may stand in the body as well.")
CHANGED = {201: AdjustmentSerializer, 202: ProposalSerializer}  # what a change may come to instead
ADJUSTMENT = OpenApiParameter("adjustment", OpenApiTypes.BOOL, description=ADJUSTMENT_HELP)


# What is asked of a version, and what is answered ---------------------------------------


def expected_version(request: Request, row: Version, key: str | None) -> int | None:
    """The version `If-Match` names; None for any. Raises PreconditionFailed for one that cannot be.

    What comes with a key may be a repeat, whose own first sending moved the version on: that is then for the service.
    """
    tags = named_tags(request)
    if tags is None:
        return None
    current = f'"{row.version}"'
    if current not in tags and key and (named := VERSION_TAG.fullmatch(tags[0])):
        return int(named[1])
    refuse_stale(row.name, current, tags)
    return row.version


def current_version(request: Request, model: type[Version], identity: int) -> Version:
    row = latest_version(request, model, identity)
    if row.is_void:
        raise NotFound(f"{row.name} was voided; its history has its versions.")
    return row


def refuse_moves(row: Version, said: dict, *names: str) -> None:
    """An account, a kind or a client's id may be repeated in a correction, not changed. Raises ValidationError."""
    columns = {"account": "account_id"}
    moved = [name for name in names if name in said and said[name] != getattr(row, columns.get(name, name))]
    if moved:
        what = row._meta.verbose_name
        message = ErrorDetail(f"A correction cannot change it: void the {what} and book it anew.", "fixed")
        raise ValidationError({name: [message] for name in moved})


def booking_response(booking: services.Booking, serializer_class, status: int = 200) -> Response:
    """The row after an act, as it is or, for a repeat, as it was first answered."""
    headers = {"ETag": f'"{booking.row.version}"'}
    if booking.is_replay:
        headers["Idempotent-Replayed"] = "true"
    answer = in_order(booking.answer, serializer_class) if booking.answer else serializer_class(booking.row).data
    return Response(answer, status=status, headers=headers)


def other_response(booking: services.Booking) -> Response:
    """What an act came to that left the row as it is: a proposal, or an adjustment."""
    headers = {"Idempotent-Replayed": "true"} if booking.is_replay else {}
    if booking.adjustment:
        return Response(AdjustmentSerializer(booking.adjustment).data, status=201, headers=headers)
    proposal = booking.proposal
    headers["Location"] = reverse("trades:proposal-detail", args=[proposal.pk])
    return Response(ProposalSerializer(with_proposed([proposal])[0]).data, status=202, headers=headers)


def in_order(answer: dict, serializer_class) -> dict:
    """A kept answer as it was first spelled: PostgreSQL keeps an object's values, not their order."""
    places = {name: place for place, name in enumerate(serializer_class().fields)}
    return dict(sorted(answer.items(), key=lambda item: places.get(item[0], len(places))))


def correcting(body_class, row_class):
    """The schema of a correction: the row as it is now, or what it came to instead."""
    return extend_schema(
        request=body_class, responses=CHANGED | {200: row_class}, parameters=[IF_MATCH, IDEMPOTENCY_KEY]
    )


# One trade or activity -----------------------------------------------------------------------


class VersionView(BookView):
    """An address under one trade or activity, which it names by the model's IDENTITY."""

    model: type[Version]

    @property
    def identity(self) -> int:
        return self.kwargs[self.model.IDENTITY]

    def get_object(self) -> Version:  # OPTIONS asks for it
        return current_version(self.request, self.model, self.identity)


class VersionDetail(VersionView):
    """A change is a correction and a delete a void: the old version stays readable."""

    correction_class: type

    def with_effects(self, row: Version) -> Version:
        """The row with what it did."""
        raise NotImplementedError

    def changes_of(self, row: Version, said: dict) -> dict:
        """What a correction that said `said` changes, by the names of the model. Raises ValidationError."""
        raise NotImplementedError

    def described(self, row: Version) -> dict:
        return dict(self.serializer_class(self.with_effects(row)).data)

    def response(self, booking: services.Booking) -> Response:
        """200 with the row as it is now; 202 with what waits for approval, 201 with what adjusts it instead."""
        if booking.proposal or booking.adjustment:
            return other_response(booking)
        if not booking.answer:
            self.with_effects(booking.row)
        return booking_response(booking, self.serializer_class)

    def get(self, request: Request, **kwargs) -> Response:
        refuse_unknown(request.query_params)
        return self.response(services.Booking(self.get_object()))

    def put(self, request: Request, **kwargs) -> Response:
        return self.correct(request, partial=False)

    def patch(self, request: Request, **kwargs) -> Response:
        return self.correct(request, partial=True)

    def correct(self, request: Request, *, partial: bool) -> Response:
        refuse_unknown(request.query_params)
        key = idempotency_key(request)
        row = self.changing(key)
        body = self.correction_class(data=request.data, partial=partial)
        body.is_valid(raise_exception=True)
        said = dict(body.validated_data)
        reason, is_adjustment = said.pop("reason", ""), said.pop("adjustment", False)
        booking = services.correct_version(
            row,
            self.changes_of(row, said),
            actor=request.user,
            reason=reason,
            expected_version=expected_version(request, row, key),
            idempotency_key=key,
            describe=self.described,
            is_adjustment=is_adjustment,
        )
        return self.response(booking)

    @extend_schema(
        request=None,
        responses=CHANGED | {204: None},
        parameters=[IF_MATCH, IDEMPOTENCY_KEY, REASON, ADJUSTMENT],
    )
    def delete(self, request: Request, **kwargs) -> Response:
        key = idempotency_key(request)
        row = self.changing(key)
        given = {name: value for name, value in request.query_params.items() if name != "format"}
        body = VoidSerializer(data=given | request.data if isinstance(request.data, dict) else request.data)
        body.is_valid(raise_exception=True)
        booking = services.void_version(
            row,
            actor=request.user,
            reason=body.validated_data.get("reason", ""),
            expected_version=expected_version(request, row, key),
            idempotency_key=key,
            is_adjustment=body.validated_data.get("adjustment", False),
        )
        if booking.proposal or booking.adjustment:
            return other_response(booking)
        headers = {"Idempotent-Replayed": "true"} if booking.is_replay else {}
        return Response(status=204, headers=headers)

    def changing(self, key: str | None) -> Version:
        """What is to be changed. With a key it may be voided by now: the repeat is answered as the first was."""
        return latest_version(self.request, self.model, self.identity) if key else self.get_object()


class HistoryPagination(KeysetPagination):
    ordering = ("version",)


class VersionHistory(VersionView):
    """Each version, the first first: when, who, why, what changed."""

    pagination_class = HistoryPagination

    def get(self, request: Request, **kwargs) -> Response:
        refuse_unknown(request.query_params, ["cursor", "page_size", "format"])
        latest_version(request, self.model, self.identity)
        versions = self.model.objects.filter(**{self.model.IDENTITY: self.identity})
        page = self.paginate_queryset(versions.select_related("entry__actor", "account"))
        return self.get_paginated_response(self.serializer_class(with_changes(page), many=True).data)
