"""Errors to Sentry and traces to OpenTelemetry: each where its setting names a receiver, and else not even loaded.

What leaves is what is needed to find a fault: no bodies, queries or headers, no variables of the stack, nobody's name
or address, and not whom the desk itself called, for the address of a webhook is a secret. Each error and trace bears
the id of the request it belongs to, as log lines and answers do.
"""

import logging
import sys
import threading
from types import TracebackType

from django.conf import settings

from tradeops.core.request_id import current_request_id

logger = logging.getLogger(__name__)
SELDOM_SECONDS = 600


def begin() -> None:
    """Called once in every process, when Django is set up and before it serves."""
    if settings.LOG_FORMAT == "json":
        sys.excepthook = tell_uncaught
        threading.excepthook = lambda end: tell_uncaught(end.exc_type, end.exc_value, end.exc_traceback)
    if settings.SENTRY_DSN:
        tell_errors()
    if settings.OTEL_EXPORTER_OTLP_ENDPOINT:
        tell_traces()


def tell_uncaught(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
    """What ends a process or a thread is a line of the log as well, where Python would print lines of its own."""
    if issubclass(kind, Exception):
        logger.critical("Ended by an error that nobody caught.", exc_info=(kind, error, trace))


def tell_errors() -> None:
    import sentry_sdk

    sentry_sdk.init(
        dsn=settings.SENTRY_DSN,
        release=settings.VERSION,
        send_default_pii=False,
        include_local_variables=False,
        max_request_body_size="never",
        before_send=pared,
        before_breadcrumb=log_lines_alone,
        trace_propagation_targets=[],  # who receives a webhook is told nothing of us
    )
    tell_seldom("urllib3.connectionpool")  # by which Sentry's errors go


def pared(event: dict, hint: dict) -> dict:
    """The error with its request's id, and of the request itself no more than method and path."""
    event.setdefault("tags", {})["request_id"] = current_request_id.get()
    request = event.get("request", {})
    event["request"] = {name: request[name] for name in ("method", "url") if name in request}
    return event


def log_lines_alone(crumb: dict, hint: dict) -> dict | None:
    """Of what led to an error, the log's lines: a call to somewhere else would be told with its whole address."""
    return crumb if crumb.get("type") == "log" else None


class Seldom(logging.Filter):
    """Lets a line through once in ten minutes: a receiver that is away is not told of with every batch."""

    next_at = 0.0

    def filter(self, record: logging.LogRecord) -> bool:
        if record.created < self.next_at:
            return False
        self.next_at = record.created + SELDOM_SECONDS
        return True


def tell_seldom(name: str) -> None:
    logging.getLogger(name).addFilter(Seldom())


def tell_traces() -> None:
    from opentelemetry import trace
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.instrumentation.celery import CeleryInstrumentor
    from opentelemetry.instrumentation.django import DjangoInstrumentor
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(
        resource=Resource.create({"service.name": "tradeops", "service.version": settings.VERSION})
    )
    endpoint = f"{settings.OTEL_EXPORTER_OTLP_ENDPOINT.rstrip('/')}/v1/traces"
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint)))
    tell_seldom("opentelemetry.exporter.otlp.proto.http.trace_exporter")
    trace.set_tracer_provider(provider)
    DjangoInstrumentor().instrument(request_hook=pare, response_hook=name_request)
    CeleryInstrumentor().instrument()


# The older and the newer words of OpenTelemetry for the same.
WITH_QUERY = ("http.url", "url.full", "http.target")
LEFT_OUT = ("url.query", "net.peer.ip", "client.address", "http.client_ip", "http.user_agent", "user_agent.original")


def pare(span, request) -> None:
    """Takes out of a request's trace what was asked for and who asked, and from where."""
    told = getattr(span, "attributes", None) or {}  # one that is not sampled has none
    for name, value in dict(told).items():
        if name in WITH_QUERY:
            span.set_attribute(name, str(value).partition("?")[0])
        elif name in LEFT_OUT:
            span.set_attribute(name, "")


def name_request(span, request, response) -> None:
    span.set_attribute("request_id", getattr(request, "request_id", "-"))
