"""Every setting of TradeOps, and the only reader of the environment.

Unset means embedded: SQLite, memory, local files. A value that is wrong or unsafe
stops the start with its name, before anything is served.
"""

import os
import sys
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured
from django.utils.csp import CSP
from dotenv import load_dotenv

from tradeops.environment import Environment, say_refusal
from tradeops.secret_key import check_key, kept_key

sys.excepthook = say_refusal  # until all are read
BASE_DIR = Path(__file__).resolve().parent.parent
load_dotenv(BASE_DIR / ".env")
environment = Environment(os.environ)

LOOPBACK_HOSTS = ("127.0.0.1", "localhost", "[::1]")


# Where things are kept -------------------------------------------------------------

VAR_DIR = environment.folder("TRADEOPS_VAR", BASE_DIR / "var")
# Files of strategies here stand beside those that ship; they are code, and whoever may write here may run it.
STRATEGIES_DIR = environment.folder("STRATEGIES_DIR", VAR_DIR / "strategies")
# What sweeps compile is kept beside the code, or here where nobody may write there: numba refuses to keep nothing.
if not os.access(BASE_DIR / "strategies", os.W_OK):
    os.environ.setdefault("NUMBA_CACHE_DIR", str(VAR_DIR / "compiled"))

PORT = environment.port("PORT", 8000)
DEBUG = environment.flag("DEBUG")
TRADEOPS_DEMO = environment.flag("TRADEOPS_DEMO")
FOREIGN_HOSTS = [host for host in environment.hosts("ALLOWED_HOSTS") if host not in LOOPBACK_HOSTS]
ALLOWED_HOSTS = [*LOOPBACK_HOSTS, *FOREIGN_HOSTS]

SECRET_KEY = environment.text("SECRET_KEY")
if FOREIGN_HOSTS:
    check_key(SECRET_KEY)
SECRET_KEY = SECRET_KEY or kept_key(VAR_DIR / "secret_key")
if FOREIGN_HOSTS and DEBUG:
    raise ImproperlyConfigured("DEBUG must be off when ALLOWED_HOSTS names another host.")
if FOREIGN_HOSTS and TRADEOPS_DEMO:
    raise ImproperlyConfigured("TRADEOPS_DEMO serves this machine alone: take the other hosts from ALLOWED_HOSTS.")


# The parts -------------------------------------------------------------------------

INSTALLED_APPS = [
    "daphne",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "corsheaders",
    "channels",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "storages",
    "django_celery_beat",
    "tradeops",
    "tradeops.core.users",
    "tradeops.core.events",
    "tradeops.core.jobs",
    "market",
    "trades",
    "strategies",
    "analytics",
]

MIDDLEWARE = [
    "tradeops.middleware.request_id",
    "tradeops.request_metrics.count_requests",
    "corsheaders.middleware.CorsMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.csp.ContentSecurityPolicyMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "tradeops.middleware.guard_body",
    "tradeops.middleware.either_slash",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "tradeops.core.users.demo.demo_middleware",
    "tradeops.core.users.middleware.user_time_zone",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "tradeops.middleware.outage",
]

ROOT_URLCONF = "tradeops.urls"
WSGI_APPLICATION = "tradeops.wsgi.application"
ASGI_APPLICATION = "tradeops.asgi.application"
APPEND_SLASH = False  # tradeops.middleware.either_slash answers both spellings, without a redirect

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "tradeops.views.shell_context",
            ],
        },
    },
]


# Database --------------------------------------------------------------------------

environment.require_together("DB_HOST", "DB_NAME", "DB_USER")

if environment.text("DB_HOST"):
    from tradeops.core.postgresql.patience import PatientConnection  # not loaded where there is no PostgreSQL

    DATABASES = {
        "default": {
            "ENGINE": "tradeops.core.postgresql",
            "HOST": environment.text("DB_HOST"),
            "PORT": environment.port("DB_PORT", 5432),
            "NAME": environment.text("DB_NAME"),
            "USER": environment.text("DB_USER"),
            "PASSWORD": environment.text("DB_PASSWORD"),
            # A server that is gone without a word, as a machine without power is, is given up after four seconds; one
            # that hangs, by tradeops/core/postgresql.
            # Under ASGI each request may run in a thread of its own: without a pool
            # every one of them would open a connection.
            # Statements that send their values apart (tradeops/core/bulk.py) are prepared when they come again, with
            # one plan for all values: to plan a page of trades costs as much as to read it.
            "OPTIONS": {
                # After a failure the pool tries again by itself, ever more seldom; given up soon, it tries again for
                # whoever comes next, and is there as soon as PostgreSQL is.
                "pool": {
                    "min_size": 1,
                    "max_size": 12,
                    "timeout": 4,
                    "reconnect_timeout": 2,
                    "connection_class": PatientConnection,
                },
                "connect_timeout": 4,
                "tcp_user_timeout": 4000,
                "keepalives_idle": 2,
                "keepalives_interval": 1,
                "keepalives_count": 2,
                "prepare_threshold": 1,
                # What is stopped in mid-transaction holds an account's lock for so long, and not for good. An import of
                # millions of rows computes for less between two statements.
                "options": "-c plan_cache_mode=force_generic_plan -c idle_in_transaction_session_timeout=10min",
            },
        }
    }
