"""deploy/ as it is meant to run: nginx with TLS in front of two web and two socket processes, feed, worker and beat, on
PostgreSQL by a role that owns nothing, Redis and an S3 API. All but Docker and systemd, from the files themselves.
"""

import asyncio
import base64
import contextlib
import hashlib
import json
import os
import re
import shutil
import ssl
import subprocess
import sys
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
import requests
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from tests.desk import REDIS_NUMBERS, ROOT, Desk
from tests.market.reader import Reader
from tests.worlds import OUTSIDE_SETTINGS, environment_of, find_program, free_port, stop, wait_for_port

pytestmark = [
    pytest.mark.services,
    pytest.mark.timeout(600),
    pytest.mark.skipif(find_program("nginx") is None, reason="nginx is not installed"),
]

DEPLOY = ROOT / "deploy"
DESK, OWNER = "production_desk", "production_owner"
TRADE = {"ticker": "AAPL", "quantity": 1, "price": "150.25", "trade_type": "BUY"}
BROWSER = {"Accept": "text/html,application/xhtml+xml"}
MAKE_TOKEN = """
from tradeops.core.users.models import Role, User
from tradeops.core.users.tokens import make_token
print(make_token(User.objects.create_user("thea", role=Role.ADMINISTRATOR), name="test", scope="admin")[1])
"""


class Production:
    """The whole of it. `url` is nginx's address, `session` a program that signs in."""

    def __init__(self, folder: Path, stack: contextlib.ExitStack):
        self.folder, self.stack, self.world = folder, stack, make_world(folder)
        self.port = free_port()
        self.url = f"https://127.0.0.1:{self.port}"
        self.others: list[subprocess.Popen] = []
        self.prepare()
        self.web = [self.desk("serve_http") for _ in range(2)]
        self.sockets = [self.desk("serve") for _ in range(2)]
        with ThreadPoolExecutor(2) as pool:
            for part in pool.map(Desk.start, [*self.web, *self.sockets]):
                stack.callback(part.stop)
        celery = [sys.executable, "-m", "celery", "-A", "tradeops"]
        self.run_on([sys.executable, "manage.py", "feed"])
        self.run_on([*celery, "worker", "--concurrency", "1", "--loglevel", "WARNING"])
        self.run_on([*celery, "beat", "--pidfile", "", "--loglevel", "WARNING"])
        self.start_nginx()
        stack.callback(self.ask_all_to_stop)
        self.session = requests.Session()
        self.session.trust_env = False  # an environment's own certificates would come before these
        self.session.verify = str(folder / "certificate.pem")
        self.session.headers["Authorization"] = f"Bearer {self.token}"

    @property
    def environment(self) -> dict[str, str]:
        return environment_of(self.world, self.folder / "var")

    def prepare(self) -> None:
        """Roles, tables by their owner, the bucket, and somebody who may come in."""
        superuser = self.environment | {"PGUSER": "postgres", "PGHOST": "127.0.0.1", "PGPORT": self.world["DB_PORT"]}
        tool("psql", "-q", "-v", "ON_ERROR_STOP=1", "-f", DEPLOY / "database/roles.sql", "postgres", env=superuser)
        self.as_owner(sys.executable, "manage.py", "migrate", "--verbosity", "0")
        said = run(sys.executable, DEPLOY / "make_bucket.py", env=self.environment)
        assert said.stdout == f"{self.world['S3_BUCKET_NAME']} is made.\n"
        shell = [sys.executable, "manage.py", "shell", "--no-imports", "-c", MAKE_TOKEN]
        self.token = run(*shell, env=self.environment).stdout.strip()

    def as_owner(self, *command) -> subprocess.CompletedProcess:
        return run(DEPLOY / "as-owner", *command, env=self.environment | {"PATH": with_postgres_tools()})

    def desk(self, command: str) -> Desk:
        folder = self.folder / uuid.uuid4().hex
        folder.mkdir()
        return Desk(folder, command=command, demo=False, world=dict(self.world))

    def run_on(self, command: list) -> None:
        """A part without a port, until the end."""
        log = self.stack.enter_context((self.folder / "parts.log").open("a"))
        process = subprocess.Popen(command, env=self.environment, cwd=ROOT, stdout=log, stderr=log)
        self.others.append(process)
        self.stack.callback(stop, process)

    def start_nginx(self) -> None:
        configuration = self.folder / "nginx.conf"
        configuration.write_text(nginx_configuration(self))
        log = self.stack.enter_context((self.folder / "nginx.log").open("a"))
        command = [find_program("nginx"), "-c", configuration, "-p", self.folder, "-e", self.folder / "nginx.log"]
        process = subprocess.Popen(command, stdout=log, stderr=log)
        self.stack.callback(stop, process)
        wait_for_port(self.port, process)

    def ask_all_to_stop(self) -> None:
        """Each is then waited for, but all stop at the same time."""
        for process in (*self.others, *(desk.process for desk in (*self.web, *self.sockets))):
            process.terminate()

    def call(self, method: str, path: str, **options) -> requests.Response:
        return self.session.request(method, self.url + path, timeout=60, **options)

    def watch(self, **options):
        """A live socket that signs in by its headers, from a page of the desk's own."""
        headers = {"Authorization": f"Bearer {self.token}"}
        trusted = ssl.create_default_context(cafile=self.session.verify)
        options = {"origin": self.url, "additional_headers": headers} | options
        return connect(f"{self.url.replace('https', 'wss')}/ws", ssl=trusted, **options)


