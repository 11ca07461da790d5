"""A dump of the database taken while it is written to, and what is left of it elsewhere."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import psycopg

from tests.proof.files import bring_in
from tests.proof.ground import Client, Ground, at_once, trader
from tests.proof.imports import ROWS, file_of
from tests.proof.register import tries
from tests.proof.suite import ROOT
from tests.worlds import find_program

WRITERS, RESTORED = 8, "restored"
BODY = {"ticker": "AAPL", "quantity": 1, "price": 1, "trade_type": "BUY"}


@tries("P36", "pg_dump of 10,000 rows under 8 writers over 2 web processes, restored into an empty database", minutes=8)
def a_dump_restores_whole(ground: Ground) -> str:
    user, account = trader("alice")
    bring_in(account, file_of(ROWS))
    servers, over = [ground.serve_http(), ground.serve_http()], threading.Event()
    clients = [Client(user, servers[number % 2].url) for number in range(WRITERS)]
    dump = ground.folder / "dump"

    def take_dump() -> int:
        try:
            run_tool("pg_dump", "-Fc", "-f", str(dump), os.environ["DB_NAME"])
        finally:
            over.set()
        return 0

    written = at_once(
        [take_dump, *[lambda client=client: write_until(client, over) for client in clients]], WRITERS + 1
    )
    with connect(os.environ["DB_NAME"]) as own:
        own.execute(f"create database {RESTORED}")
    run_tool("pg_restore", "--exit-on-error", "-d", RESTORED, str(dump))
    return verified(sum(written))


def write_until(client: Client, over: threading.Event) -> int:
    count = 0
    while not over.is_set():
        assert client.call("POST", "/trades/", json=BODY).status_code == 201
        count += 1
    return count


def verified(written: int) -> str:
    environment = os.environ | {"DB_NAME": RESTORED}
    command = [sys.executable, "manage.py", "verify_ledger"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"verify_ledger: {done.stdout[-300:]}{done.stderr[-300:]}"
    with connect(RESTORED) as restored:
        (rows,) = restored.execute("select count(*) from trades_trade").fetchone()
        try:
            restored.execute("update trades_trade set note = 'x'")
        except psycopg.errors.RestrictViolation:
            pass
        else:
            raise AssertionError("the restored book can be changed")
    assert ROWS <= rows <= ROWS + written, f"{rows} rows were restored"
    return f"{rows:,} rows restored ({written} booked during the dump), verify_ledger green, still append-only"


def connect(name: str):
    address = f"host={os.environ['DB_HOST']} port={os.environ['DB_PORT']} user={os.environ['DB_USER']} dbname={name}"
    return psycopg.connect(address, password=os.environ["DB_PASSWORD"], autocommit=True)


def run_tool(name: str, *arguments: str) -> None:
    address = ["-h", os.environ["DB_HOST"], "-p", os.environ["DB_PORT"], "-U", os.environ["DB_USER"]]
    program = Path(find_program("postgres")).parent / name
    environment = os.environ | {"PGPASSWORD": os.environ["DB_PASSWORD"]}
    done = subprocess.run([program, *address, *arguments], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{name}: {done.stderr[-500:]}"
