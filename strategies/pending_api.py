"""The address of a run that takes long: looked at while it is worked out, cancelled and removed by DELETE."""

from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from strategies import pending
from strategies.models import PendingRun
from tradeops.core.api import Conflict, Params
from tradeops.core.users.roles import Action


def accepted(asked: PendingRun) -> Response:
    """202 with the address to look at."""
    address = reverse("strategies:pending-run-detail", args=[asked.pk])
    told = {"id": asked.pk, "status": pending.standing(asked).status, "status_url": address}
    told |= {"estimated_seconds": round(asked.estimated_seconds, 1)}
    return Response(told, status=status.HTTP_202_ACCEPTED, headers={"Location": address})


class EndParams(Params):
    """What a DELETE does beside ending what is under way."""

    remove = serializers.BooleanField(default=False, help_text="It is removed for good, under way or at its end.")


class PendingRunDetail(APIView):
    """A run that takes long: how far it is, and `run_id` when it is done.

    DELETE cancels it; with `remove=true` it removes it for good, under way, failed or cancelled. A run that is done is
    removed at its own address.
    """

    writes = Action.RUN

    def asked(self, pending_id: int) -> PendingRun:
        return get_object_or_404(PendingRun.objects.visible_to(self.request.user), pk=pending_id)

    @extend_schema(responses=OpenApiTypes.OBJECT)
    def get(self, request: Request, pending_id: int) -> Response:
        asked = self.asked(pending_id)
        told = {"id": asked.pk, **pending.standing(asked).told(), "estimated_seconds": asked.estimated_seconds}
        if asked.run_id:
            told |= {"run_id": asked.run_id, "run_url": reverse("strategies:run-detail", args=[asked.run_id])}
        return Response(told | {"created_at": asked.created_at})

    @extend_schema(parameters=[EndParams], responses={204: None})
    def delete(self, request: Request, pending_id: int) -> HttpResponse:
        asked, is_removal = self.asked(pending_id), EndParams.read(request)["remove"]
        has_ended = pending.standing(asked).is_finished
        if not has_ended:
            pending.cancel(asked)
        if asked.run_id or (has_ended and not is_removal):
            raise Conflict("The run has ended; there is nothing to cancel.", "finished")
        if is_removal and not pending.remove(asked):
            self.asked(pending_id)  # 404 where another has removed it
            raise Conflict("The run is done by now; it is removed at its own address.", "finished")
        return Response(status=status.HTTP_204_NO_CONTENT)
