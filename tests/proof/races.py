"""Many at once at one position."""

from collections import Counter

from tests.proof.ground import Client, Ground, at_once, trader
from tests.proof.register import tries
from trades.chain.verification import differences
from trades.models import Position, Trade

SELLERS, ROUNDS, QUANTITY = 100, 20, "7.5"


@tries("P10", "100 parallel sells of the whole position × 20, over 2 server processes on PostgreSQL", minutes=10)
def nothing_is_oversold(ground: Ground) -> str:
    servers = [ground.serve(), ground.serve_http()]
    user, account = trader("alice", allows_short=False)
    addresses = [server.url for server in servers]
    clients = [Client(user, *addresses[number % 2 :], *addresses[: number % 2]) for number in range(SELLERS)]
    seen = Counter()
    for number in range(ROUNDS):
        order = {"ticker": f"T{number}", "quantity": QUANTITY, "price": "10", "account": account.pk}
        assert clients[0].call("POST", "/trades/", json=order | {"trade_type": "BUY"}).status_code == 201
        answers = at_once([lambda client=c, order=order: sell(client, order) for c in clients], SELLERS)
        assert answers.count(201) == 1, f"round {number + 1}: {answers.count(201)} sells were taken"
        seen += Counter(answers)
    assert set(seen) == {201, 409}, f"answers: {dict(seen)}"
    assert not Position.objects.exclude(quantity=0).exists() and Trade.objects.count() == 2 * ROUNDS
    assert list(differences()) == []
    return f"{seen[201]} of {SELLERS * ROUNDS:,} sells taken, one a round, the others 409; every position ends at 0"


def sell(client: Client, order: dict) -> int:
    return client.call("POST", "/trades/", json=order | {"trade_type": "SELL"}).status_code
