"""An answer that fails on its way is never taken for whole, and keeps nobody waiting."""

import subprocess
import sys

import pytest
import requests

from tests.desk import ROOT
from tests.worlds import free_port, stop, wait_for_port

pytestmark = pytest.mark.embedded


@pytest.fixture(scope="module")
def url():
    port = free_port()
    process = subprocess.Popen([sys.executable, "-m", "tests.faults.failing_server", str(port)], cwd=ROOT)
    wait_for_port(port, process)
    yield f"http://127.0.0.1:{port}"
    stop(process)


# Twice: what the first did must not have ended the server's care for those after it.
@pytest.mark.parametrize("time", ["first", "second"])
@pytest.mark.parametrize("path", ["/midway", "/midway?outage"])
def test_what_fails_midway_is_cut(url, path, time):
    with pytest.raises(requests.RequestException):
        requests.get(url + path, timeout=60)


@pytest.mark.parametrize(("path", "status"), [("/at-once", 500), ("/at-once?outage", 503)])
def test_what_fails_before_a_word_is_said_is_a_problem(url, path, status):
    answer = requests.get(url + path, timeout=60)
    assert (answer.status_code, answer.json()["status"]) == (status, status)
    assert answer.json()["request_id"] == answer.headers["X-Request-ID"]
    assert answer.headers.get("Retry-After") == ("5" if status == 503 else None)


def test_others_are_served(url):
    assert requests.get(url + "/", timeout=60).text == "first and last"