else:
    DATABASES = {
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": VAR_DIR / "tradeops.sqlite3",
            "OPTIONS": {
                "timeout": 20,
                # Taking the write lock at once avoids "database is locked" on upgrade.
                "transaction_mode": "IMMEDIATE",
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA busy_timeout=20000;",
            },
            "TEST": {"NAME": VAR_DIR / "test.sqlite3"},
        }
    }


# Redis: channel layer, cache, Celery -------------------------------------------------

REDIS_URL = environment.url("REDIS_URL", "redis", "rediss")

if REDIS_URL:
    CHANNEL_LAYERS = {
        "default": {
            "BACKEND": "channels_redis.core.RedisChannelLayer",
            "CONFIG": {
                "hosts": [{"address": REDIS_URL, "socket_connect_timeout": 2, "socket_timeout": 10}],
                "capacity": 1000,
                "expiry": 10,
            },
        }
    }
    CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": REDIS_URL,
            "OPTIONS": {"socket_connect_timeout": 2, "socket_timeout": 2},
            "KEY_PREFIX": "tradeops",
        }
    }
else:
    CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer", "CONFIG": {"capacity": 1000}}}
    CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}

CELERY_BROKER_URL = REDIS_URL or "memory://localhost/"
# Of one kind, unfinished at once: a sweep alone is up to 64.
JOBS_A_USER = environment.count("JOBS_A_USER", 200, 100_000)
# What has ended or fired is looked at for a while, and then forgotten at night.
JOBS_KEPT_DAYS = environment.count("JOBS_KEPT_DAYS", 30, 36_500)
FAILED_JOBS_KEPT_DAYS = environment.count("FAILED_JOBS_KEPT_DAYS", 180, 36_500)
ALERTS_KEPT_DAYS = environment.count("ALERTS_KEPT_DAYS", 365, 36_500)
CELERY_BEAT_SCHEDULER = "tradeops.core.jobs.beat:BeatScheduler"


# Files: static, and the lake ---------------------------------------------------------

