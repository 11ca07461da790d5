from django.urls import path

from analytics import api, views

api_urlpatterns = [
    path("analytics/process", api.ProcessView.as_view(), name="process"),
    path("analytics/jobs/<int:id>", api.JobView.as_view(), name="job-detail"),
    path("analytics/days/<str:day>", api.DayView.as_view(), name="day-detail"),
    path("moneyai", api.MoneyAIView.as_view(), name="moneyai"),
]
page_urlpatterns = [
    path("reports/", views.reports, name="reports"),
    path("reports/run/", views.run_export, name="export-run"),
    path("reports/days/<str:day>/", views.day, name="day"),
    path("reports/days/<str:day>/figures/", views.figures, name="day-figures"),
    path("reports/revisions/<int:id>/", views.download_revision, name="revision-download"),
    path("reports/files/<int:id>/", views.download_file, name="file-download"),
]
