"""Watchlists. Each user sees their own; another's is a 404."""

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from tradeops.core.api import PagedParams
from tradeops.core.pagination import KeysetPagination
from tradeops.core.preconditions import IF_MATCH, named_tags
from tradeops.core.users.roles import Action

from ..models import Watchlist
from .serializers import WatchlistRequestSerializer, WatchlistSerializer
from .services import delete_watchlist, save_watchlist


class OldestPagination(KeysetPagination):
    ordering = ("id",)


class WatchlistView(GenericAPIView):
    writes = Action.KEEP_ALERTS
    queryset = Watchlist.objects.none()
    serializer_class = WatchlistSerializer
    pagination_class = OldestPagination
    filter_backends: list = []

    def save(self, watchlist: Watchlist, *, partial: bool = False, status: int = 200) -> Response:
        body = WatchlistRequestSerializer(data=self.request.data, partial=partial)
        body.is_valid(raise_exception=True)
        watchlist.name = body.validated_data.get("name", watchlist.name)
        tickers = body.validated_data.get("tickers", None if partial else [])
        tags = None if watchlist.pk is None else named_tags(self.request)
        saved = save_watchlist(watchlist, tickers, actor=self.request.user, expected_tags=tags)
        return self.answer(saved, status=status)

    def answer(self, watchlist: Watchlist, status: int = 200) -> Response:
        """The list, and the ETag that a change of it may name."""
        return Response(WatchlistSerializer(watchlist).data, status=status, headers={"ETag": watchlist.tag})


class Watchlists(WatchlistView):
    """Your watchlists, the oldest first; 50 at most, of 200 tickers each. POST makes one."""

    @extend_schema(operation_id="watchlists_list", responses=WatchlistSerializer(many=True))
    def get(self, request: Request) -> Response:
        PagedParams.read(request)
        page = self.paginate_queryset(Watchlist.objects.visible_to(request.user).with_entries())
        return self.get_paginated_response(WatchlistSerializer(page, many=True).data)

    @extend_schema(request=WatchlistRequestSerializer, responses={201: WatchlistSerializer})
    def post(self, request: Request) -> Response:
        return self.save(Watchlist(owner=request.user), status=201)


class WatchlistDetail(WatchlistView):
    """One watchlist. PUT and PATCH take its `tickers` as a whole, in their order; PATCH may leave them out."""

    def watchlist(self) -> Watchlist:
        mine = Watchlist.objects.visible_to(self.request.user).with_entries()
        return get_object_or_404(mine, pk=self.kwargs["watchlist_id"])

    def get(self, request: Request, watchlist_id: int) -> Response:
        return self.answer(self.watchlist())

    @extend_schema(request=WatchlistRequestSerializer, parameters=[IF_MATCH])
    def put(self, request: Request, watchlist_id: int) -> Response:
        return self.save(self.watchlist())

    @extend_schema(request=WatchlistRequestSerializer, parameters=[IF_MATCH])
    def patch(self, request: Request, watchlist_id: int) -> Response:
        return self.save(self.watchlist(), partial=True)

    @extend_schema(responses={204: None}, parameters=[IF_MATCH])
    def delete(self, request: Request, watchlist_id: int) -> Response:
        delete_watchlist(self.watchlist(), actor=request.user, expected_tags=named_tags(request))
        return Response(status=204)