def make_world(folder: Path) -> dict[str, str]:
    """The settings of production.env and owner.env, on this run's servers."""
    name = f"production_{uuid.uuid4().hex[:8]}"
    return {name: os.environ.get(name, "") for name in OUTSIDE_SETTINGS} | {
        "SECRET_KEY": uuid.uuid4().hex + uuid.uuid4().hex,
        "ALLOWED_HOSTS": "desk.example.com",
        "DB_NAME": name,
        "DB_USER": DESK,
        "DB_PASSWORD": uuid.uuid4().hex,
        "DB_OWNER_USER": OWNER,
        "DB_OWNER_PASSWORD": uuid.uuid4().hex,
        "REDIS_URL": urlsplit(os.environ["REDIS_URL"])._replace(path=f"/{next(REDIS_NUMBERS)}").geturl(),
        "S3_BUCKET_NAME": name.replace("_", "-"),
    }


def with_postgres_tools() -> str:
    return f"{Path(find_program('postgres')).parent}:{os.environ['PATH']}"


def run(*command, env: dict[str, str]) -> subprocess.CompletedProcess:
    done = subprocess.run(command, env=env, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout[-1000:] + done.stderr[-2000:]
    return done


def tool(name: str, *arguments, env: dict[str, str]) -> subprocess.CompletedProcess:
    return run(shutil.which(name, path=with_postgres_tools()), *arguments, env=env)


def nginx_configuration(production: Production) -> str:
    """The files of deploy/nginx with this run's ports and certificate, in what Debian's own nginx.conf gives them."""
    folder, site = production.folder, (DEPLOY / "nginx/tradeops.conf").read_text()
    upstreams = (DEPLOY / "nginx/upstreams.conf").read_text()
    ports = dict(zip(("8001", "8002", "8101", "8102"), [*production.web, *production.sockets], strict=True))
    for written, desk in ports.items():
        assert f"127.0.0.1:{written}" in upstreams
        upstreams = upstreams.replace(f"127.0.0.1:{written}", f"127.0.0.1:{desk.port}")
    make_certificate(folder)
    replaced = {
        "listen 80;": f"listen 127.0.0.1:{free_port()};",
        "listen 443 ssl;": f"listen 127.0.0.1:{production.port} ssl;",
        "/etc/tradeops/tls/fullchain.pem": f"{folder}/certificate.pem",
        "/etc/tradeops/tls/privkey.pem": f"{folder}/key.pem",
        "/var/log/nginx/access.log": f"{folder}/access.log",
    }
    for written, ours in replaced.items():
        assert written in site
        site = site.replace(written, ours)
    own_files = "".join(
        f"{kind}_temp_path {folder}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    user = "user root;\n" if os.geteuid() == 0 else ""
    return (
        f"{user}daemon off;\npid {folder}/nginx.pid;\nworker_processes 1;\nevents {{}}\n"
        f"http {{\naccess_log {folder}/access.log;\n{own_files}{upstreams}{site}}}\n"
    )


def make_certificate(folder: Path) -> None:
    words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=desk.example.com"
    names = ["-addext", "subjectAltName=DNS:desk.example.com,IP:127.0.0.1"]
    files = ["-keyout", folder / "key.pem", "-out", folder / "certificate.pem"]
    run("openssl", *words.split(), *names, *files, env=dict(os.environ))


@pytest.fixture(scope="module")
def production(tmp_path_factory):
    with contextlib.ExitStack() as stack:
        yield Production(tmp_path_factory.mktemp("production"), stack)


def wait_until(is_so, what: str, seconds: float = 60):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := is_so():
            return found
        time.sleep(0.2)
    raise AssertionError(f"{what}: not within {seconds} s")


def test_all_parts_are_well_and_work_together(production):
    health = wait_until(lambda: all_well(production), "every part is well", 180)
    assert {check["status"] for check in health["checks"].values()} == {"ok"}
    asked = production.call("POST", "/analytics/process", json={}).json()
    job = wait_until(lambda: finished(production, asked["job_id"]), "the night's job")
    assert (job["status"], len(job["keys"])) == ("succeeded", 6), job
    told = check_system(production)
    assert "Everything that was tried works." in told.stdout, told.stdout
    page = production.call("GET", "/desk/sign-in/")
    assert "includeSubDomains" in page.headers["Strict-Transport-Security"]
    style = production.call("GET", "/static/css/desk.css")
    assert style.headers["Content-Encoding"] == "gzip" and "Server" in style.headers


def check_system(production: Production) -> subprocess.CompletedProcess:
    """By nginx, whose certificate no well-known authority has signed."""
    address = ["--base-url", production.url, "--ca", production.session.verify, "--token", production.token]
    return run(sys.executable, "manage.py", "check_system", *address, env=production.environment)


def all_well(production: Production) -> dict | None:
    health = production.call("GET", "/health").json()
    return health if health["status"] == "ok" else None


def finished(production: Production, number: int) -> dict | None:
    job = production.call("GET", f"/analytics/jobs/{number}").json()
    return job if job["status"] in ("succeeded", "failed") else None


async def test_a_trade_booked_by_a_web_process_comes_to_every_socket_process(production):
    async with production.watch() as first, production.watch() as second:
        readers = [Reader(first), Reader(second)]
        for reader in readers:
            await reader.frame("quotes")
        served = [len(established(desk.port)) for desk in production.sockets]
        assert min(served) >= 1, f"the sockets are on one process alone: {served}"
        booked = await asyncio.to_thread(production.call, "POST", "/trades/", json=TRADE)
        frames = [await reader.frame("trade") for reader in readers]
        assert {frame["id"] for frame in frames} == {booked.json()["id"]}
        production.sockets[0].stop()  # for good: the tests that follow need one alone
        closed, open_still = await asyncio.wait(
            [asyncio.ensure_future(reader.code()) for reader in readers], return_when=asyncio.FIRST_COMPLETED
        )
        assert ([one.result() for one in closed], len(open_still)) == ([1001], 1)
        open_still.pop().cancel()
        async with production.watch() as back:
            await Reader(back).frame("quotes")


def established(port: int) -> list[str]:
    """What is connected to a port of this machine, from /proc."""
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    return [line for line in lines if line.split()[1].endswith(f":{port:04X}") and line.split()[3] == "01"]


async def test_a_page_of_another_site_gets_no_socket(production):
    with pytest.raises(InvalidStatus) as refused:
        await production.watch(origin="https://evil.example")
    assert refused.value.response.status_code == 403


def test_a_new_version_comes_in_process_by_process_and_no_trade_is_lost(production):
    with booking(production, "ROLL") as booked:
        for desk in production.web:
            wait_for_more(booked)
            assert desk.stop() == 0
            wait_for_more(booked)
            desk.start()
    assert {answer.status_code for answer in booked} == {201}
    counted = production.call("GET", "/trades/stats?ticker=ROLL").json()["trade_count"]
    assert counted == len(booked) == len({answer.json()["id"] for answer in booked})


@contextlib.contextmanager
def booking(production: Production, ticker: str):
    """The answers to bookings that go on meanwhile."""

    def book() -> None:
        number = 0
        while not over.wait(0.06):  # a token is answered 1,200 times a minute, which is all that it may ask
            number += 1
            key = {"Idempotency-Key": f"{ticker}-{number}"}
            booked.append(production.call("POST", "/trades/", json=TRADE | {"ticker": ticker}, headers=key))

    over, booked = threading.Event(), []
    writer = threading.Thread(target=book)
    writer.start()
    try:
        yield booked
    finally:
        over.set()
        writer.join()


def wait_for_more(booked: list) -> None:
    enough = len(booked) + 5
    wait_until(lambda: len(booked) > enough, "bookings go on")


@pytest.fixture(scope="module")
def parted(production):
    """A book that was parted while the desk ran: what the command said, and the answers to the bookings meanwhile."""
    with booking(production, "PART") as booked:
        wait_for_more(booked)
        said = production.as_owner(sys.executable, "manage.py", "partition_trades", "--ahead", "1").stdout
        wait_for_more(booked)
    return said, booked


def test_trades_are_parted_by_month_while_the_desk_runs(production, parted):
    said, booked = parted
    assert "new tables" in said and {answer.status_code for answer in booked} <= {201, 503}
    made = {answer.json()["id"] for answer in booked if answer.status_code == 201}
    assert production.call("GET", "/trades/stats?ticker=PART").json()["trade_count"] == len(made)
    assert "Everything that was tried works." in check_system(production).stdout


def test_the_desks_role_cannot_lift_what_keeps_the_book_append_only(production, parted):
    world = production.world
    address = f"host=127.0.0.1 port={world['DB_PORT']} dbname={world['DB_NAME']} user={DESK}"
    attempts = {
        "update trades_trade set note = 'x'": psycopg.errors.RestrictViolation,
        "delete from trades_ledgerentry": psycopg.errors.RestrictViolation,
        "truncate trades_trade cascade": psycopg.errors.InsufficientPrivilege,
        "update trades_trade_after set note = 'x'": psycopg.errors.InsufficientPrivilege,
        "insert into trades_trade_after select * from trades_trade": psycopg.errors.InsufficientPrivilege,
        "alter table trades_trade disable trigger all": psycopg.errors.InsufficientPrivilege,
        "drop trigger trades_trade_no_update on trades_trade": psycopg.errors.InsufficientPrivilege,
        "drop table trades_realization": psycopg.errors.InsufficientPrivilege,
        "create table mine (x integer)": psycopg.errors.InsufficientPrivilege,
        "create function f() returns int language sql as 'select 1'": psycopg.errors.InsufficientPrivilege,
        "set session_replication_role = replica": psycopg.errors.InsufficientPrivilege,
        f"set role {OWNER}": psycopg.errors.InsufficientPrivilege,
    }
    production.call("POST", "/trades/", json=TRADE)
    with psycopg.connect(address, password=world["DB_PASSWORD"], autocommit=True) as connection:
        for statement, refusal in attempts.items():
            with pytest.raises(refusal):
                connection.execute(statement)


def test_a_backup_is_restored_and_verified(production, parted):
    production.call("POST", "/trades/", json=TRADE)
    environment = production.environment | {"PATH": with_postgres_tools()}
    dump = run(DEPLOY / "backup", production.folder / "backups", env=environment).stdout.strip()
    production.world |= {"DESK_USER": DESK, "PYTHON": sys.executable}
    restored = f"restored_{uuid.uuid4().hex[:8]}"
    done = production.as_owner(DEPLOY / "restore", dump, restored)
    assert f"Restored into {restored} and verified" in done.stdout
    address = f"host=127.0.0.1 port={production.world['DB_PORT']} dbname={restored} user={DESK}"
    with psycopg.connect(address, password=production.world["DB_PASSWORD"]) as connection:
        assert connection.execute("select count(*) from trades_trade").fetchone()[0] >= 1
        assert connection.execute("select count(*) from trades_trade_after").fetchone()[0] == 0  # parted, as it was
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("delete from trades_trade_after")


def test_what_nginx_says_itself_is_a_problem_to_a_program_and_a_page_to_a_person(production):
    """The last one: it leaves no web process."""
    large = production.call("POST", "/trades/", headers={"Content-Length": "999999999999"})
    assert (large.status_code, large.json()["status"]) == (413, 413)
    refused = production.call("TRACE", "/trades/")
    assert (refused.status_code, refused.json()["request_id"]) == (405, refused.headers["X-Request-ID"])
    check_page(production.call("POST", "/desk/", headers={"Content-Length": "999999999999"} | BROWSER), 413, None)
    endless = production.call("GET", "/", headers={"X-Endless": "x" * 40_000})
    assert (endless.status_code, endless.json()["request_id"]) == (400, endless.headers["X-Request-ID"])
    many = production.call("GET", "/", headers={f"X-{number}": "1" for number in range(150)})
    assert (many.status_code, len(many.headers["X-Request-ID"])) == (431, 32)  # the web process's own, before Django
    for desk in production.web:
        desk.stop()
    away = production.call("GET", "/trades/")
    assert (away.status_code, away.headers["Retry-After"]) == (503, "5")
    assert away.headers["Content-Type"] == "application/problem+json"
    assert (away.json()["status"], away.json()["request_id"]) == (503, away.headers["X-Request-ID"])
    check_page(production.call("GET", "/desk/", headers=BROWSER), 503, "5")
    check_page(production.call("POST", "/desk/trades/new/", data={"price": "1"}, headers=BROWSER), 503, None)
    asked = {away.headers["X-Request-ID"], refused.headers["X-Request-ID"]}
    wait_until(lambda: asked <= logged(production.folder / "access.log"), "nginx has logged both: it answers first")


def check_page(answer: requests.Response, status: int, comes_again: str | None) -> None:
    """What a person sees, in the one style that its policy allows; it asks anew where nothing was sent."""
    assert (answer.status_code, answer.headers.get("Refresh")) == (status, comes_again)
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert answer.headers["X-Request-ID"] in answer.text
    style = re.search("<style>(.*)</style>", answer.text)[1]
    allowed = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{allowed}'" in answer.headers["Content-Security-Policy"]


def logged(log: Path) -> set[str]:
    """The ids of the requests in nginx's log; of the last line, which may still be half written, none."""
    return {json.loads(line)["request_id"] for line in log.read_text().splitlines(True) if line.endswith("\n")}
