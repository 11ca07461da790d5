"""The id of the request being answered: in every answer, on every log line, and on those of the job that it owed."""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime

current_request_id: ContextVar[str] = ContextVar("request_id", default="-")


@contextmanager
def working_for(request_id: str) -> Iterator[None]:
    """What is done inside is done for that request."""
    token = current_request_id.set(request_id)
    try:
        yield
    finally:
        current_request_id.reset(token)


class JsonFormatter(logging.Formatter):
    """A line of JSON for each record, for machines that collect logs."""

    def format(self, record: logging.LogRecord) -> str:
        told = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname,
            "logger": record.name,
            "request_id": getattr(record, "request_id", "-"),
            "message": record.getMessage(),
        }
        if record.exc_info:
            told["exception"] = self.formatException(record.exc_info)
        return json.dumps(told, ensure_ascii=False)


class RequestIdFilter(logging.Filter):
    """Puts the id of the request being answered on every log line."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = current_request_id.get()
        return True


class RefusalFilter(logging.Filter):
    """Leaves the stack out of what Django says of a request that was refused, or met an outage: a line is enough."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name.startswith("django.security") or getattr(record, "status_code", None) == 503:
            record.exc_info = None
        return True
