"""Exact numbers: what is accepted reads back equal everywhere; what cannot be kept exactly is refused."""

import csv
import io
import json
import random
import re
import threading
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pyarrow.parquet
from django.core.files.storage import storages
from websockets.sync.client import connect

from tests.desk import Desk
from tests.proof.ground import Ground, wait_for
from tests.proof.register import EMBEDDED, tries

NUMBERS, SEED = 500, 20_250_115
WHOLE_DIGITS, PLACES = 16, 12
TRIED = "500 random decimals of 1–40 digits through API, page, CSV, lake, Parquet and socket, "
DAY = (datetime.now(UTC) - timedelta(days=1)).date()


@tries("P06", TRIED + "on PostgreSQL and S3", minutes=8)
def numbers_are_exact_on_postgresql(ground: Ground) -> str:
    return numbers_are_exact(ground)


@tries("P06", "the same on SQLite and a folder", world=EMBEDDED, minutes=8)
def numbers_are_exact_on_sqlite(ground: Ground) -> str:
    return numbers_are_exact(ground)


def numbers_are_exact(ground: Ground) -> str:
    desk, frames = ground.up("--no-feed"), []
    with connect(desk.socket_url, max_size=None) as socket:
        listener = threading.Thread(target=listen, args=[socket, frames], daemon=True)
        listener.start()
        booked = book_all(desk)
        wait_for(lambda: len(booked) <= sum(frame["type"] == "trade" for frame in frames), "the frames of all trades")
    refused = NUMBERS - len(booked)
    for surface, read in SURFACES.items():
        found = read(desk, frames)
        wrong = [identity for identity, values in booked.items() if not holds(found.get(identity), values)]
        assert not wrong, f"{surface}: trade {wrong[0]} reads {found.get(wrong[0])}, booked {booked[wrong[0]]}"
    return f"{len(booked)} accepted and equal on {len(SURFACES)} surfaces, {refused} refused by field, none rounded"


# Numbers ---------------------------------------------------------------------------------


def random_number(source: random.Random) -> str:
    """A number of 1 to 40 digits as JSON spells it, or as text that people write."""
    digits = source.randint(1, 40) if source.random() < 0.5 else source.randint(1, 28)
    text = str(source.randint(1, 9)) + "".join(source.choice("0123456789") for _ in range(digits - 1))
    point = source.randint(0, digits)
    plain = f"{text[:point] or '0'}.{text[point:]}" if point < digits else text
    spelled = source.choice([plain, plain, f"{text}e-{source.randint(0, digits + 2)}", f"-{plain}", f"{plain}000"])
    if "." not in spelled and spelled.endswith("000"):
        spelled = plain
    return spelled if source.random() < 0.5 else f'"{spelled}"'


def is_kept_exactly(value: Decimal) -> bool:
    """The rule, read anew: more than 0, at most 16 digits before the point and 12 after it."""
    _, denominator = value.as_integer_ratio()
    return 0 < value < 10**WHOLE_DIGITS and 10**PLACES % denominator == 0


def book_all(desk: Desk) -> dict[int, dict[str, Decimal]]:
    source, booked = random.Random(SEED), {}
    for number in range(NUMBERS):
        spelled, name = random_number(source), ("price", "quantity", "fees")[number % 3]
        value = Decimal(spelled.strip('"'))
        given = {"price": "1", "quantity": "1", "fees": "0"} | {name: spelled}
        body = ", ".join(f'"{key}": {text}' for key, text in given.items())
        body = f'{{"ticker": "EXACT", "trade_type": "BUY", "executed_at": "{DAY}T12:00:00Z", {body}}}'
        answer = desk.post("/trades/", data=body, headers={"Content-Type": "application/json"})
        if is_kept_exactly(value):
            assert answer.status_code == 201, f"{name} {spelled} can be kept and is refused: {answer.text[:200]}"
            booked[answer.json()["id"]] = {key: Decimal(text.strip('"')) for key, text in given.items()}
        else:
            assert answer.status_code == 400, f"{name} {spelled} cannot be kept and is {answer.status_code}"
            assert [error["field"] for error in answer.json()["errors"]] == [name], answer.text
    return booked


