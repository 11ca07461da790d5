"""The addresses of kept runs: listed, looked at, tagged and annotated, removed."""

import hashlib
from collections.abc import Callable

from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.utils.cache import get_conditional_response
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.generics import ListAPIView
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from strategies import provenance, services
from strategies.api import RunPagination, answer, remade
from strategies.backtest import Backtest
from strategies.models import NOTE_CHARACTERS, Run
from strategies.serializers import ResultSerializer, RunListSerializer
from tradeops.core.api import PagedParams, StrictSerializer
from tradeops.core.preconditions import IF_MATCH, named_tags, refuse_stale
from tradeops.core.tags import TAG_CHARACTERS, TagsField, joined
from tradeops.core.users.roles import Action


class ListParams(PagedParams):
    """Which kept runs are listed, and how."""

    strategy = serializers.CharField(required=False, max_length=40)
    tag = serializers.CharField(required=False, max_length=TAG_CHARACTERS)
    ordering = serializers.ChoiceField(choices=list(RunPagination.ORDERINGS), required=False)


class RunList(ListAPIView):
    """Kept runs, newest first, or by `ordering`; of one `strategy`, with one `tag`."""

    serializer_class = RunListSerializer
    pagination_class = RunPagination
    queryset = Run.objects.none()

    def get_queryset(self):
        asked = ListParams.read(self.request)
        return Run.objects.visible_to(self.request.user).listed().asked_for(asked.get("strategy"), asked.get("tag"))

    @extend_schema(parameters=[ListParams])
    def get(self, request: Request, *args, **kwargs):
        return super().get(request, *args, **kwargs)


class AnyAccept(BaseContentNegotiation):
    """Pictures and logs are what they are, whatever a client says it accepts."""

    def select_parser(self, request, parsers):
        return parsers[0]

    def select_renderer(self, request, renderers, format_suffix=None):
        return renderers[0], renderers[0].media_type


def lasting_headers(run: Run, name: str) -> dict[str, str]:
    """ETag and caching of something that only changes with the code and the pages that tell it."""
    etag = f'"{provenance.answers_digest()[:16]}-{run.pk}-{run.fingerprint[:32]}-{name}"'
    return {"ETag": etag, "Cache-Control": "private, no-cache"}


class KeptRun(APIView):
    """Base of what is answered about one kept run: it belongs to the caller, and it does not change."""

    content = ""
    content_negotiation_class = AnyAccept

    def run(self, run_id: int) -> Run:
        runs = Run.objects.visible_to(self.request.user).select_related("data")
        return get_object_or_404(runs, pk=run_id)

    def answer_once(self, request: Request, run: Run, name: str, kind: str, make: Callable[[Backtest], bytes]):
        """The made bytes with their ETag, or 304 before anything is made."""
        headers = lasting_headers(run, name)
        unchanged = get_conditional_response(request, etag=headers["ETag"])
        if unchanged is not None:
            return unchanged
        return HttpResponse(make(remade(run)), content_type=kind, headers=headers)


def words_of(run: Run) -> str:
    """A few digits that change with what is said about a run."""
    return hashlib.sha256(f"{run.tags}\0{run.note}".encode()).hexdigest()[:16]


class WordsSerializer(StrictSerializer):
    """What people say about a run; what is left out stays as it is."""

    tags = TagsField(required=False)
    note = serializers.CharField(required=False, allow_blank=True, max_length=NOTE_CHARACTERS)


class RunDetail(KeptRun):
    """One kept run: the result as it was given, with the portfolio's curve.

    A PATCH changes its `tags` and `note`, a DELETE removes it; with `If-Match` only while it stands as it was read.
    """

    writes = Action.RUN
    content_negotiation_class = APIView.content_negotiation_class

    @extend_schema(responses=ResultSerializer)
    def get(self, request: Request, run_id: int) -> Response:
        run = self.run(run_id)
        headers = self.headers_of(run)
        unchanged = get_conditional_response(request, etag=headers["ETag"])
        return unchanged or Response(answer(run), headers=headers)

    def headers_of(self, run: Run) -> dict[str, str]:
        return lasting_headers(run, f"result-{self.request.accepted_renderer.format}-{words_of(run)}")

    def run_to_change(self, run_id: int) -> Run:
        """The run, held to the end of the transaction, where it stands as `If-Match` says."""
        held = Run.objects.visible_to(self.request.user).select_for_update(of=["self"])
        run = get_object_or_404(held, pk=run_id)
        refuse_stale(f"Run {run.pk}", self.headers_of(run)["ETag"], named_tags(self.request))
        return run

    @extend_schema(request=WordsSerializer, parameters=[IF_MATCH], responses=WordsSerializer)
    @transaction.atomic
    def patch(self, request: Request, run_id: int) -> Response:
        run = self.run_to_change(run_id)
        said = WordsSerializer(data=request.data)
        said.is_valid(raise_exception=True)
        run.tags = joined(said.validated_data.get("tags", run.tag_list))
        run.note = said.validated_data.get("note", run.note)
        run.save(update_fields=["tags", "note"])
        return Response({"tags": run.tag_list, "note": run.note}, headers=self.headers_of(run))

    @extend_schema(parameters=[IF_MATCH], responses={204: None})
    @transaction.atomic
    def delete(self, request: Request, run_id: int) -> Response:
        services.remove(self.run_to_change(run_id))
        return Response(status=status.HTTP_204_NO_CONTENT)
