"""Makes a book of many trades, in the world that the environment names, and prints tokens that read it.

`python -m bench.book FIRST LAST [STEP]` adds the trades numbered FIRST to LAST to one account. They are put in by the
database itself, as one entry, which is quick; what is derived of them is then folded as after any import. The
entry's digest is not linked: these books are read, and never verified.
"""

import json
import os
import sys

TICKERS = ["AAPL", "MSFT", "NVDA", "AMZN", "GOOGL", "META", "TSLA", "AMD", "NFLX", "INTC"]
TOKENS = 200  # as quick as pages come, no token is asked with 1,200 times a minute
# A trade's columns from its number: ten tickers in turn, bought and sold in turn, `step` apart.
VALUES = """
    SELECT number,
           (ARRAY['AAPL','MSFT','NVDA','AMZN','GOOGL','META','TSLA','AMD','NFLX','INTC'])[1 + number % 10] ticker,
           CASE WHEN number / 10 % 2 = 0 THEN 'BUY' ELSE 'SELL' END side,
           1 + number / 20 % 100 quantity, 100 + (number * 7919 % 5000)::numeric / 100 price,
           timestamptz '2024-01-01 00:00:00Z' + number * interval '{step}' moment
    FROM generate_series({first}::bigint, {last}::bigint) number
"""
OURS = """
    INSERT INTO trades_trade (id, trade_id, version, is_void, entry_id, account_id, ticker, side, quantity, price, fees,
                              notional, executed_at, strategy, tags, note)
    SELECT number, number, 1, false, {entry}, {account}, ticker, side, quantity, price, 0, quantity * price, moment,
           '', '', '' FROM ({values}) made
"""
PEERS = """
    INSERT INTO {table} (ticker, quantity, price, trade_type, "timestamp")
    SELECT ticker, quantity, price, side, moment FROM ({values}) made
"""


def values_of(first: int, last: int, step: str = "1 second") -> str:
    return VALUES.format(first=first, last=last, step=step)


def add_trades(first: int, last: int, *step: str) -> list[str]:
    """The texts of new tokens of the account's owner: the API answers 1,200 requests a minute for each."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tradeops.settings")
    import django

    django.setup()
    from django.db import connection, transaction
    from django.utils import timezone

    from market.models import Instrument
    from tradeops.core.users.models import User
    from tradeops.core.users.tokens import make_token
    from trades.booking import acts
    from trades.folding import refolding
    from trades.models import EntryKind, LedgerEntry
    from trades.services import default_account

    user, _ = User.objects.get_or_create(username="owner")
    with transaction.atomic(), connection.cursor() as cursor:
        account = acts.lock(default_account(user))
        Instrument.objects.ensure(TICKERS)
        entry = LedgerEntry.objects.create(
            account=account, number=account.last_number + 1, recorded_at=timezone.now(), actor=user,
            kind=EntryKind.IMPORT, digest="0" * 64,
        )  # fmt: skip
        account.last_number = entry.number
        account.save(update_fields=["last_number"])
        # Keys that point to other tables are right by how the rows are made; to check them takes longer than to write.
        cursor.execute("SET LOCAL session_replication_role = replica")
        values = values_of(first, last, *step)
        cursor.execute(OURS.format(entry=entry.pk, account=account.pk, values=values))
        cursor.execute("SELECT setval(pg_get_serial_sequence('trades_trade', 'id'), %s)", [last])
        refolding.refold(account, TICKERS)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    return [make_token(user, name=f"bench {number}")[1] for number in range(TOKENS)]


if __name__ == "__main__":
    print(json.dumps(add_trades(int(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:])))
