"""Addresses of the book: the API at the root, the pages under /desk/."""

from django.urls import path

from . import (
    account_views,
    activity_api,
    activity_views,
    api,
    chain_api,
    insight_api,
    ledger_views,
    performance_api,
    performance_views,
    position_api,
    position_views,
    views,
)

api_urlpatterns = [
    path("trades/", api.TradeList.as_view(), name="trade-list"),
    path("trades/stats", api.TradeStats.as_view(), name="trade-stats"),
    path("trades/<int:trade_id>", api.TradeDetail.as_view(), name="trade-detail"),
    path("trades/<int:trade_id>/history", api.TradeHistory.as_view(), name="trade-history"),
    path("activities/", activity_api.ActivityList.as_view(), name="activity-list"),
    path("activities/<int:activity_id>", activity_api.ActivityDetail.as_view(), name="activity-detail"),
    path("activities/<int:activity_id>/history", activity_api.ActivityHistory.as_view(), name="activity-history"),
    path("positions/", position_api.PositionList.as_view(), name="position-list"),
    path("positions/<str:ticker>", position_api.PositionDetail.as_view(), name="position-detail"),
    path("positions/<str:ticker>/what-if", insight_api.PositionWhatIf.as_view(), name="position-what-if"),
    path("positions/<str:ticker>/explain", insight_api.PositionExplanation.as_view(), name="position-explain"),
    path("portfolio/history", performance_api.PortfolioHistory.as_view(), name="portfolio-history"),
    path("portfolio/performance", performance_api.PortfolioPerformance.as_view(), name="portfolio-performance"),
    path("accounts/", position_api.AccountList.as_view(), name="account-list"),
    path("accounts/<int:account_id>", position_api.AccountDetail.as_view(), name="account-detail"),
    path("accounts/<int:account_id>/chain", chain_api.AccountChain.as_view(), name="account-chain"),
]
page_urlpatterns = [
    path("trades/", views.blotter, name="blotter"),
    path("trades/new/", views.new_trade, name="trade-new"),
    path("trades/<int:trade_id>/", views.trade_page, name="trade"),
    path("trades/<int:trade_id>/correct/", views.correct_trade, name="trade-correct"),
    path("trades/<int:trade_id>/void/", views.void_trade, name="trade-void"),
    path("activities/", activity_views.activities_page, name="activities"),
    path("activities/new/", activity_views.choose_kind, name="activity-kinds"),
    path("activities/new/<str:kind>/", activity_views.new_activity, name="activity-new"),
    path("activities/<int:activity_id>/", activity_views.activity_page, name="activity"),
    path("activities/<int:activity_id>/correct/", activity_views.correct_activity, name="activity-correct"),
    path("activities/<int:activity_id>/void/", activity_views.void_activity, name="activity-void"),
    path("accounts/", account_views.accounts_page, name="accounts"),
    path("accounts/new/", account_views.new_account, name="account-new"),
    path("accounts/<int:account_id>/", account_views.account_page, name="account"),
    path("ledger/", ledger_views.ledger_page, name="ledger"),
    path("ledger/verify/", ledger_views.verify, name="ledger-verify"),
    path("ledger/check_chain.py", ledger_views.checker, name="chain-checker"),
    path("performance/", performance_views.performance_page, name="performance"),
    path("positions/", position_views.positions_page, name="positions"),
    path("positions/<str:ticker>/", position_views.position_page, name="position"),
]