def holds(found: dict | None, values: dict[str, Decimal]) -> bool:
    """Whether every one of `values` stands in what was read, digit for digit and spelled plainly."""
    return found is not None and all(found[name] == spelled_plainly(value) for name, value in values.items())


def spelled_plainly(value: Decimal) -> str:
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


# Surfaces ------------------------------------------------------------------------------------


def through_list(desk: Desk, frames) -> dict[int, dict]:
    rows, address = [], "/trades/?ticker=EXACT&page_size=200"
    while address:
        page = desk.get(address.removeprefix(desk.url)).json()
        rows, address = rows + page["results"], page["next"]
    for row in rows:
        notional = Fraction(row["quantity"]) * Fraction(row["price"])
        assert Fraction(row["notional"]) == notional, f"notional {row['notional']}, not {notional}"
    total = desk.get("/positions/EXACT").json()["quantity"]
    assert Fraction(total) == sum(Fraction(row["quantity"]) for row in rows), "the position is another sum"
    return {row["id"]: row for row in rows}


def through_detail(desk: Desk, frames) -> dict[int, dict]:
    return {identity: desk.get(f"/trades/{identity}").json() for identity in through_list(desk, frames)}


def through_page(desk: Desk, frames) -> dict[int, dict]:
    """Each figure that stands on the trade's page is found; the thousands are set apart by commas there."""
    found = {}
    for identity, row in through_list(desk, frames).items():
        text = re.sub(r"<[^>]*>", " ", desk.get(f"/desk/trades/{identity}/").text).replace(",", "")
        figures = {re.sub(r"(\.\d*?)0+$", r"\1", word).rstrip(".") for word in re.findall(r"\d+(?:\.\d+)?", text)}
        found[identity] = {name: row[name] for name in ("price", "quantity", "fees") if row[name] in figures}
        found[identity] = dict.fromkeys(("price", "quantity", "fees"), "missing") | found[identity]
    return found


def through_csv(desk: Desk, frames) -> dict[int, dict]:
    return by_id(desk.get("/trades/?ticker=EXACT&format=csv").content)


def through_lake(desk: Desk, frames) -> dict[int, dict]:
    owed = desk.post("/analytics/process", json={"date": str(DAY)}).json()
    job = f"/analytics/jobs/{owed['job_id']}"
    wait_for(lambda: desk.get(job).json()["status"] in ("succeeded", "failed"), "the export")
    return by_id(lake_file("csv"))


def through_parquet(desk: Desk, frames) -> dict[int, dict]:
    rows = pyarrow.parquet.read_table(io.BytesIO(lake_file("parquet"))).to_pylist()
    names = ("price", "quantity", "fees")
    return {int(row["id"]): {name: spelled_plainly(Decimal(str(row[name]))) for name in names} for row in rows}


def through_socket(desk: Desk, frames) -> dict[int, dict]:
    return {frame["id"]: frame for frame in frames if frame["type"] == "trade"}


SURFACES = {
    "list": through_list,
    "detail": through_detail,
    "page": through_page,
    "CSV": through_csv,
    "lake": through_lake,
    "Parquet": through_parquet,
    "socket": through_socket,
}


def by_id(content: bytes) -> dict[int, dict]:
    return {int(row["id"]): row for row in csv.DictReader(io.StringIO(content.decode()))}


def lake_file(ending: str) -> bytes:
    with storages["lake"].open(f"trades/{DAY:%Y/%m/%d}/trades_{DAY}.{ending}") as file:
        return file.read()


def listen(socket, frames: list) -> None:
    socket.send(json.dumps({"action": "subscribe", "tickers": [], "channels": ["trades"]}))
    for text in socket:
        frames.append(json.loads(text))
