"""The walk through a running system, part by part, with real calls from outside: what `check_system` prints.

Each step is a function that returns what it saw, in words, or raises CheckFailed. A step changes nothing, but for the
export of a day, which may be made again at any time, and the trade that is booked and voided where that was allowed.
What is found ill is remembered: a later step that needs it waits less, and says so. Of several processes behind one
address a single one may hang, so some requests are made at the same time, and some sockets are open together.
"""

import email.utils
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

import requests

from tradeops.socket_probe import SocketProbe, SocketRefused

ADDRESSES = (
    "/health /trades/ /trades/stats /positions/ /algorithm/run /algorithm/sample /algorithm/help "
    "/analytics/process /tickers/ /tickers/{ticker}/average /moneyai"
).split()
TICKER = "AAPL"
JOB_SECONDS, ILL_JOB_SECONDS = 90, 10
SILENT_SECONDS = 15
SHORT_SECONDS = 10  # for each answer, once one did not come at all
KNOCKS, KNOCK_SECONDS, SOCKETS = 8, 5, 4
CLOCK_SECONDS = 30
NO_SOCKETS = "no socket process answers behind nginx: start one (systemctl status 'tradeops-sockets@*')"
NOBODY_IN = "nobody can sign in now, for its database does not answer"
SILENT_SOCKET = (
    "a socket process does not answer: of those behind nginx restart the one that its own port shows to be silent "
    "(curl -m 5 http://127.0.0.1:8101/health/live, systemctl restart tradeops-sockets@8101)"
)
SOCKET_CODES = {
    403: "it takes this address for another site's: does ALLOWED_HOSTS name this host?",
    404: "what is in front does not pass /ws on to the socket processes",
    502: NO_SOCKETS,
    503: NO_SOCKETS,
    504: NO_SOCKETS,
    1001: "the socket process is being stopped or restarted",
    1013: NOBODY_IN,
    4401: "not signed in: give a --token that is good",
}


class CheckFailed(Exception):
    """A part of the system is not as it should be; the text says what was seen."""


class Certain(CheckFailed):
    """The text itself names the part that is ill: what else may be explains nothing."""


class Unreachable(CheckFailed):
    """There is nobody to ask anything else."""


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
        self.ill: dict[str, str] = {}  # the parts that are not well, and what was seen of them

    def ask(self, method: str, path: str, **options) -> requests.Response:
        """Whatever the system answers."""
        try:
            return self.session.request(
                method, self.base_url + path, timeout=self.timeout, allow_redirects=False, **options
            )
        except requests.Timeout as late:
            waited, self.timeout = self.timeout, min(self.timeout, SHORT_SECONDS)
            raise CheckFailed(f"{method} {path} was not answered within {waited:.0f} s: something hangs") from late

    def call(self, method: str, path: str, expect: int = 200, **options) -> requests.Response:
        """The answer, if its status is the expected one."""
        response = self.ask(method, path, **options)
        if response.status_code != expect:
            raise CheckFailed(
                f"{method} {path} answered {response.status_code}, not {expect}: {self.told_by(response)}"
            )
        return response

    def get(self, path: str, **options):
        return told_in(self.call("GET", path, **options))

    def told_by(self, response: requests.Response) -> str:
        """Why an answer is another than was expected, in words for who runs the system."""
        status = response.status_code
        if status == 401 and self.token:
            return "the token is not known, has expired or was revoked: make one under Settings"
        if status == 401:
            return "it wants a sign-in: give --token, or run the demo"
        if status in (301, 302, 307, 308):
            return f"it leads to {response.headers.get('Location', '')[:200]}: is that the address to give?"
        words = words_of(response)
        return f"{words} Does ALLOWED_HOSTS name this host?" if status == 400 and "understood" in words else words


def told_in(response: requests.Response):
    """The JSON of an answer."""
    try:
        return response.json()
    except ValueError as error:  # the page of a proxy, or of somebody else's system
        raise CheckFailed(f"what answered speaks no JSON, it says: {response.text.strip()[:100]}") from error


def words_of(response: requests.Response) -> str:
    """What an answer says to people: a problem's own sentence, or else its first words."""
    try:
        return str(response.json()["detail"])[:200]
    except (ValueError, KeyError, TypeError):
        return response.text[:200]


