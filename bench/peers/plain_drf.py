"""A plain Django REST framework app, as its tutorial builds one: a ModelViewSet, PageNumberPagination, django-filter.

No sign-in, no keys, no ledger; Django's default middleware; a connection pool. Served by granian's WSGI threads.
`DATABASE_NAME` and `DATABASE_PORT` say where PostgreSQL is; `python -m bench.peers.plain_drf` makes the table.
"""

import os

import django
from django.conf import settings

settings.configure(
    SECRET_KEY="a benchmark's key, of no use to anybody else, fifty long",
    ALLOWED_HOSTS=["127.0.0.1"],
    ROOT_URLCONF=__name__,
    USE_TZ=True,
    INSTALLED_APPS=[
        "django.contrib.admin",
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.sessions",
        "django.contrib.messages",
        "django.contrib.staticfiles",
        "rest_framework",
        "django_filters",
    ],
    MIDDLEWARE=[
        "django.middleware.security.SecurityMiddleware",
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
        "django.middleware.clickjacking.XFrameOptionsMiddleware",
    ],
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "HOST": "127.0.0.1",
            "PORT": os.environ["DATABASE_PORT"],
            "NAME": os.environ["DATABASE_NAME"],
            "USER": "tradeops",
            "PASSWORD": "tradeops",
            "OPTIONS": {"pool": {"min_size": 1, "max_size": 12}},
        }
    },
    REST_FRAMEWORK={
        "DEFAULT_PAGINATION_CLASS": "rest_framework.pagination.PageNumberPagination",
        "PAGE_SIZE": 50,
        "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
        "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
        "DEFAULT_AUTHENTICATION_CLASSES": [],
        "UNAUTHENTICATED_USER": None,
    },
)
django.setup()

from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.db import connection, models  # noqa: E402
from rest_framework import routers, serializers, viewsets  # noqa: E402


class Trade(models.Model):
    ticker = models.CharField(max_length=16)
    quantity = models.DecimalField(max_digits=28, decimal_places=12)
    price = models.DecimalField(max_digits=28, decimal_places=12)
    trade_type = models.CharField(max_length=4, choices=[("BUY", "Buy"), ("SELL", "Sell")])
    timestamp = models.DateTimeField(auto_now_add=True)

    class Meta:
        app_label = "plain"
        db_table = "plain_trades"
        ordering = ["-timestamp", "-id"]
        indexes = [models.Index(fields=["ticker", "timestamp", "id"], name="plain_trades_by_ticker")]


class TradeSerializer(serializers.ModelSerializer):
    class Meta:
        model = Trade
        fields = ["id", "ticker", "quantity", "price", "trade_type", "timestamp"]


class TradeViewSet(viewsets.ModelViewSet):
    queryset = Trade.objects.all()
    serializer_class = TradeSerializer
    filterset_fields = ["ticker", "trade_type"]


router = routers.SimpleRouter()
router.register("trades", TradeViewSet)
urlpatterns = router.urls
application = get_wsgi_application()

if __name__ == "__main__":
    with connection.schema_editor() as editor:
        editor.create_model(Trade)
