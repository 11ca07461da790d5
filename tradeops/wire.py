"""What stands between a WSGI server and Django: bodies without an announced length, the proxy's headers, whole answers.

A WSGI server hands a request over as soon as its headers are there. Django reads as many bytes as were
announced, and of a body sent in chunks, which announces nothing, none: here it is read first, up to the
bound of its kind, and its length told.
"""

import tempfile
from collections.abc import Callable, Iterable

from django.conf import settings
from granian.utils.proxies import wrap_wsgi_with_proxy_headers

from tradeops.middleware import body_limit

Application = Callable[[dict, Callable], Iterable[bytes]]
READ_AT_ONCE = 65_536
ANSWER = "tradeops.answer"  # where our handler leaves what it answers
PROXY_SAYS = wrap_wsgi_with_proxy_headers(lambda environ, start_response: environ, settings.TRUSTED_PROXIES)


def application_for(django_application: Application) -> Application:
    """Django's application as our servers call it."""
    return with_chunked_bodies(with_whole_answers(django_application))


def as_client_sent(environ: dict) -> dict:
    """The request as it was sent to the proxy: behind one of ours, address and scheme stand in its headers."""
    return PROXY_SAYS(environ, None) if settings.FOREIGN_HOSTS else environ


def with_chunked_bodies(application: Application) -> Application:
    def run(environ: dict, start_response: Callable) -> Iterable[bytes]:
        environ = as_client_sent(environ)
        if "HTTP_TRANSFER_ENCODING" in environ:
            announce_length(environ)
        return application(environ, start_response)

    return run


def limit_of(environ: dict) -> int:
    """How many bytes the request's body may have, by its kind and address."""
    return body_limit(environ.get("CONTENT_TYPE", "").partition(";")[0].strip().lower(), environ["PATH_INFO"])


def announce_length(environ: dict) -> None:
    """Reads the body, as far as one byte above what is taken, and tells its length to `guard_body`."""
    left = limit_of(environ) + 1
    body = tempfile.SpooledTemporaryFile(settings.FILE_UPLOAD_MAX_MEMORY_SIZE)  # noqa: SIM115 - Django reads it
    while left > 0 and (data := environ["wsgi.input"].read(min(left, READ_AT_ONCE))):
        body.write(data)
        left -= len(data)
    environ["CONTENT_LENGTH"] = str(body.tell())
    body.seek(0)
    environ["wsgi.input"] = body


def with_whole_answers(application: Application) -> Application:
    """An answer that is all there is handed over as a list, which a server sends in one piece."""

    def run(environ: dict, start_response: Callable) -> Iterable[bytes]:
        application(environ, start_response)
        response = environ.pop(ANSWER)  # and not what came back, which Sentry's has wrapped
        if response.streaming:
            return response
        response.close()
        return [response.content]

    return run