def walk(system: System) -> Iterator[Result]:
    """Every step in turn; one that fails stops none of the others, but where there is nobody to ask."""
    is_there = True
    for name, step in STEPS.items():
        if not is_there:
            yield Result(name, "skip", "not tried: nobody is there to be asked")
            continue
        try:
            yield Result(name, "ok", step(system))
        except Skipped as reason:
            yield Result(name, "skip", str(reason))
        except Unreachable as failure:
            is_there = False
            yield Result(name, "FAIL", str(failure))
        except Certain as failure:
            yield Result(name, "FAIL", str(failure))
        except CheckFailed as failure:
            yield Result(name, "FAIL", str(failure) + because(system, name))
        except (requests.RequestException, OSError) as error:
            yield Result(name, "FAIL", words_for(error) + because(system, name))
        except (KeyError, IndexError, TypeError, ValueError, InvalidOperation) as error:
            yield Result(name, "FAIL", f"the answer is not of the shape that was promised: {error!r}"[:200])


def because(system: System, name: str) -> str:
    """What was found ill before and explains that the step fails."""
    causes = [part.replace("_", " ") for part in NEEDS.get(name, ()) if part in system.ill]
    return f" (no wonder: {' and '.join(causes)}, see above)" if causes else ""


# What each failure of a connection is called, by its own kind: requests wraps them two or three times.
CERTIFICATE = {
    9: "its certificate is not valid yet: compare the clocks of both machines (timedatectl)",
    10: "its certificate has expired: renew it, then nginx -s reload (or this machine's clock is wrong)",
    18: "its certificate is self-signed: give its file with --ca, or have an authority sign it",
    62: "its certificate is for another name: give the address that stands in it as --base-url",
}
UNTRUSTED = "its certificate is not trusted: name your own authority's file with --ca"
UNREACHED = {
    ssl.SSLError: "no TLS is spoken there: is it http:// in the place of https://?",
    socket.gaierror: "no machine is known by that name: look at --base-url and at the DNS",
    ConnectionRefusedError: "nothing listens there: start nginx, or the desk, or mend --base-url",
    TimeoutError: "no answer: the machine is away, a firewall is between, or something hangs",
    ConnectionError: "the connection was cut before an answer came: something is restarting, or fails; see its log",
}


def words_for(error: BaseException) -> str:
    """What a failed connection means, by the innermost of its causes that is known."""
    causes = [error]
    while following := causes[-1].__cause__ or causes[-1].__context__:
        causes.append(following)
    for cause in reversed(causes):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return CERTIFICATE.get(cause.verify_code, UNTRUSTED)
        for kind, words in UNREACHED.items():
            if isinstance(cause, kind):
                return words
    return f"no answer: {type(error).__name__}"


def demand(is_so: bool, otherwise: str) -> None:
    if not is_so:
        raise CheckFailed(otherwise)


# --- the steps


def check_web(system: System) -> str:
    """Several at the same time: nginx hands them to each of its processes, and one of those may hang."""
    with ThreadPoolExecutor(KNOCKS) as pool:
        silent = [seen for seen in pool.map(knock, [system] * KNOCKS) if seen]
    if len(silent) == KNOCKS:
        system.ill |= {"web": NO_WEB} if NO_WEB in silent else {}
        raise Unreachable(f"{system.base_url}: {silent[0]}")
    if silent:
        system.timeout = SHORT_SECONDS
        system.ill["web"] = f"{len(silent)} of {KNOCKS} requests were not answered within {KNOCK_SECONDS} s: {A_HANG}"
        raise Certain(system.ill["web"])
    return f"{KNOCKS} requests at the same time are answered"


def knock(system: System) -> str | None:
    """Why a web process does not answer, if none does."""
    address, options = f"{system.base_url}/health/live", {"timeout": KNOCK_SECONDS, "allow_redirects": False}
    try:
        return NO_WEB if system.session.request("GET", address, **options).status_code in AWAY else None
    except requests.ReadTimeout:
        return f"it listens, and answers nothing within {KNOCK_SECONDS} s: nginx hangs, or each web process behind it"
    except requests.RequestException as error:
        return words_for(error)


def check_overview(system: System) -> str:
    answer = system.get("/")
    demand(answer["name"] == "TradeOps", f"this is {answer['name']!r} and not TradeOps")
    return f"TradeOps {answer['version']}, {len(answer['endpoints'])} endpoints"


