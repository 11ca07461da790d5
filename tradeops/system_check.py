"""The walk through a running system, part by part, with real calls from outside: what `check_system` prints.

Each step is a function that returns what it saw, in words, or raises CheckFailed. A step changes nothing, but for the
export of a day, which may be made again at any time, and the trade that is booked and voided where that was allowed.
"""

import ssl
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

import requests

from tradeops.socket_probe import SocketProbe

ADDRESSES = (
    "/health /trades/ /trades/stats /positions/ /algorithm/run /algorithm/sample /algorithm/help "
    "/analytics/process /tickers/ /tickers/{ticker}/average /moneyai"
).split()
TICKER = "AAPL"
JOB_SECONDS = 90
SILENT_SECONDS = 15


class CheckFailed(Exception):
    """A part of the system is not as it should be; the text says what was seen."""


class Skipped(Exception):
    """A step that was not allowed; the text says how to allow it."""


@dataclass(frozen=True)
class Result:
    """How one step went: "ok", "FAIL" or "skip", and what was seen."""

    name: str
    mark: str
    seen: str


class System:
    """A running TradeOps, as a program sees it."""

    def __init__(
        self, base_url: str, token: str | None = None, may_book: bool = False, ca: str | None = None,
        timeout: float = 40,
    ):  # fmt: skip
        """`ca` is a file with the certificates to trust; None trusts the well-known authorities."""
        self.base_url, self.token, self.timeout = base_url.rstrip("/"), token, timeout
        self.may_book, self.ca = may_book, ca
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.verify = ca or True
        self.session.headers.update({"Accept": "application/json", "User-Agent": "tradeops-check"})
        if token:
            self.session.headers["Authorization"] = f"Bearer {token}"
        self.exported_day: str | None = None

    def call(self, method: str, path: str, expect: int = 200, **options) -> requests.Response:
        """The answer, if its status is the expected one."""
        url = path if path.startswith(self.base_url) else self.base_url + path
        response = self.session.request(method, url, timeout=self.timeout, allow_redirects=False, **options)
        if response.status_code == 401:
            raise CheckFailed(f"{method} {path} wants a sign-in: give --token, or run the demo")
        if response.status_code != expect:
            raise CheckFailed(f"{method} {path} answered {response.status_code}, not {expect}: {words_of(response)}")
        return response

    def get(self, path: str, **options):
        return self.call("GET", path, **options).json()


def words_of(response: requests.Response) -> str:
    """What an answer says to people: a problem's own sentence, or else its first words."""
    try:
        return str(response.json()["detail"])[:200]
    except (ValueError, KeyError, TypeError):
        return response.text[:200]


def walk(system: System) -> Iterator[Result]:
    """Every step in turn; one that fails stops none of the others."""
    for name, step in STEPS.items():
        try:
            yield Result(name, "ok", step(system))
        except Skipped as reason:
            yield Result(name, "skip", str(reason))
        except CheckFailed as failure:
            yield Result(name, "FAIL", str(failure))
        except (requests.exceptions.SSLError, ssl.SSLError):
            yield Result(name, "FAIL", "its certificate is not trusted: name your own authority's file with --ca")
        except (requests.RequestException, OSError) as error:
            yield Result(name, "FAIL", f"no answer: {type(error).__name__}")
        except (KeyError, IndexError, TypeError, ValueError, InvalidOperation) as error:
            yield Result(name, "FAIL", f"the answer is not of the shape that was promised: {error!r}"[:200])


def demand(is_so: bool, otherwise: str) -> None:
    if not is_so:
        raise CheckFailed(otherwise)


# --- the steps


def check_overview(system: System) -> str:
    answer = system.get("/")
    demand(answer["name"] == "TradeOps", f"this is {answer['name']!r} and not TradeOps")
    return f"TradeOps {answer['version']}, {len(answer['endpoints'])} endpoints"


def check_health(system: System) -> str:
    response = system.session.get(f"{system.base_url}/health", timeout=system.timeout)
    answer = response.json()
    ill = [f"{name}: {part.get('detail', part['status'])}" for name, part in answer["checks"].items() if is_ill(part)]
    demand(answer["status"] == "ok", f"{answer['status']}: {'; '.join(ill)}")
    return f"ok: {', '.join(answer['checks'])}"


def is_ill(part: dict) -> bool:
    return part["status"] not in ("ok", "off")


