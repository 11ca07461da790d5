"""Hostile requests over the wire: none is answered with a 5xx, each refusal names what is wrong, memory stays flat."""

import http.client
import json
import random
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.desk import Desk
from tests.faults import test_hostile as lists
from tests.faults.addresses import fill, own_routes
from tests.proof.ground import Ground
from tests.proof.memory import resident_bytes, web_process
from tests.proof.register import tries

SAMPLE, SEED = 1500, 7
JSON = {"Content-Type": "application/json"}
BOOK = "^/(accounts|activities|approvals|portfolio|positions|reconciliations|round-trips|trades)"
# What a schema-driven tester may call: everything that stands in /schema.
SCHEMATHESIS = (
    "--no-color", "run", "--checks", "not_a_server_error,content_type_conformance", "--phases",
    "examples,coverage,fuzzing", "-n", "25", "--generation-deterministic", "--continue-on-failure",
    "--suppress-health-check", "all", "--report", "json", "--report-json-path", "report.json",
)  # fmt: skip


@dataclass(frozen=True)
class Attempt:
    method: str
    path: str
    headers: dict
    body: bytes | None = None

    def __str__(self) -> str:
        return f"{self.method} {self.path[:90]} {str(self.headers)[:90]} {(self.body or b'')[:90]!r}"


# Our own list ------------------------------------------------------------------------------


