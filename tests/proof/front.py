"""The doors as a public desk has them: nginx with TLS before two web and two socket processes."""

import asyncio
import re
import ssl
import subprocess
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from tests.factories import PASSWORD, bearer
from tests.market.reader import Reader
from tests.proof.doors import METHODS, REFUSED, kept_rows, make_people, without_ids
from tests.proof.ground import TIMEOUT_SECONDS, Ground, at_once, trader
from tests.proof.guessing import ask_too_often, guess, keep_no_secret
from tests.proof.memory import resident_bytes, web_process
from tests.proof.register import tries
from tests.proof.rows import address_of, parameters_of, routes_with_ids, unknown_of
from tests.proof.table import spelled
from tests.proof.upstreams import GROWTH_BYTES, MARKUP, STEERING, Upstream, call, check_calls, steer
from tests.test_production import nginx_configuration
from tests.worlds import find_program, free_port, stop, wait_for_port
from tradeops.core.users.models import Scope, User

BEHIND = "behind nginx, over two web and two socket processes: "
TRADE = {"ticker": "AAPL", "quantity": 1, "price": 1, "trade_type": "BUY"}


class Front:
    """nginx by the files of deploy/, with TLS, before two web and two socket processes of a ground."""

    def __init__(self, ground: Ground, **settings: str):
        self.folder, self.port = ground.folder, free_port()
        self.url = f"https://127.0.0.1:{self.port}"
        public = {"ALLOWED_HOSTS": "desk.example.com", "SECRET_KEY": uuid.uuid4().hex * 2} | settings
        with ThreadPoolExecutor(4) as pool:
            kinds = [ground.serve_http, ground.serve_http, ground.serve, ground.serve]
            desks = list(pool.map(lambda start: start(**public), kinds))
        self.web, self.sockets = desks[:2], desks[2:]
        configuration, log = self.folder / "nginx.conf", self.folder / "nginx.log"
        configuration.write_text(nginx_configuration(self))
        command = [find_program("nginx"), "-c", configuration, "-p", self.folder, "-e", log]
        with log.open("a") as output:
            process = subprocess.Popen(command, stdout=output, stderr=output)
        ground.stack.callback(stop, process)
        wait_for_port(self.port, process)
        self.certificate = self.folder / "certificate.pem"
        self.tls = ssl.create_default_context(cafile=self.certificate)

    @property
    def logs(self) -> list[Path]:
        """Of every process, nginx's two among them."""
        return [
            *(desk.log for desk in (*self.web, *self.sockets)),
            self.folder / "nginx.log",
            self.folder / "access.log",
        ]

    def client(self, user: User, scope: str = Scope.ADMIN) -> "Caller":
        return Caller(self, bearer(user, scope))

    def watch(self, headers: dict[str, str], **options):
        """A live socket by nginx."""
        return connect(f"wss://127.0.0.1:{self.port}/ws", ssl=self.tls, additional_headers=headers, **options)


class Caller(requests.Session):
    """Who calls the front, a program or a browser, by paths."""

    def __init__(self, front: Front, headers: dict[str, str] | None = None):
        super().__init__()
        self.front, self.trust_env, self.verify = front, False, str(front.certificate)
        # A browser says which page of the desk a form came from.
        self.headers.update({"Referer": front.url + "/desk/"} | (headers or {}))

    def request(self, method, path, **options):
        options = {"timeout": TIMEOUT_SECONDS, "allow_redirects": False} | options
        return super().request(method, self.front.url + path, **options)

    def sign_in(self, name: str) -> "Caller":
        page = self.get("/desk/sign-in/").text
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)[1]
        form = {"csrfmiddlewaretoken": token, "username": name, "password": PASSWORD}
        answer = self.post("/desk/sign-in/", data=form)
        assert answer.status_code == 302, f"signing in is {answer.status_code}"
        # So that what is refused is refused for whose it is.
        self.headers["X-CSRFToken"] = self.cookies["csrftoken"]
        return self


# Whose is it ---------------------------------------------------------------------------------