environment.require_together("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
S3_BUCKET_NAME = environment.text("S3_BUCKET_NAME")
AWS_REGION = environment.text("AWS_REGION", "us-east-1")
AWS_S3_ENDPOINT_URL = environment.url("AWS_S3_ENDPOINT_URL", "http", "https")


def in_bucket(folder: str) -> dict:
    """A storage in `folder` of the bucket."""
    from botocore.config import Config  # not loaded where files are local

    return {
        "BACKEND": "storages.backends.s3.S3Storage",
        "OPTIONS": {
            "bucket_name": S3_BUCKET_NAME,
            "location": folder,
            "region_name": AWS_REGION,
            "endpoint_url": AWS_S3_ENDPOINT_URL or None,
            "access_key": environment.text("AWS_ACCESS_KEY_ID") or None,
            "secret_key": environment.text("AWS_SECRET_ACCESS_KEY") or None,
            "file_overwrite": True,
            "default_acl": None,
            "querystring_auth": True,
            # What is read is brought whole first: what is longer than this to a file, and not into memory.
            "max_memory_size": 2_621_440,
            # Path addressing is what S3-compatible servers on one host understand; and boto3 alone would
            # wait a minute for a store that hangs, five times over. Its "standard" way of trying again stops doing so
            # where a third of the requests fail for some minutes, and then a job of many requests never ends.
            "client_config": Config(
                connect_timeout=3,
                read_timeout=20,
                retries={"max_attempts": 3, "mode": "legacy"},
                s3={"addressing_style": "path" if AWS_S3_ENDPOINT_URL else "auto"},
            ),
        },
    }


def in_folder(name: str, **options) -> dict:
    """A storage in a folder of this machine."""
    storage = "django.core.files.storage.FileSystemStorage"
    return {"BACKEND": storage, "OPTIONS": {"location": VAR_DIR / name} | options}


STORAGES = {
    # Files that wait to be imported: taken in by one machine and read by a worker of another.
    "default": in_bucket("uploads") if S3_BUCKET_NAME else in_folder("files"),
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    "lake": in_bucket("") if S3_BUCKET_NAME else in_folder("lake", allow_overwrite=True),
}
STATIC_URL = "static/"
STATIC_ROOT = VAR_DIR / "static"
STATIC_ROOT.mkdir(exist_ok=True)
STATICFILES_DIRS = [BASE_DIR / "static"]
WHITENOISE_USE_FINDERS = True  # served from the source folders: no collect step before the first start

LAMBDA_API_URL = environment.url("LAMBDA_API_URL", "http", "https")


# Alpaca's prices: unset, the feed has none of them -----------------------------------------

ALPACA_KEY, ALPACA_SECRET = environment.text("ALPACA_KEY"), environment.text("ALPACA_SECRET")
ALPACA_URL = environment.url("ALPACA_URL", "ws", "wss") or "wss://stream.data.alpaca.markets/v2/iex"


# E-mail: unset, none is sent ------------------------------------------------------------

# smtp:// begins in the clear and changes to TLS where the port is 587; smtps:// is TLS from the start.
EMAIL_URL = environment.url("EMAIL_URL", "smtp", "smtps")
if EMAIL_URL:
    mail = urlsplit(EMAIL_URL)
    EMAIL_HOST, EMAIL_USE_SSL = mail.hostname, mail.scheme == "smtps"
    EMAIL_PORT = mail.port or (465 if EMAIL_USE_SSL else 25)
    EMAIL_USE_TLS = EMAIL_PORT == 587 and not EMAIL_USE_SSL
    EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = unquote(mail.username or ""), unquote(mail.password or "")
    EMAIL_TIMEOUT = 10
    DEFAULT_FROM_EMAIL = EMAIL_HOST_USER if "@" in EMAIL_HOST_USER else f"tradeops@{EMAIL_HOST}"


# Sign-in and doors -------------------------------------------------------------------

AUTH_USER_MODEL = "users.User"
AUTHENTICATION_BACKENDS = ["tradeops.core.users.backend.RoleBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
LOGIN_URL = "/desk/sign-in/"
LOGIN_REDIRECT_URL = "/desk/"
LOGOUT_REDIRECT_URL = "/desk/sign-in/"

SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
# A public desk stands behind TLS; on this machine alone plain http is served.
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = bool(FOREIGN_HOSTS)
if FOREIGN_HOSTS:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_HSTS_SECONDS = 31_536_000
    SECURE_HSTS_INCLUDE_SUBDOMAINS = True
    SECURE_HSTS_PRELOAD = True
# The redirect to https belongs to the proxy in front, which alone knows both ports.
SILENCED_SYSTEM_CHECKS = ["security.W008"]
CSRF_FAILURE_VIEW = "tradeops.errors.csrf_failure"
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"

SECURE_CSP = {
    "default-src": [CSP.NONE],
    "script-src": [CSP.SELF],
    "style-src": [CSP.SELF],
    "img-src": [CSP.SELF, "data:"],
    "font-src": [CSP.SELF],
    "connect-src": [CSP.SELF],
    "manifest-src": [CSP.SELF],
    "form-action": [CSP.SELF],
    "base-uri": [CSP.NONE],
    "frame-ancestors": [CSP.NONE],
    "object-src": [CSP.NONE],
}

CORS_ALLOWED_ORIGINS = environment.origins("CORS_ALLOWED_ORIGINS")
CORS_ALLOW_HEADERS = ("accept", "authorization", "content-type", "idempotency-key", "if-match", "x-csrftoken")
CORS_EXPOSE_HEADERS = ("etag", "idempotent-replayed", "retry-after", "x-request-id", "x-ratelimit-remaining")
CSRF_TRUSTED_ORIGINS = environment.origins("CSRF_TRUSTED_ORIGINS")

# Who may say for whom it asks (X-Forwarded-For): the addresses and networks of the proxy in front.
TRUSTED_PROXIES = environment.networks("TRUSTED_PROXIES", "127.0.0.1")

# Bounds on what a request may bring; `guard_body` refuses before a body is read.
JSON_MAX_BYTES = 1_048_576
UPLOAD_MAX_BYTES = 67_108_864
# A book brought in is read as a stream, in memory a few rows at a time.
IMPORT_MAX_BYTES, IMPORT_ADDRESSES = 268_435_456, ("/trades/import", "/desk/trades/import")
DATA_UPLOAD_MAX_MEMORY_SIZE = JSON_MAX_BYTES
FILE_UPLOAD_MAX_MEMORY_SIZE = 2_621_440
DATA_UPLOAD_MAX_NUMBER_FIELDS = 500
DATA_UPLOAD_MAX_NUMBER_FILES = 100
WEBSOCKET_MAX_BYTES = 65_536


# The API -----------------------------------------------------------------------------

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "tradeops.core.users.authentication.TokenAuthentication",
        "tradeops.core.users.authentication.DemoAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": [
        "rest_framework.permissions.IsAuthenticated",
        "tradeops.core.users.authentication.MayDo",
    ],
    "DEFAULT_THROTTLE_CLASSES": ["tradeops.core.users.throttling.ApiThrottle"],
    "DEFAULT_PARSER_CLASSES": ["tradeops.core.strict_json.StrictJSONParser"],
    "DEFAULT_RENDERER_CLASSES": [
        "rest_framework.renderers.JSONRenderer",
        "tradeops.core.browsable.BrowsableAPIRenderer",
    ],
    "DEFAULT_METADATA_CLASS": "tradeops.core.description.Description",
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "tradeops.core.negotiation.FormatFirst",
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "tradeops.core.api.problem_exception_handler",
}
VERSION = "0.1.0"
SPECTACULAR_SETTINGS = {
    "TITLE": "TradeOps",
    "DESCRIPTION": "A self-hosted trading operations desk: the book, live prices, backtests and the lake.",
    "VERSION": VERSION,
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_NAME_OVERRIDES": {
        "AccountKindEnum": "trades.models.AccountKind",
        "AlertKindEnum": "market.models.AlertKind",
        "AlertDirectionEnum": "market.models.Direction",
        "PriceSourceEnum": "market.models.Source",
        "ActivityKindEnum": "trades.models.ActivityKind",
        "PnlMethodEnum": "trades.models.PnlMethod",
        "BacktestDirectionEnum": "strategies.terms.DIRECTIONS",
        "BacktestSideEnum": "strategies.terms.SIDES",
    },
}


