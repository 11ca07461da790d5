"""Addresses of the backtests: the API under /algorithm/, the pages under /desk/strategies/."""

from django.urls import path

from strategies import api, compare_api, drawn_api, kept_api, pending_api, sweep_api, sweep_views, views, walk_api

RUN = "algorithm/runs/<int:run_id>"

api_urlpatterns = [
    path("algorithm/run", api.RunBacktest.as_view(), name="run-create"),
    path("algorithm/sample", api.Sample.as_view(), name="sample"),
    path("algorithm/help", api.Help.as_view(), name="help"),
    path("algorithm/sweeps", sweep_api.SweepList.as_view(), name="sweep-list"),
    path("algorithm/sweeps/<int:sweep_id>", sweep_api.SweepDetail.as_view(), name="sweep-detail"),
    path("algorithm/sweeps/<int:sweep_id>/heatmap.png", sweep_api.Heatmap.as_view(), name="sweep-heatmap"),
    path(
        "algorithm/sweeps/<int:sweep_id>/heatmap.svg", sweep_api.Heatmap.as_view(form="svg"), name="sweep-heatmap-svg"
    ),
    path("algorithm/sweeps/<int:sweep_id>/walk-forward", walk_api.WalkForward.as_view(), name="walk-forward"),
    path(
        "algorithm/sweeps/<int:sweep_id>/walk-forward/curves/<str:ticker>",
        walk_api.WalkCurves.as_view(),
        name="walk-forward-curves",
    ),
    path("algorithm/runs/", kept_api.RunList.as_view(), name="run-list"),
    path("algorithm/runs/compare", compare_api.Compare.as_view(), name="runs-compare"),
    path("algorithm/runs/compare/curves", compare_api.CompareCurves.as_view(), name="runs-compare-curves"),
    path("algorithm/runs/pending/<int:pending_id>", pending_api.PendingRunDetail.as_view(), name="pending-run-detail"),
    path(RUN, kept_api.RunDetail.as_view(), name="run-detail"),
    path(f"{RUN}/chart.png", drawn_api.OverviewChart.as_view(), name="run-chart"),
    path(f"{RUN}/chart.svg", drawn_api.OverviewChart.as_view(form="svg"), name="run-chart-svg"),
    path(f"{RUN}/months.png", drawn_api.MonthsChart.as_view(), name="run-months"),
    path(f"{RUN}/months.svg", drawn_api.MonthsChart.as_view(form="svg"), name="run-months-svg"),
    path(f"{RUN}/charts/<str:ticker>.png", drawn_api.TickerChart.as_view(), name="run-ticker-png"),
    path(f"{RUN}/charts/<str:ticker>.svg", drawn_api.TickerChart.as_view(form="svg"), name="run-ticker-svg"),
    path(f"{RUN}/curves", drawn_api.Curves.as_view(), name="run-curves"),
    path(f"{RUN}/curves/<str:ticker>", drawn_api.TickerCurves.as_view(), name="run-ticker-curves"),
    path(f"{RUN}/trades.csv", drawn_api.TradeLog.as_view(), name="run-trades"),
    path(f"{RUN}/equity.csv", drawn_api.EquityLog.as_view(), name="run-equity"),
    path(f"{RUN}/report.html", drawn_api.Report.as_view(), name="run-report"),
]
page_urlpatterns = [
    path("strategies/", views.strategies_page, name="strategies"),
    path("strategies/sweeps/", sweep_views.sweeps_page, name="sweeps"),
    path("strategies/sweeps/<int:sweep_id>/", sweep_views.sweep_page, name="sweep"),
    path("strategies/sweeps/<int:sweep_id>/cancel/", sweep_views.cancel_sweep, name="sweep-cancel"),
    path("strategies/sweeps/<int:sweep_id>/remove/", sweep_views.remove_sweep, name="sweep-remove"),
    path("strategies/sweeps/<int:sweep_id>/walk-forward/", sweep_views.walk_page, name="sweep-walk"),
    path("strategies/pending/<int:pending_id>/", views.pending_page, name="pending-run"),
    path("strategies/pending/<int:pending_id>/cancel/", views.cancel_pending, name="pending-run-cancel"),
    path("strategies/pending/<int:pending_id>/remove/", views.remove_pending, name="pending-run-remove"),
    path("strategies/compare/", views.compare_page, name="compare"),
    path("strategies/<int:run_id>/", views.run_page, name="run"),
    path("strategies/<int:run_id>/words/", views.keep_words, name="run-words"),
    path("strategies/<int:run_id>/remove/", views.remove_run, name="run-remove"),
]
