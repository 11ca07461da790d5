"""Errors and traces to receivers elsewhere: what leaves where they are named, and that nothing is loaded where not."""

import gzip
import json
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.worlds import environment_of

pytestmark = [pytest.mark.pure]

ROOT = Path(__file__).resolve().parent.parent
LOADED = "import sys, tradeops.wsgi; print(sorted({'sentry_sdk', 'opentelemetry'} & set(sys.modules)))"
FAIL = """
import logging, requests, sys
import tradeops.wsgi
from django.test import Client, RequestFactory
from tradeops.core.request_id import working_for

def book(password):
    requests.get(sys.argv[1] + "/".join(["canary", "in", "address"]))
    logging.getLogger("trades").warning("A line before the fault.")
    raise RuntimeError("a fault nobody foresaw")

headers = {"host": "127.0.0.1", "user-agent": "-".join(["canary", "in", "header"])}
Client(headers=headers).get("/health/live?secret=" + "-".join(["canary", "in", "query"]))
asked = RequestFactory(headers=headers).get("/health/live").environ
assert tradeops.wsgi.application(asked, lambda *said: None) == [b'{"status": "ok"}']  # as the web processes answer
with working_for("request-1234"):
    try:
        book("-".join(["canary", "in", "variable"]))  # the lines themselves are told
    except RuntimeError:
        logging.getLogger("trades").exception("It failed.")
import sentry_sdk
from opentelemetry import trace
sentry_sdk.flush(60)
trace.get_tracer_provider().force_flush(60_000)
"""


@pytest.fixture
def receiver():
    """A server that keeps what it is sent, by address."""
    heard: dict[str, bytes] = {}

    class Keeper(BaseHTTPRequestHandler):
        def do_POST(self):  # noqa: N802 - the library's name
            body = self.rfile.read(int(self.headers["Content-Length"]))
            heard[self.path] = heard.get(self.path, b"") + unpacked(body, self.headers["Content-Encoding"])
            self.send_response(200)
            self.end_headers()

        def do_GET(self):  # noqa: N802 - the library's name
            heard[self.path] = str(self.headers).lower().encode()
            self.send_response(204)
            self.end_headers()

        def log_message(self, *words):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Keeper)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    server.heard = heard
    yield server
    server.shutdown()


def unpacked(body: bytes, encoding: str | None) -> bytes:
    return gzip.decompress(body) if encoding == "gzip" else body


def run(program: str, folder: Path, *arguments: str, **settings: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        env=environment_of(settings, folder),
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_with_neither_named_neither_is_loaded(tmp_path):
    assert run(LOADED, tmp_path) == "[]\n"


def test_errors_and_traces_go_where_they_are_told_without_anybodys_secrets(tmp_path, receiver):
    place = f"127.0.0.1:{receiver.server_port}"
    receivers = {"SENTRY_DSN": f"http://key@{place}/7", "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{place}/"}
    run(FAIL, tmp_path, f"http://{place}/", **receivers)
    called = receiver.heard.pop("/canary/in/address")
    assert set(receiver.heard) == {"/api/7/envelope/", "/v1/traces"}
    error, trace = receiver.heard["/api/7/envelope/"], receiver.heard["/v1/traces"]
    assert b"a fault nobody foresaw" in error and b'"request_id":"request-1234"' in error
    assert b"health/live" in trace and b"tradeops" in trace
    assert b"A line before the fault." in error and b"canary/in/address" not in error + trace
    assert b"sentry-trace" not in called and b"baggage" not in called
    assert b"canary-in-variable" not in error and b"canary-in-query" not in error + trace
    assert b"request_id" in trace and b"canary-in-header" not in trace


def test_what_ends_a_process_or_a_thread_is_a_line_of_json_too(tmp_path):
    program = """
import threading, tradeops.wsgi
def fail(): raise ValueError("of a thread")
thread = threading.Thread(target=fail); thread.start(); thread.join()
raise ValueError("of the process")
"""
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment_of({"LOG_FORMAT": "json"}, tmp_path), capture_output=True,
        text=True, cwd=ROOT, check=False, timeout=60,
    )  # fmt: skip
    told = [json.loads(line) for line in done.stderr.splitlines()]
    assert ["of a thread" in told[0]["exception"], "of the process" in told[1]["exception"]] == [True, True]
    assert (done.returncode, len(told)) == (1, 2)
