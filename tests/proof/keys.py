"""Safe retries: one key makes one trade, and a used key never does something else."""

import random
from collections import Counter

import requests

from tests.proof.ground import Client, Ground, at_once, trader
from tests.proof.register import tries
from trades.chain.verification import differences
from trades.models import LedgerEntry, Trade

BODY = {"ticker": "AAPL", "quantity": "10", "price": "150.25", "trade_type": "BUY"}
EACH = 50
SENDERS, DELAY_SECONDS, TRIES = 32, 0.02, 10


@tries(
    "P02",
    "500 sends of one key and 100 keys × 20 shuffled, 32 connections, 2 server processes, 20 ms to PostgreSQL",
    minutes=12,
)
def one_key_makes_one_trade(ground: Ground) -> str:
    proxy = ground.database_proxy()
    proxy.delay_seconds = DELAY_SECONDS
    servers = [start(DB_PORT=str(proxy.port)) for start in (ground.serve, ground.serve_http)]
    books = [trader(f"trader-{number}") for number in range(4)]
    seen = Counter(send_shuffled(servers, books[:1], ["one-key"], 500))
    seen += Counter(send_shuffled(servers, books, [f"key-{number}" for number in range(100)], 20))
    assert set(seen) <= {(201, False), (201, True)}, f"answers other than 201: {dict(seen)}"
    assert Trade.objects.count() == LedgerEntry.objects.count() == 101, f"{Trade.objects.count()} trades of 101 keys"
    assert 1 <= seen[201, False] <= 101, f"{seen[201, False]} answers say that they are the first"
    assert list(differences()) == []
    return (
        f"2,500 sends, 101 trades; {seen[201, False]} answers first, {seen[201, True]:,} marked as replayed, all 201 "
        "and those of a key alike"
    )


def send_shuffled(servers, books, keys, times: int) -> list[tuple[int, bool]]:
    """Sends each key so often, mixed, over many connections; all answers of a key must be of one trade."""
    clients = [[Client(user, *[server.url for server in servers]) for user, _ in books] for _ in range(SENDERS)]
    sends = [(number, key) for _ in range(times) for number, key in enumerate(keys)]
    random.Random(7).shuffle(sends)
    identities: dict[str, set] = {key: set() for key in keys}

    def send(place: int) -> tuple[int, bool]:
        number, key = sends[place]
        client = clients[place % SENDERS][number % len(books)]
        for _ in range(TRIES):  # a machine with much else to do may say 503: nothing was booked, and it is tried again
            answer = client.repeat("POST", "/trades/", json=BODY, headers={"Idempotency-Key": key})
            if answer.status_code != 503:
                break
        identities[key].add(answer.content if answer.status_code == 201 else answer.status_code)
        return answer.status_code, answer.headers.get("Idempotent-Replayed") == "true"

    # Each connection is one thread's own, so that 32 are open and none is shared.
    lanes = [range(lane, len(sends), SENDERS) for lane in range(SENDERS)]
    done = at_once([lambda lane=lane: [send(place) for place in lane] for lane in lanes], SENDERS)
    torn = [f"{key}: {sorted(map(str, answers))}" for key, answers in identities.items() if len(answers) != 1]
    assert not torn, f"answers of one key differ: {torn[:1]}"[:600]
    return [answer for lane in done for answer in lane]


@tries("P03", "50 each: another body, another user's same key, a refused body, an answer lost on the way", minutes=8)
def a_used_key_never_does_something_else(ground: Ground) -> str:
    server = ground.serve()
    proxy = ground.proxy(server.port)
    (alice, _), (bob, _) = trader("alice"), trader("bob")
    alices, bobs = Client(alice, server.url), Client(bob, server.url)
    lossy = Client(alice, f"http://127.0.0.1:{proxy.port}")
    for number in range(EACH):
        another_body(alices, f"body-{number}", number)
        another_user(alices, bobs, f"user-{number}")
        refused_body(alices, f"refused-{number}")
        lost_answer(proxy, lossy, f"lost-{number}")
    keyed = LedgerEntry.objects.exclude(idempotency_key=None).count()
    assert keyed == Trade.objects.count() == 5 * EACH, f"{Trade.objects.count()} trades, expected {5 * EACH}"
    return f"{4 * EACH} cases as promised; {5 * EACH} keys, {5 * EACH} trades"


def book(client: Client, key: str, **changes) -> requests.Response:
    return client.call("POST", "/trades/", json=BODY | changes, headers={"Idempotency-Key": key})


def another_body(client: Client, key: str, number: int) -> None:
    first = book(client, key)
    change = [{"quantity": "11"}, {"price": "150.26"}, {"trade_type": "SELL"}, {"ticker": "MSFT"}, {"note": "x"}]
    other = book(client, key, **change[number % len(change)])
    assert (first.status_code, other.status_code) == (201, 422), f"another body: {other.status_code}"
    assert book(client, key, quantity="10.0").json() == first.json(), "equal values in another spelling differ"


def another_user(alices: Client, bobs: Client, key: str) -> None:
    one, other = book(alices, key), book(bobs, key, quantity="3")
    assert (one.status_code, other.status_code) == (201, 201), f"another user's key: {other.status_code}"
    assert one.json()["id"] != other.json()["id"] and "Idempotent-Replayed" not in other.headers


def refused_body(client: Client, key: str) -> None:
    assert book(client, key, quantity="-1").status_code == 400
    answer = book(client, key)
    assert answer.status_code == 201 and "Idempotent-Replayed" not in answer.headers, "a refused body burnt its key"


def lost_answer(proxy, client: Client, key: str) -> None:
    proxy.loses_answers = True
    try:
        book(client, key)
    except requests.ConnectionError:
        pass
    else:
        raise AssertionError("the answer was not lost")
    proxy.mend()
    answer = book(client, key)
    booked = Trade.objects.get(client_trade_id=key)
    assert answer.status_code == 201 and answer.json()["id"] == booked.trade_id, f"after a loss: {answer.status_code}"
    assert answer.headers.get("Idempotent-Replayed") == "true", "the repeat of a lost answer is not marked"