# Sight -------------------------------------------------------------------------------

METRICS_TOKEN = environment.text("METRICS_TOKEN")
if METRICS_TOKEN and len(METRICS_TOKEN) < 20:
    raise ImproperlyConfigured("METRICS_TOKEN is too short: use 20 random characters or more.")
LOG_FORMAT = environment.text("LOG_FORMAT", "line")
if LOG_FORMAT not in ("line", "json"):
    raise ImproperlyConfigured(f"LOG_FORMAT must be line or json, not {LOG_FORMAT!r}.")
SENTRY_DSN = environment.url("SENTRY_DSN", "http", "https")
OTEL_EXPORTER_OTLP_ENDPOINT = environment.url("OTEL_EXPORTER_OTLP_ENDPOINT", "http", "https")
for name, package in (("SENTRY_DSN", "sentry_sdk"), ("OTEL_EXPORTER_OTLP_ENDPOINT", "opentelemetry")):
    if environment.text(name) and find_spec(package) is None:
        raise ImproperlyConfigured(f"{name} is set, and what it needs is not installed: requirements-sight.txt.")


# Time, words, logs ---------------------------------------------------------------------

LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = False
FORMAT_MODULE_PATH = "tradeops.formats"  # the back office writes times as the desk does

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {
        "request_id": {"()": "tradeops.core.request_id.RequestIdFilter"},
        "refusal": {"()": "tradeops.core.request_id.RefusalFilter"},
    },
    "formatters": {
        "line": {"format": "{asctime} {levelname} {name} [{request_id}] {message}", "style": "{"},
        "json": {"()": "tradeops.core.request_id.JsonFormatter"},
    },
    "handlers": {
        "console": {"class": "logging.StreamHandler", "formatter": LOG_FORMAT, "filters": ["request_id", "refusal"]}
    },
    "root": {"handlers": ["console"], "level": "WARNING"},
    "loggers": {
        "tradeops": {"level": "INFO"},
        "market": {"level": "INFO"},
        "trades": {"level": "INFO"},
        "strategies": {"level": "INFO"},
        "analytics": {"level": "INFO"},
        "django.request": {"level": "ERROR"},
    },
}

sys.excepthook = sys.__excepthook__
