"""Long lists as a download: a page of rows is in memory at a time, however many there are."""

from collections.abc import AsyncIterator, Iterator

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.db.models import QuerySet
from django.http import HttpRequest, StreamingHttpResponse
from rest_framework.renderers import JSONRenderer

from .pagination import KeysetPagination

ROWS_AT_ONCE = 2000


class CsvRenderer(JSONRenderer):
    """Makes `?format=csv` known. The rows are streamed past it; what it renders are refusals."""

    media_type = "text/csv"
    format = "csv"


def pages_of(rows: QuerySet, ordering: tuple[str, ...]) -> Iterator[list]:
    """All of `rows`, by position and not by offset, so that the last page costs what the first does."""
    ordered, position = rows.order_by(*ordering), None
    while True:
        rest = ordered if position is None else KeysetPagination().beyond(ordered, ordering, position)
        page = list(rest[:ROWS_AT_ONCE])
        if page:
            yield page
        if len(page) < ROWS_AT_ONCE:
            return
        position = [getattr(page[-1], column.lstrip("-")) for column in ordering]


def csv_response(request: HttpRequest, texts: Iterator[str | bytes], name: str) -> StreamingHttpResponse:
    """`texts`, one after another, as the CSV file `name`."""
    return download(request, texts, name, "text/csv; charset=utf-8")


def download(request: HttpRequest, texts: Iterator[str | bytes], name: str, content_type: str) -> StreamingHttpResponse:
    """`texts`, one after another, as the file `name`."""
    content = _as_async(texts) if isinstance(request, ASGIRequest) else texts
    response = StreamingHttpResponse(content, content_type=content_type)
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


async def _as_async(texts: Iterator[str | bytes]) -> AsyncIterator[str | bytes]:
    # Handed to an ASGI server as it is, a plain iterator would be gathered whole first.
    while (text := await sync_to_async(next)(texts, None)) is not None:
        yield text