@tries("P07", "1,500 of our own hostile queries, paths, bodies, files and headers over the wire", minutes=8)
def our_own_requests_make_no_fault(ground: Ground) -> str:
    desk = ground.up("--no-feed")
    attempts = hostile_attempts(existing(desk))
    random.Random(SEED).shuffle(attempts)
    wire, seen = Wire(desk), Counter()
    for attempt in attempts[:SAMPLE]:
        seen[wire.check(attempt) // 100] += 1
    named = refused_fields(wire)
    assert "Traceback" not in desk.log.read_text(), "a stack trace stands in the log"
    families = ", ".join(f"{count} × {family}xx" for family, count in sorted(seen.items()))
    return (
        f"{sum(seen.values()):,} of {len(attempts):,} requests sent: {families}; {named} wrong fields refused by name"
    )


def existing(desk: Desk) -> dict[str, str]:
    """Ids that are there, so that what is refused is the input."""
    body = {"ticker": "AAPL", "quantity": 1, "price": 1, "trade_type": "BUY"}
    trade = desk.post("/trades/", json=body).json()
    return {"trade_id": str(trade["id"]), "account_id": str(trade["account"])}


def hostile_attempts(filled: dict[str, str]) -> list[Attempt]:
    lists.FILLED.update(filled)
    made = []
    for route in own_routes():
        path = fill(route)
        made += [Attempt("GET", path + query, {}) for query in lists.QUERIES]
        made += [Attempt(method, path, JSON, body) for method in ("POST", "PUT", "PATCH") for body in lists.BODIES]
        made += [Attempt("POST", path, {"Content-Type": "text/csv"}, file) for file in lists.FILES.values()]
        made += [Attempt("POST", path, form_headers(), as_form(name, file)) for name, file in lists.FILES.items()]
        values = lists.VALUES if "<" in route else []
        made += [Attempt(m, fill(route, v), {}) for v in values for m in ("GET", "POST", "PUT", "PATCH", "DELETE")]
        made += [Attempt(m, path, {n: v}) for n in HEADERS for v in HEADER_VALUES for m in ("GET", "DELETE")]
    booked = f"/trades/{filled['trade_id']}"  # voided, it would refuse all else for that
    return [attempt for attempt in made if not (attempt.method == "DELETE" and booked in attempt.path)]


FORWARDED = "/moneyai"
HEADERS = ("Accept", "Content-Type", "If-Match", "Idempotency-Key", "X-Request-ID", "Cookie", "Authorization", "Origin")
HEADER_VALUES = ("x" * 5000, '"', '"-1"', "*/*;q=x", "../", "\u00ff", "bytes=0-", "\t")


def form_headers() -> dict[str, str]:
    return {"Content-Type": "multipart/form-data; boundary=hostile"}


def as_form(name: str, content: bytes) -> bytes:
    head = f'--hostile\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
    return head.encode() + content + b"\r\n--hostile--\r\n"


class Wire:
    """One connection to a desk, opened anew when the desk closes it."""

    def __init__(self, desk: Desk):
        self.connection = http.client.HTTPConnection("127.0.0.1", desk.port, timeout=60)

    def send(self, attempt: Attempt) -> tuple[int, str, bytes]:
        try:
            return self.send_once(attempt)
        except (OSError, http.client.HTTPException):  # the desk closed a connection that was kept
            self.connection.close()
            return self.send_once(attempt)

    def send_once(self, attempt: Attempt) -> tuple[int, str, bytes]:
        self.connection.request(attempt.method, attempt.path, attempt.body, attempt.headers)
        answer = self.connection.getresponse()
        return answer.status, answer.headers.get("Content-Type", ""), answer.read()

    def check(self, attempt: Attempt) -> int:
        status, kind, body = self.send(attempt)
        assert status < 500, f"{status} for {attempt}: {body[:200]!r}"
        if status >= 400 and attempt.method != "HEAD" and not kind.startswith("text/html"):
            if attempt.path.startswith(FORWARDED):
                return status  # the Lambda function's own answer, handed on as it is
            assert kind == "application/problem+json", f"{status} as {kind!r} for {attempt}"
            problem = json.loads(body)
            assert problem["status"] == status and problem["detail"], f"{status} without a reason for {attempt}"
        return status


WRONG = {
    "ticker": [None, True, "", "aapl", "A" * 17, "\u0000", "😀", [], {}],
    "quantity": [None, True, "", "x", 0, -1, "1e40", "NaN", "1_0", "٣", [], {}, "0." + "1" * 13],
    "price": [None, False, "", "Infinity", 0, -0.01, "9" * 17, "0x10", [1]],
    "trade_type": [None, "", "HOLD", "buy ", 1, ["BUY"]],
    "fees": [None, -1, "x", "1e-13", {}],
    "executed_at": ["", "today", 5, "2025-02-30T00:00:00Z", "2025-01-01T00:00:00", "9999-12-31T23:59:59Z"],
    "account": [None, 0, -1, "x", 10**30, 1.5, [], 987654321],
    "tags": ["x", [1, {}], ["a,b"], ["x"] * 21, {"a": 1}],
    "strategy": [True, "x" * 81, [], {}],
    "note": [[], "x" * 2001, {}],
    "client_trade_id": [[], "x" * 129, {}],
    "unknown": [1],
}  # fmt: skip


def refused_fields(wire: Wire) -> int:
    """Sends each wrong value of each field of a trade; the refusal must name that field. How many there were."""
    count = 0
    for name, values in WRONG.items():
        for value in values:
            body = {"ticker": "AAPL", "quantity": 1, "price": 1, "trade_type": "BUY"} | {name: value}
            status, _, answer = wire.send(Attempt("POST", "/trades/", JSON, json.dumps(body).encode()))
            assert status == 400, f"{name} {value!r:.60} is {status}: {answer[:200]!r}"
            fields = {error["field"].partition(".")[0] for error in json.loads(answer).get("errors", [])}
            nul = name == "ticker" and value == "\u0000"
            assert fields == {name} or nul, f"{name} {value!r:.60} is refused as {fields}"
            count += 1
    return count


# The whole schema ------------------------------------------------------------------------------


def schemathesis_makes_no_fault(ground: Ground, choice: str) -> str:
    """Tries the operations of the book, or all others, by `choice`: in two parts neither takes too long."""
    desk = ground.up("--no-feed")
    program = str(Path(sys.executable).with_name("schemathesis"))
    command = [program, *SCHEMATHESIS, choice, BOOK, desk.url + "/schema", "-u", desk.url]
    done = subprocess.run(command, cwd=ground.folder, capture_output=True, text=True, check=False)
    report = ground.folder / "report.json"
    assert report.exists(), done.stdout[-500:] + done.stderr[-500:]
    found = json.loads(report.read_text())
    operations, cases = found["operations"], found["test_cases"]
    assert not found["failures"] and not found["errors"], first_failure(found)
    assert operations["tested"] == operations["selected"] > 0, f"operations: {operations}"
    assert "Traceback" not in desk.log.read_text(), "a stack trace stands in the log"
    told = f"{operations['tested']} of {operations['total']} operations"
    return f"{cases['generated']:,} cases over {told}, no 5xx, no undocumented type"


for words, choice in (("the book's part of", "--include-path-regex"), ("the rest of", "--exclude-path-regex")):
    tried = f"Schemathesis over {words} the schema: examples, coverage, fuzzing"
    tries("P07", tried, minutes=9)(partial(schemathesis_makes_no_fault, choice=choice))


def first_failure(found: dict) -> str:
    failures = [f"{one['title']} at {', '.join(one['operations'][:3])}" for one in found["failures"]]
    return "; ".join(failures or [str(found["errors"])[:300]])


# Bounds -----------------------------------------------------------------------------------------


TRADE = b'{"ticker": "AAPL", "quantity": 1, "price": 1, "trade_type": "BUY"'
HEAVY = [
    (413, "POST", "/trades/", TRADE + b', "note": "' + b"x" * 1_100_000 + b'"}'),
    (400, "POST", "/trades/", b"[" * 65 + b"]" * 65),
    (400, "POST", "/trades/", b"[" * 500_000),
    (400, "POST", "/trades/", b'{"a": ' * 40_000 + b"1" + b"}" * 40_000),
    (400, "POST", "/trades/", TRADE + b', "price": 2}'),
    (400, "POST", "/trades/", TRADE + b', "tags": [' + b'"x", ' * 100_000 + b'"x"]}'),
    (400, "POST", "/trades/", b"{" + b", ".join(b'"k%d": 1' % n for n in range(60_000)) + b"}"),
    (400, "POST", "/trades/", TRADE.replace(b'"price": 1', b'"price": ' + b"9" * 500_000) + b"}"),
    (400, "POST", "/trades/", TRADE.replace(b'"price": 1', b'"price": 1e' + b"9" * 5000) + b"}"),
    (400, "POST", "/trades/", b'"' + b"\\ud800" * 100_000 + b'"'),
    (400, "GET", "/trades/?page_size=1001", None),
    (400, "GET", "/trades/?" + "&".join(f"a{n}=1" for n in range(1200)), None),
    (400, "GET", "/trades/?ticker=" + ",".join(f"T{n}" for n in range(2500)), None),
    (414, "GET", "/trades/?ticker=" + "A" * 20_000, None),
    (400, "POST", "/algorithm/run?strategy=x", b"date,close\n" + b"2024-01-01,1\n" * 50_000),
    (415, "POST", "/trades/", b"\x1f\x8b" + b"\0" * 500_000),
]
BODIES, WARM_UP, GROWTH_BYTES = 1000, 300, 20_000_000


@tries(
    "P09", "1,000 hostile bodies and queries: size, depth, keys, symbols, pages, duplicates; memory before and after"
)
def input_is_bounded(ground: Ground) -> str:
    server = ground.up("--no-feed")
    web, wire = web_process(server), Wire(server)
    for number in range(WARM_UP):
        send_heavy(wire, number)
    before = resident_bytes(web)
    seen = Counter(send_heavy(wire, number) for number in range(BODIES))
    growth = resident_bytes(web) - before
    assert growth <= GROWTH_BYTES, f"the web process grew by {growth / 1e6:.1f} MB"
    assert server.get("/trades/").status_code == 200
    at_depth(wire)
    kinds = ", ".join(f"{count} × {status}" for status, count in sorted(seen.items()))
    return f"{kinds}; the web process grew by {max(growth, 0) / 1e6:.1f} MB"


def send_heavy(wire: Wire, number: int) -> int:
    expected, method, path, body = HEAVY[number % len(HEAVY)]
    headers = {"Content-Type": "text/csv" if "algorithm" in path else "application/json"}
    if body and body.startswith(b"\x1f"):
        headers["Content-Encoding"] = "gzip"
    attempt = Attempt(method, path, headers, body)
    status, _, answer = wire.send(attempt)
    assert status == expected, f"{status} for {attempt}: {answer[:200]!r}"
    return status


def at_depth(wire: Wire) -> None:
    """64 levels are read (and refused for what they say), 65 are too deep."""
    answers = [wire.send(Attempt("POST", "/trades/", JSON, b"[" * depth + b"]" * depth))[2] for depth in (64, 65)]
    details = [json.loads(answer)["detail"] for answer in answers]
    assert details[0] != details[1] and "deep" in details[1], details