@tries("P30", BEHIND + "every address with an id: stranger, nobody and read token by every method")
def strangers_are_refused_by_the_front(ground: Ground) -> str:
    people, front = make_people(), Front(ground)
    stranger, nobody = Caller(front).sign_in("bob"), Caller(front)
    reader, owner = front.client(people["alice"], Scope.READ), Caller(front).sign_in("alice")
    before, seen = kept_rows(), Counter()
    for route in routes_with_ids():
        own, unknown = address_of(route, people["alice"]), unknown_of(route)
        is_private = any(one.owner or one.is_staffs for one in parameters_of(route))
        taken = {word.strip().lower() for word in owner.request("PROPFIND", own).headers["Allow"].split(",")}
        for method in METHODS:
            if method in taken and is_private:
                check_alike(ask(stranger, method, own), ask(stranger, method, unknown), own, unknown)
                seen["stranger"] += 1
            seen["nobody"] += check_refused(ask(nobody, method, own), {302, 405})
            if method != "get":
                seen["read token"] += check_refused(ask(reader, method, own), {302, 405})
    assert kept_rows() == before, "somebody's row was changed"
    return f"{len(routes_with_ids())} addresses, {sum(seen.values()):,} requests: {spelled(seen)}; nothing was changed"


def ask(caller: Caller, method: str, address: str) -> requests.Response:
    """A request as it would be meant: pages take forms, all else an object of JSON."""
    is_plain = method == "get" or address.startswith("/desk/")
    return caller.request(method.upper(), address, **({} if is_plain else {"json": {}}))


def check_refused(answer: requests.Response, also: set[int] = frozenset()) -> int:
    told = f"{answer.request.method} {answer.request.path_url}"
    assert answer.status_code in REFUSED | also, f"{told} is {answer.status_code}"
    if answer.status_code == 302:
        assert "sign-in" in answer.headers["Location"], f"{told} leads to {answer.headers['Location']}"
    return 1


def check_alike(foreign: requests.Response, unknown: requests.Response, *addresses: str) -> None:
    check_refused(foreign)
    texts = [without_ids(one.text, where) for one, where in zip((foreign, unknown), addresses, strict=True)]
    assert foreign.status_code == unknown.status_code and texts[0] == texts[1], f"{addresses[0]} is told apart"


# Whose sockets -------------------------------------------------------------------------------


ORIGINS = (
    "https://evil.example",
    "null",
    "http://127.0.0.1:{port}",
    "https://127.0.0.1",
    "https://desk.example.com.evil",
)


@tries("P20", BEHIND + f"sockets of two users at both, who book by both; {len(ORIGINS)} foreign origins")
def private_frames_are_their_owners(ground: Ground) -> str:
    front, keys = Front(ground), [bearer(trader(name)[0]) for name in ("alice", "bob")]
    asyncio.run(refuse_origins(front, keys[0]))
    return asyncio.run(hear_own_frames(front, keys))


async def refuse_origins(front: Front, headers: dict[str, str]) -> None:
    for origin in ORIGINS:
        try:
            await front.watch(headers, origin=origin.format(port=front.port))
        except InvalidStatus as refused:
            assert refused.response.status_code == 403, f"{origin} is {refused.response.status_code}"
        else:
            raise AssertionError(f"a page of {origin} has a socket")


BOOKINGS = 6  # of each: both web processes take some


async def hear_own_frames(front: Front, keys: list[dict]) -> str:
    """Each user has sockets at both processes and books; every socket hears its user's trades, and no other's."""
    readers, booked = [], [set() for _ in keys]
    for user, key in enumerate(keys):
        sockets = [await connect(process.socket_url, additional_headers=key) for process in front.sockets]
        sockets.append(await front.watch(key, origin=front.url))
        readers += [(user, Reader(socket)) for socket in sockets]
    for _, reader in readers:
        await reader.frame("snapshot")
    callers = [Caller(front, key) for key in keys]
    for _ in range(BOOKINGS):
        for caller, known in zip(callers, booked, strict=True):
            known.add((await asyncio.to_thread(caller.post, "/trades/", json=TRADE)).json()["id"])
    for user, reader in readers:
        while not booked[user] <= told_trades(reader):
            await reader.frame("trade")
        await reader.ask({"action": "ping"}, "pong")
        assert told_trades(reader) == booked[user], f"told of another's: {told_trades(reader) - booked[user]}"
        await reader.socket.close()
    heard = f"{len(readers)} sockets heard the {BOOKINGS} trades of their own user and none of the other's"
    return f"{heard}; {len(ORIGINS)} origins were 403"


def told_trades(reader: Reader) -> set[int]:
    return {frame["id"] for frame in reader.seen if frame["type"] == "trade"}


# The Lambda proxy ------------------------------------------------------------------------------


