"""Addresses of the market."""

from django.urls import path

from .api import TickerAverage, TickerDetail, TickerList
from .bar_api import TickerBars, TickerMarks

api_urlpatterns = [
    path("tickers/", TickerList.as_view(), name="ticker-list"),
    path("tickers/<str:ticker>", TickerDetail.as_view(), name="ticker-detail"),
    path("tickers/<str:ticker>/average", TickerAverage.as_view(), name="ticker-average"),
    path("tickers/<str:ticker>/bars", TickerBars.as_view(), name="ticker-bars"),
    path("tickers/<str:ticker>/marks", TickerMarks.as_view(), name="ticker-marks"),
]
page_urlpatterns = []
