"""Addresses of the backtests: the API under /algorithm/, the pages under /desk/strategies/."""

from django.urls import path

from strategies import api, sweep_api, sweep_views, views

CHARTS = "algorithm/runs/<int:run_id>/charts/<str:ticker>"

api_urlpatterns = [
    path("algorithm/run", api.RunBacktest.as_view(), name="run-create"),
    path("algorithm/sample", api.Sample.as_view(), name="sample"),
    path("algorithm/help", api.Help.as_view(), name="help"),
    path("algorithm/sweeps", sweep_api.SweepList.as_view(), name="sweep-list"),
    path("algorithm/sweeps/<int:sweep_id>", sweep_api.SweepDetail.as_view(), name="sweep-detail"),
    path("algorithm/runs/", api.RunList.as_view(), name="run-list"),
    path("algorithm/runs/<int:run_id>", api.RunDetail.as_view(), name="run-detail"),
    path("algorithm/runs/<int:run_id>/chart.png", api.OverviewChart.as_view(), name="run-chart"),
    path(f"{CHARTS}.png", api.TickerChart.as_view(form="png"), name="run-ticker-png"),
    path(f"{CHARTS}.svg", api.TickerChart.as_view(form="svg"), name="run-ticker-svg"),
    path("algorithm/runs/<int:run_id>/trades.csv", api.TradeLog.as_view(), name="run-trades"),
    path("algorithm/runs/<int:run_id>/equity.csv", api.EquityLog.as_view(), name="run-equity"),
]
page_urlpatterns = [
    path("strategies/", views.strategies_page, name="strategies"),
    path("strategies/sweeps/", sweep_views.sweeps_page, name="sweeps"),
    path("strategies/sweeps/<int:sweep_id>/", sweep_views.sweep_page, name="sweep"),
    path("strategies/sweeps/<int:sweep_id>/cancel/", sweep_views.cancel_sweep, name="sweep-cancel"),
    path("strategies/<int:run_id>/", views.run_page, name="run"),
]
