"""The function as AWS runs it: the packaged files under AWS's own runtime client, events by its API, S3 by moto."""

import json
import os
import queue
import re
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.analytics.test_lambda_function import (  # noqa: F401 - fixtures
    DAY,
    SOURCE,
    TARGET,
    TRADES,
    asked,
    bucket,
    payload_1,
    payload_2,
    s3_address,
)

pytestmark = pytest.mark.pure

DEPLOY = Path(__file__).resolve().parents[2] / "deploy" / "lambda"
ANSWERED = re.compile(r"/2018-06-01/runtime/(?:invocation/([^/]+)/(response|error)|(init)/error)")


class RuntimeAPI(ThreadingHTTPServer):
    """What stands between Lambda and a runtime: the next event out, its answer or its error in."""

    daemon_threads = True

    def __init__(self):
        self.events, self.told = queue.Queue(), queue.Queue()
        super().__init__(("127.0.0.1", 0), Exchange)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def invoke(self, event: object) -> tuple[str, dict]:
        """("response" or "error", what was answered)."""
        self.events.put(json.dumps(event).encode())
        return self.told.get(timeout=60)


class Exchange(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):  # noqa: N802
        headers = {"Lambda-Runtime-Aws-Request-Id": "request-1", "Lambda-Runtime-Deadline-Ms": "9999999999999"}
        headers["Lambda-Runtime-Invoked-Function-Arn"] = "arn:aws:lambda:us-east-1:123456789012:function:moneyai"
        self.answer(200, self.server.events.get(), headers)

    def do_POST(self):  # noqa: N802
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        _, outcome, init = ANSWERED.fullmatch(self.path).groups()
        self.answer(202, b'{"status": "OK"}', {})
        self.server.told.put((outcome or f"{init} error", body))

    def answer(self, status: int, body: bytes, headers: dict) -> None:
        self.send_response(status)
        for name, value in (headers | {"Content-Type": "application/json", "Content-Length": str(len(body))}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def runtime(tmp_path):
    """`runtime(handler)` starts AWS's runtime client on the packaged function and gives its API."""
    subprocess.run(["make", "-s", "-C", DEPLOY, "package", f"PACKAGE={tmp_path}/package"], check=True)
    api, started = RuntimeAPI(), []

    def start(handler: str = "analytics.lambda_function.handler") -> RuntimeAPI:
        environment = os.environ | {"AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{api.server_port}", "PYTHONPATH": ""}
        environment |= {"LAMBDA_TASK_ROOT": str(tmp_path / "package"), "AWS_LAMBDA_FUNCTION_NAME": "moneyai"}
        command = [sys.executable, "-m", "awslambdaric", handler]
        log = subprocess.DEVNULL
        started.append(subprocess.Popen(command, env=environment, cwd=tmp_path / "package", stdout=log, stderr=log))
        return api

    yield start
    api.shutdown()
    api.server_close()
    for process in started:
        process.kill()
        process.wait()


def test_the_packaged_function_answers_both_payloads_and_tells_its_errors(runtime, bucket):  # noqa: F811
    bucket.put_object(Key=SOURCE, Body=TRADES)
    api = runtime()
    for event in (payload_1(asked(date=DAY)), payload_2(asked(date=DAY)), {"date": DAY}):
        outcome, answer = api.invoke(event)
        assert (outcome, answer["statusCode"], answer["headers"]["Content-Type"]) == (
            "response",
            200,
            "application/json",
        )
        assert json.loads(answer["body"])["tickers"][0]["volume"] == "140"
    assert b"AAPL,2,1,1,140" in bucket.Object(TARGET).get()["Body"].read()
    told = [api.invoke(event)[1] for event in ({"date": "2025-01-16"}, payload_2("{"), payload_1(asked(day=DAY)))]
    assert [(answer["statusCode"], json.loads(answer["body"])["error"]) for answer in told] == [
        (404, "no_trades_file"), (400, "bad_json"), (400, "unknown_field"),
    ]  # fmt: skip


def test_a_handler_that_is_not_there_is_an_error_of_the_start(runtime):
    outcome, answer = runtime("analytics.lambda_function.nothing").told.get(timeout=60)
    assert (outcome, answer["errorType"]) == ("init error", "Runtime.HandlerNotFound")


def test_the_template_is_one_that_aws_takes():
    done = subprocess.run(
        [Path(sys.executable).parent / "cfn-lint", "--regions", "us-east-1", "--", DEPLOY / "template.yaml"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "")
