"""Watchlists. Each user sees their own; another's is a 404."""

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from tradeops.core.api import KeysetPagination, PagedParams
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

    def save(self, watchlist: Watchlist, *, partial: bool = False) -> dict:
        body = WatchlistRequestSerializer(data=self.request.data, partial=partial)
        body.is_valid(raise_exception=True)
        watchlist.name = body.validated_data.get("name", watchlist.name)
        tickers = body.validated_data.get("tickers", None if partial else [])
        return WatchlistSerializer(save_watchlist(watchlist, tickers, actor=self.request.user)).data


class Watchlists(WatchlistView):
    """Your watchlists, the oldest first; 50 at most, of 200 tickers each. POST makes one."""

    @extend_schema(operation_id="watchlists_list", responses=WatchlistSerializer(many=True))
    def get(self, request: Request) -> Response:
        PagedParams.read(request)
        page = self.paginate_queryset(Watchlist.objects.visible_to(request.user).with_entries())
        return self.get_paginated_response(WatchlistSerializer(page, many=True).data)

    @extend_schema(request=WatchlistRequestSerializer, responses={201: WatchlistSerializer})
    def post(self, request: Request) -> Response:
        return Response(self.save(Watchlist(owner=request.user)), status=201)


class WatchlistDetail(WatchlistView):
    """One watchlist. PUT and PATCH take its `tickers` as a whole, in their order; PATCH may leave them out."""

    def watchlist(self) -> Watchlist:
        mine = Watchlist.objects.visible_to(self.request.user).with_entries()
        return get_object_or_404(mine, pk=self.kwargs["watchlist_id"])

    def get(self, request: Request, watchlist_id: int) -> Response:
        return Response(WatchlistSerializer(self.watchlist()).data)

    @extend_schema(request=WatchlistRequestSerializer)
    def put(self, request: Request, watchlist_id: int) -> Response:
        return Response(self.save(self.watchlist()))

    @extend_schema(request=WatchlistRequestSerializer)
    def patch(self, request: Request, watchlist_id: int) -> Response:
        return Response(self.save(self.watchlist(), partial=True))

    @extend_schema(responses={204: None})
    def delete(self, request: Request, watchlist_id: int) -> Response:
        delete_watchlist(self.watchlist(), actor=request.user)
        return Response(status=204)