def check_documentation(system: System) -> str:
    demand(
        "swagger" in system.call("GET", "/docs", headers={"Accept": "text/html"}).text.lower(), "/docs is no Swagger UI"
    )
    schema = system.call("GET", "/schema", headers={"Accept": "application/vnd.oai.openapi+json"}).json()
    demand(schema["openapi"].startswith("3.1"), f"the schema is OpenAPI {schema['openapi']}, not 3.1")
    known = {path.rstrip("/") for path in schema["paths"]}
    missing = [path for path in ADDRESSES if path != "/health" and path.rstrip("/") not in known]
    demand(not missing, f"the schema lacks {', '.join(missing)}")
    return f"{len(schema['paths'])} addresses in the schema"


def check_book(system: System) -> str:
    trades, statistics = system.get("/trades/"), system.get("/trades/stats")
    positions = system.get("/positions/")
    count = len(positions["results"] if isinstance(positions, dict) else positions)
    return f"{statistics['trade_count']} trades, {len(trades['results'])} on the first page, {count} positions"


def check_booking(system: System) -> str:
    if not system.may_book:
        raise Skipped("books and voids a trade: allow it with --book")
    before = quantity_held(system)
    trade = system.call("POST", "/trades/", expect=201, json=trade_body()).json()
    path = f"/trades/{trade['id']}"
    demand(Decimal(trade["notional"]) == Decimal("0.15025"), f"its notional is {trade['notional']}, not 0.15025")
    system.call("DELETE", path, expect=204, params={"reason": "system check"})
    after = quantity_held(system)
    demand(after == before, f"the position went from {before} to {after} {TICKER}")
    return f"0.001 {TICKER} booked as trade {trade['id']} and voided; the position is {after} as before"


def trade_body() -> dict[str, str]:
    return {"ticker": TICKER, "trade_type": "BUY", "quantity": "0.001", "price": "150.25", "note": "system check"}


def quantity_held(system: System) -> Decimal:
    response = system.session.get(f"{system.base_url}/positions/{TICKER}", timeout=system.timeout)
    return Decimal(response.json()["quantity"]) if response.status_code == 200 else Decimal(0)


def check_prices(system: System) -> str:
    answer = system.get(f"/tickers/{TICKER}/average")
    demand(answer["average"] is not None, f"{TICKER} has no price yet: does the feed run?")
    return f"{TICKER} {answer['last_price']}, mean of {answer['window_seconds']} s {answer['average']}"


def check_live(system: System) -> str:
    with SocketProbe(system.base_url, system.token, timeout=SILENT_SECONDS, ca=system.ca) as probe:
        welcome = probe.receive()
        demand(welcome["type"] == "welcome", f"the first frame is {welcome['type']!r}, not a welcome")
        try:
            quotes = next(frame for frame in (probe.receive() for _ in range(50)) if frame["type"] == "quotes")
        except TimeoutError as silence:
            raise CheckFailed(f"nothing came within {SILENT_SECONDS} s of the welcome: does the feed run?") from silence
        except StopIteration as others:
            raise CheckFailed("50 frames and no quotes among them: does the feed run?") from others
    return f"{len(welcome['tickers'])} tickers, flush {quotes['seq']} with {len(quotes['quotes'])} quotes"


def check_strategy(system: System) -> str:
    answer = system.get("/algorithm/sample")
    demand(answer["status"] == "success", f"the backtest ended with status {answer['status']!r}")
    return f"{len(answer['tickers'])} tickers, return {answer['overall_return_percentage']:.2f} %"


def check_lake(system: System) -> str:
    asked = system.call("POST", "/analytics/process", expect=202, json={}).json()
    deadline = time.monotonic() + JOB_SECONDS
    while time.monotonic() < deadline:
        job = system.get(f"/analytics/jobs/{asked['job_id']}")
        if job["status"] == "succeeded":
            system.exported_day = job["date"]
            return f"{job['date']} exported: {len(job['keys'])} files"
        demand(job["status"] != "failed", f"job {asked['job_id']} failed: {job.get('reason')}")
        time.sleep(0.5)
    why = job.get("reason") or "does a worker run?"
    raise CheckFailed(f"job {asked['job_id']} is still {job['status']} after {JOB_SECONDS} s: {why}")


def check_lambda(system: System) -> str:
    body = {"date": system.exported_day} if system.exported_day else {}
    answer = system.call("POST", "/moneyai", json=body).json()
    demand(isinstance(answer, dict), "the function answered no JSON object")
    return f"answered for {answer.get('date', 'its day')}: {answer.get('trades', '?')} trades"


STEPS: dict[str, Callable[[System], str]] = {
    "overview": check_overview,
    "health": check_health,
    "documentation": check_documentation,
    "book": check_book,
    "booking": check_booking,
    "prices": check_prices,
    "live socket": check_live,
    "strategy": check_strategy,
    "jobs and lake": check_lake,
    "lambda": check_lambda,
}