def check_clock(system: System) -> str:
    told = email.utils.parsedate_to_datetime(system.call("GET", "/health/live").headers["Date"])
    ahead = round(told.timestamp() - time.time())
    if abs(ahead) <= CLOCK_SECONDS:
        return "as this machine's"
    way = "ahead of" if ahead > 0 else "behind"
    raise CheckFailed(f"its clock is {abs(ahead)} s {way} this machine's: see timedatectl on both")


def check_health(system: System) -> str:
    response = system.ask("GET", "/health")
    if response.status_code not in (200, 503) or "checks" not in response.text:
        system.ill["web"] = NO_WEB
        raise CheckFailed(f"/health answered {response.status_code}: {words_of(response)}")
    answer = told_in(response)
    for name, part in answer["checks"].items():
        if part["status"] not in ("ok", "off"):
            system.ill[name] = part.get("detail", part["status"])
    ill = "; ".join(f"{name.replace('_', ' ')}: {detail}" for name, detail in system.ill.items())
    demand(answer["status"] == "ok", f"{answer['status']}: {ill}")
    return f"ok: {', '.join(name.replace('_', ' ') for name in answer['checks'])}"


# What to do about a part of /health that is ill.
REDIS = "start Redis, or mend REDIS_URL; meanwhile trades are taken, and jobs and prices are late"
A_HANG = "one of several web processes hangs"
NO_WEB, AWAY = "what is in front answers, and no web process behind it", (502, 503, 504)
REMEDIES = {
    "web": "start the web processes (systemctl status 'tradeops-web@*'), or mend nginx's upstreams.conf",
    "database": "start PostgreSQL, or mend DB_HOST, DB_PORT, DB_NAME, DB_USER, DB_PASSWORD; nothing works without it",
    "broker": REDIS,
    "channel_layer": REDIS,
    "storage": "look at the store, S3_BUCKET_NAME, the AWS_ settings, or at the disk; exports are done when it is back",
    "feed": "start or restart a feed (systemctl status tradeops-feed, or manage.py feed), and read its log for the "
    "source's words",
    "worker": "start or restart a worker (systemctl status 'tradeops-worker@*'); what is owed waits for it",
    "beat": "start or restart the schedule (systemctl status tradeops-beat); what it missed runs once then",
}
# The same where the words of /health tell more.
REMEDIES_BY_WORDS = {
    "clock is": "set the clocks of all machines (timedatectl)",
    "of this process are in use": "find what holds them (pg_stat_activity, slow requests in the log), or start more "
    "web processes; PostgreSQL itself may be well",
    "no room for one more connection": "raise PostgreSQL's max_connections, or run fewer processes: each may take 12",
    "starting or stopping": "wait; if it lasts, read PostgreSQL's log",
    A_HANG: "ask each web process itself (curl -m 5 http://127.0.0.1:8001/health/live), and restart the one that is "
    "silent (systemctl restart tradeops-web@8001)",
    "of the schedule": "mend the rows under /admin/, Periodic tasks: docs/running.md lists those that must be there",
}
UNKNOWN = "unknown"  # so begins what /health says of a part that it could not ask


def advice(system: System) -> Iterator[str]:
    """What to do, a line for each cause. What is not known for the database's sake has none of its own."""
    told = set()
    for name in REMEDIES:
        detail = system.ill.get(name, UNKNOWN)
        remedy = next((words for said, words in REMEDIES_BY_WORDS.items() if said in detail), REMEDIES[name])
        if remedy not in told and not detail.startswith(UNKNOWN):
            told.add(remedy)
            yield f"{name.replace('_', ' ')}: {detail}. To do: {remedy}."


def check_documentation(system: System) -> str:
    demand(
        "swagger" in system.call("GET", "/docs", headers={"Accept": "text/html"}).text.lower(), "/docs is no Swagger UI"
    )
    schema = told_in(system.call("GET", "/schema", headers={"Accept": "application/vnd.oai.openapi+json"}))
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
    trade = told_in(system.call("POST", "/trades/", expect=201, json=trade_body()))
    path = f"/trades/{trade['id']}"
    demand(Decimal(trade["notional"]) == Decimal("0.15025"), f"its notional is {trade['notional']}, not 0.15025")
    system.call("DELETE", path, expect=204, params={"reason": "system check"})
    after = quantity_held(system)
    demand(after == before, f"the position went from {before} to {after} {TICKER}")
    return f"0.001 {TICKER} booked as trade {trade['id']} and voided; the position is {after} as before"


