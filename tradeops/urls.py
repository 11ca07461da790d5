"""Every address. Each app lists its API at the root and its pages under /desk/."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

import analytics.urls
import market.urls
import strategies.urls
import trades.urls
from tradeops import health, metrics, views
from tradeops.core.jobs import urls as jobs_urls
from tradeops.core.users import urls as users_urls


def addresses(urls, namespace: str):
    """An app's API and pages under one namespace."""
    return path("", include(([*urls.api_urlpatterns, path("desk/", include(urls.page_urlpatterns))], namespace)))


urlpatterns = [
    path("", views.overview, name="overview"),
    path("health", health.health, name="health"),
    path("health/live", health.health_live, name="health-live"),
    path("metrics", metrics.metrics, name="metrics"),
    path("schema", SpectacularAPIView.as_view(), name="schema"),
    path("docs", SpectacularSwaggerSplitView.as_view(url_name="schema"), name="docs"),
    path("desk/", views.today, name="today"),
    path("desk/find/", views.find, name="find"),
    path("desk/style/", views.style, name="style"),
    path("favicon.ico", RedirectView.as_view(url="/static/favicon.svg")),
    path("admin/", admin.site.urls),
    addresses(users_urls, "users"),
    addresses(jobs_urls, "jobs"),
    addresses(market.urls, "market"),
    addresses(trades.urls, "trades"),
    addresses(strategies.urls, "strategies"),
    addresses(analytics.urls, "analytics"),
]

handler400 = "tradeops.errors.bad_request"
handler403 = "tradeops.errors.permission_denied"
handler404 = "tradeops.errors.page_not_found"
handler500 = "tradeops.errors.server_error"
