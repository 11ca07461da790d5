"""Addresses of the market."""

from django.urls import path

from .alerting.api import Acknowledgement, AlertRuleDetail, AlertRules, FiredAlerts
from .alerting.views import acknowledge_alert, acknowledge_shown, act_on_rule, alerts_page, edit_rule
from .api import TickerAverage, TickerDetail, TickerList, TickerWindow
from .bar_api import TickerBars, TickerMarks
from .replay_views import change_replay, replays_page
from .views import halt_page, market_page, ticker_page
from .watchlists.api import WatchlistDetail, Watchlists
from .watchlists.views import watch_ticker, watchlist_page, watchlists_page

api_urlpatterns = [
    path("tickers/", TickerList.as_view(), name="ticker-list"),
    path("tickers/<str:ticker>", TickerDetail.as_view(), name="ticker-detail"),
    path("tickers/<str:ticker>/average", TickerAverage.as_view(), name="ticker-average"),
    path("tickers/<str:ticker>/window", TickerWindow.as_view(), name="ticker-window"),
    path("tickers/<str:ticker>/bars", TickerBars.as_view(), name="ticker-bars"),
    path("tickers/<str:ticker>/marks", TickerMarks.as_view(), name="ticker-marks"),
    path("watchlists/", Watchlists.as_view(), name="watchlist-list"),
    path("watchlists/<int:watchlist_id>", WatchlistDetail.as_view(), name="watchlist-detail"),
    path("alerts/", AlertRules.as_view(), name="alert-rule-list"),
    path("alerts/fired", FiredAlerts.as_view(), name="alert-list"),
    path("alerts/fired/<int:alert_id>/acknowledge", Acknowledgement.as_view(), name="alert-acknowledge"),
    path("alerts/<int:rule_id>", AlertRuleDetail.as_view(), name="alert-rule-detail"),
]
page_urlpatterns = [
    path("market/", market_page, name="board"),
    path("market/replays/", replays_page, name="replays"),
    path("market/replays/<int:replay_id>/", change_replay, name="replay-change"),
    path("market/<str:ticker>/", ticker_page, name="ticker"),
    path("market/<str:ticker>/halt/", halt_page, name="ticker-halt"),
    path("market/<str:ticker>/watch/", watch_ticker, name="ticker-watch"),
    path("watchlists/", watchlists_page, name="watchlists"),
    path("watchlists/<int:watchlist_id>/", watchlist_page, name="watchlist"),
    path("alerts/", alerts_page, name="alerts"),
    path("alerts/rules/<int:rule_id>/", act_on_rule, name="alert-rule-change"),
    path("alerts/rules/<int:rule_id>/edit/", edit_rule, name="alert-rule-edit"),
    path("alerts/fired/", acknowledge_shown, name="alert-acknowledge-shown"),
    path("alerts/fired/<int:alert_id>/", acknowledge_alert, name="alert-acknowledge-page"),
]