@tries("P31", BEHIND + "the bad upstreams, and callers who name another place", minutes=8)
def the_front_calls_one_place(ground: Ground) -> str:
    upstream = Upstream()
    front = Front(ground, LAMBDA_API_URL=f"http://127.0.0.1:{upstream.port}/only")
    caller = front.client(trader("alice")[0])
    webs = [web_process(desk) for desk in front.web]
    for _ in webs:
        assert caller.post("/moneyai", json={"case": "markup in JSON"}).json() == MARKUP
    before = [resident_bytes(web) for web in webs]
    slowest = max(at_once([lambda case=case: call(caller, upstream, case) for case in upstream.cases], 6))
    growth = max(resident_bytes(web) - was for web, was in zip(webs, before, strict=True))
    for steering in STEERING:
        steer(caller, upstream, *steering)
    check_calls(upstream)
    assert growth < GROWTH_BYTES, f"a web process grew by {growth / 1e6:.0f} MB"
    told = f"{len(upstream.cases)} answered as promised, the slowest after {slowest:.0f} s"
    return f"{told}; all {len(upstream.heads)} calls came to the one place"


# Guessing --------------------------------------------------------------------------------------


@tries(
    "P32", BEHIND + "200 guessed passwords with forged addresses, 1,300 requests of one token in a minute", minutes=10
)
def the_front_slows_guessing(ground: Ground) -> str:
    front, (alice, _) = Front(ground), trader("alice")
    guessed = guess([front, front])
    limit, seen = ask_too_often(alice, [front, front])
    keep_no_secret(front.logs, PASSWORD)
    return (
        f"{guessed[422]} guesses were tried, {guessed[429]} refused, the owner signed in from elsewhere; of one "
        f"token's requests {seen[200]:,} were answered ({limit} a minute); nothing of them stands in {len(front.logs)} "
        "logs, nginx's among them"
    )


# Headers ----------------------------------------------------------------------------------------


ASKED = (
    "/desk/sign-in/",
    "/desk/",
    "/",
    "/trades/",
    "/health",
    "/nowhere/",
    "/static/css/desk.css",
    "/static/nothing.js",
    "/admin/",
)
STRICT = {"Strict-Transport-Security": "max-age=31536000", "X-Content-Type-Options": "nosniff"}
PAGES = {"X-Frame-Options": "DENY", "Content-Security-Policy": "default-src 'none'"}


@tries("P33", BEHIND + f"headers of {len(ASKED)} addresses, signed in and not; cookies; plain http")
def the_front_is_strict(ground: Ground) -> str:
    front, _ = Front(ground), trader("alice")
    signed_in = Caller(front).sign_in("alice")
    for caller in (Caller(front), signed_in):
        for path in ASKED:
            check_headers(caller.get(path))
    for cookie in signed_in.cookies:
        told = (cookie.name, cookie.secure, cookie.get_nonstandard_attr("SameSite"))
        assert told == (cookie.name, True, "Lax"), f"a cookie is {told}"
    assert "HttpOnly" in next(one for one in signed_in.cookies if one.name == "sessionid")._rest
    plain = re.search(r"listen (127\.0\.0\.1:\d+);", (front.folder / "nginx.conf").read_text())[1]
    moved = requests.get(f"http://{plain}/desk/", allow_redirects=False, timeout=TIMEOUT_SECONDS)
    assert (moved.status_code, moved.headers["Location"][:8]) == (308, "https://"), f"plain http is {moved.status_code}"
    told = f"{2 * len(ASKED)} answers with strict headers and without inline script"
    return f"{told}; cookies are secure; plain http is 308"


def check_headers(answer: requests.Response) -> None:
    path = answer.request.path_url
    assert answer.status_code < 500, f"{path} is {answer.status_code}"
    is_file = path.startswith("/static/") and answer.ok  # of which no frame makes a page of ours
    for name, wanted in (STRICT if is_file else STRICT | PAGES).items():
        assert answer.headers.get(name, "").startswith(wanted), f"{path}: {name} is {answer.headers.get(name)!r}"
    assert "unsafe" not in answer.headers.get("Content-Security-Policy", ""), path
    assert not re.search(r"\d", answer.headers.get("Server", "")), f"{path} is served by {answer.headers['Server']}"
    if "html" in answer.headers["Content-Type"]:
        inline = re.search(r"<script(?![^>]*\bsrc=)(?![^>]*json)|<style|\son\w+=|\sstyle=|javascript:", answer.text)
        assert not inline, f"{path} holds {inline[0]}"
