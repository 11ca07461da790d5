"""Addresses of the market."""

from django.urls import path

from .api import TickerAverage, TickerDetail, TickerList

api_urlpatterns = [
    path("tickers/", TickerList.as_view(), name="ticker-list"),
    path("tickers/<str:ticker>", TickerDetail.as_view(), name="ticker-detail"),
    path("tickers/<str:ticker>/average", TickerAverage.as_view(), name="ticker-average"),
]
page_urlpatterns = []
