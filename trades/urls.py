"""Addresses of the book: the API at the root, the pages under /desk/."""

from django.urls import path

from . import api, views
from .accounts import api as account_api
from .accounts import views as account_views
from .activities import api as activity_api
from .activities import views as activity_views
from .chain import api as chain_api
from .chain import views as ledger_views
from .control import api as control_api
from .control import views as control_views
from .importing import api as import_api
from .importing import views as import_views
from .insight import api as insight_api
from .insight import views as insight_views
from .performance import api as performance_api
from .performance import views as performance_views
from .positions import api as position_api
from .positions import views as position_views
from .round_trips import api as round_trip_api
from .round_trips import views as round_trip_views

api_urlpatterns = [
    path("trades/", api.TradeList.as_view(), name="trade-list"),
    path("trades/stats", api.TradeStats.as_view(), name="trade-stats"),
    path("trades/stats/tickers", api.TradeStatsTickers.as_view(), name="trade-stats-tickers"),
    path("trades/import", import_api.TradeImport.as_view(), name="trade-import"),
    path("trades/imports/", import_api.ImportList.as_view(), name="import-list"),
    path("trades/imports/<int:import_id>", import_api.ImportDetail.as_view(), name="import-detail"),
    path("trades/imports/<int:import_id>/undo", import_api.ImportUndo.as_view(), name="import-undo"),
    path("trades/<int:trade_id>", api.TradeDetail.as_view(), name="trade-detail"),
    path("trades/<int:trade_id>/history", api.TradeHistory.as_view(), name="trade-history"),
    path("activities/", activity_api.ActivityList.as_view(), name="activity-list"),
    path("activities/<int:activity_id>", activity_api.ActivityDetail.as_view(), name="activity-detail"),
    path("activities/<int:activity_id>/history", activity_api.ActivityHistory.as_view(), name="activity-history"),
    path("positions/", position_api.PositionList.as_view(), name="position-list"),
    path("positions/<str:ticker>", position_api.PositionDetail.as_view(), name="position-detail"),
    path("positions/<str:ticker>/what-if", insight_api.PositionWhatIf.as_view(), name="position-what-if"),
    path("positions/<str:ticker>/explain", insight_api.PositionExplanation.as_view(), name="position-explain"),
    path("round-trips/", round_trip_api.RoundTripList.as_view(), name="round-trip-list"),
    path("portfolio/history", performance_api.PortfolioHistory.as_view(), name="portfolio-history"),
    path("portfolio/performance", performance_api.PortfolioPerformance.as_view(), name="portfolio-performance"),
    path("portfolio/performance/tickers", performance_api.PerformanceTickers.as_view(), name="portfolio-tickers"),
    path(
        "portfolio/performance/strategies",
        performance_api.PerformanceStrategies.as_view(),
        name="portfolio-strategies",
    ),
    path("portfolio/performance/tags", performance_api.PerformanceTags.as_view(), name="portfolio-tags"),
    path("accounts/", account_api.AccountList.as_view(), name="account-list"),
    path("accounts/<int:account_id>", account_api.AccountDetail.as_view(), name="account-detail"),
    path("accounts/<int:account_id>/closes", control_api.AccountCloses.as_view(), name="account-closes"),
    path("approvals/", control_api.ProposalList.as_view(), name="proposal-list"),
    path("approvals/<int:proposal_id>", control_api.ProposalDetail.as_view(), name="proposal-detail"),
    path("approvals/<int:proposal_id>/approve", control_api.ProposalApprove.as_view(), name="proposal-approve"),
    path("approvals/<int:proposal_id>/reject", control_api.ProposalReject.as_view(), name="proposal-reject"),
    path("approvals/<int:proposal_id>/withdraw", control_api.ProposalWithdraw.as_view(), name="proposal-withdraw"),
    path("reconciliations/", control_api.ReconciliationList.as_view(), name="reconciliation-list"),
    path(
        "reconciliations/<int:reconciliation_id>",
        control_api.ReconciliationDetail.as_view(),
        name="reconciliation-detail",
    ),
    path("accounts/<int:account_id>/chain", chain_api.AccountChain.as_view(), name="account-chain"),
]
page_urlpatterns = [
    path("trades/", views.blotter, name="blotter"),
    path("trades/new/", views.new_trade, name="trade-new"),
    path("trades/import/", import_views.imports_page, name="imports"),
    path("trades/import/<int:import_id>/", import_views.import_page, name="import"),
    path("trades/import/<int:import_id>/check/", import_views.check_import, name="import-check"),
    path("trades/import/<int:import_id>/book/", import_views.book_import, name="import-book"),
    path("trades/import/<int:import_id>/discard/", import_views.discard_import, name="import-discard"),
    path("trades/import/<int:import_id>/undo/", import_views.undo_import, name="import-undo-page"),
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
    path("performance/<str:parts>/", performance_views.parts_page, name="performance-parts"),
    path("accounts/<int:account_id>/closes/", control_views.closes_page, name="closes"),
    path("accounts/<int:account_id>/approval/", control_views.set_approval, name="account-approval"),
    path("approvals/", control_views.approvals_page, name="approvals"),
    path("approvals/<int:proposal_id>/", control_views.approval_page, name="approval"),
    path("reconciliations/", control_views.reconciliations_page, name="reconciliations"),
    path("reconciliations/<int:reconciliation_id>/", control_views.reconciliation_page, name="reconciliation"),
    path("reconciliations/<int:reconciliation_id>/again/", control_views.reconcile_again, name="reconcile-again"),
    path("positions/", position_views.positions_page, name="positions"),
    path("positions/<str:ticker>/", position_views.position_page, name="position"),
    path("positions/<str:ticker>/explain/", insight_views.explain_page, name="position-explain-page"),
    path("positions/<str:ticker>/what-if/", insight_views.what_if_page, name="position-what-if-page"),
    path("round-trips/", round_trip_views.round_trips_page, name="round-trips"),
]