def trade_body() -> dict[str, str]:
    return {"ticker": TICKER, "trade_type": "BUY", "quantity": "0.001", "price": "150.25", "note": "system check"}


def quantity_held(system: System) -> Decimal:
    response = system.ask("GET", f"/positions/{TICKER}")
    return Decimal(told_in(response)["quantity"]) if response.status_code == 200 else Decimal(0)


def check_prices(system: System) -> str:
    answer = system.get(f"/tickers/{TICKER}/average")
    demand(answer["average"] is not None, f"{TICKER} has no price yet: does the feed run?")
    return f"{TICKER} {answer['last_price']}, mean of {answer['window_seconds']} s {answer['average']}"


def check_live(system: System) -> str:
    try:
        return listen(system)
    except SocketRefused as refusal:
        words = NOBODY_IN if "database" in system.ill else SOCKET_CODES.get(refusal.code, str(refusal))
        raise Certain(words) from refusal


def listen(system: System) -> str:
    with ExitStack() as together:
        (probe, welcome), *_ = [welcomed(system, together) for _ in range(SOCKETS)]
        quotes = first_quotes(probe)
    return f"{len(welcome['tickers'])} tickers, flush {quotes['seq']} with {len(quotes['quotes'])} quotes"


def first_quotes(probe: SocketProbe) -> dict:
    """The next frame of prices. Others come meanwhile, heartbeats for as long as the process lives."""
    deadline = time.monotonic() + SILENT_SECONDS
    try:
        while time.monotonic() < deadline:
            frame = probe.receive()
            if frame["type"] == "quotes":
                return frame
    except TimeoutError:
        pass
    raise CheckFailed(f"no prices came within {SILENT_SECONDS} s of the welcome: does the feed run?")


def welcomed(system: System, together: ExitStack) -> tuple[SocketProbe, dict]:
    """A socket that stays open beside the others, so that nginx opens the next one at another process."""
    try:
        probe = SocketProbe(system.base_url, system.token, timeout=SILENT_SECONDS, ca=system.ca)
        welcome = together.enter_context(probe).receive()
    except TimeoutError as silence:
        raise Certain(NOBODY_IN if "database" in system.ill else SILENT_SOCKET) from silence
    demand(welcome["type"] == "welcome", f"the first frame is {welcome['type']!r}, not a welcome")
    return probe, welcome


def check_strategy(system: System) -> str:
    answer = system.get("/algorithm/sample")
    demand(answer["status"] == "success", f"the backtest ended with status {answer['status']!r}")
    return f"{len(answer['tickers'])} tickers, return {answer['overall_return_percentage']:.2f} %"


def check_lake(system: System) -> str:
    asked = told_in(system.call("POST", "/analytics/process", expect=202, json={}))
    patience = ILL_JOB_SECONDS if because(system, "jobs and lake") else JOB_SECONDS
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        job = system.get(f"/analytics/jobs/{asked['job_id']}")
        if job["status"] == "succeeded":
            system.exported_day = job["date"]
            return f"{job['date']} exported: {len(job['keys'])} files"
        demand(job["status"] != "failed", f"job {asked['job_id']} failed: {job.get('reason')}")
        time.sleep(0.5)
    why = job.get("reason") or ("it waits" if patience < JOB_SECONDS else "does a worker run?")
    raise CheckFailed(f"job {asked['job_id']} is still {job['status']} after {patience} s: {why}")


def check_lambda(system: System) -> str:
    body = {"date": system.exported_day} if system.exported_day else {}
    answer = told_in(system.call("POST", "/moneyai", json=body))
    demand(isinstance(answer, dict), "the function answered no JSON object")
    return f"answered for {answer.get('date', 'its day')}: {answer.get('trades', '?')} trades"


STEPS: dict[str, Callable[[System], str]] = {
    "web processes": check_web,
    "overview": check_overview,
    "clock": check_clock,
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
# Which parts of /health a step cannot do without.
NEEDS = {
    "overview": ("web",),
    "clock": ("web",),
    "documentation": ("web", "database"),
    "book": ("web", "database"),
    "booking": ("web", "database"),
    "prices": ("web", "database", "feed"),
    "live socket": ("feed", "channel_layer"),
    "strategy": ("web", "database"),
    "jobs and lake": ("web", "database", "broker", "worker", "storage"),
    "lambda": ("web", "database", "storage"),
}
