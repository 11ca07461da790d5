"""What a book that is parted by month (tradeops/core/partitions.py) asks of all its months, once a statement.

Its keys hold the moment of execution, for PostgreSQL asks that of a parted table: what is to be once in the book is
kept once a moment. So a trigger looks for what was just inserted in every month, and fails as the key itself would, by
the same error with the key's name. It locks the accounts, as whoever books has done before, so that no two look at
once and both find nothing. Another sees that an entry that supersedes has written no version yet (see triggers.py).

Numbers are drawn in turn, and what is inserted together has numbers that lie together: all between the first and the
last are counted, so that a statement looks once into each month, however many rows it brings. Clients' ids are looked
up one by one; those of a large file are compared as PostgreSQL finds best.
"""

from ..models import Account, Trade

TABLE, ACCOUNTS = Trade._meta.db_table, Account._meta.db_table
ONCE, NEXT = f"{TABLE}_once", f"{TABLE}_next"  # the triggers
NUMBER, VERSION, LATEST, CLIENT_ID = (
    f"{TABLE}_pkey", "trade_version_once", "trade_one_latest_version", "trade_client_id_once_an_account",
)  # fmt: skip
MANY = 1000  # rows
# The first version of a trade bears the trade's own number: where no other row has it, there is none of this trade.
IS_FIRST = "version = 1 AND trade_id = id"
OF_SAME_NUMBER = f"FROM {TABLE} WHERE id BETWEEN new.first AND new.last"
OF_SAME_TRADES = f"FROM {TABLE} WHERE trade_id BETWEEN new.first_trade AND new.last_trade"
# Of one moment the month's own key has seen to it. (PostgreSQL takes `< 2` to be true of many rows, `= 1` of few.)
SAME_ID = f"""
    SELECT count(*) > 0 FROM inserted JOIN {TABLE} AS held
    ON held.account_id = inserted.account_id AND held.client_trade_id = inserted.client_trade_id
    WHERE held.version = 1 AND inserted.version < 2 AND held.executed_at <> inserted.executed_at
"""  # noqa: S608 - names of ours


def refuse(key: str) -> str:
    return f"""
        IF is_twice THEN
            RAISE unique_violation USING TABLE = '{TABLE}', CONSTRAINT = '{key}',
                MESSAGE = 'duplicate key value violates unique constraint "{key}"';
        END IF;"""


FUNCTIONS = [
    f"""CREATE OR REPLACE FUNCTION trades_refuse_second() RETURNS trigger LANGUAGE plpgsql AS $body$
    DECLARE
        new record;
        is_twice boolean;
    BEGIN
        SELECT count(*) > {MANY} AS are_many, min(id) AS first, max(id) AS last, min(trade_id) AS first_trade,
               max(trade_id) AS last_trade, min(account_id) AS first_account, max(account_id) AS last_account,
               bool_and({IS_FIRST}) AS are_first,
               bool_or(version = 1 AND client_trade_id IS NOT NULL) AS claim_ids
        INTO new FROM inserted;
        IF new.first IS NULL THEN
            RETURN NULL;
        END IF;
        PERFORM FROM {ACCOUNTS} WHERE id IN (SELECT account_id FROM inserted) ORDER BY id FOR NO KEY UPDATE;

        is_twice := EXISTS (SELECT {OF_SAME_NUMBER} GROUP BY id HAVING count(*) > 1);
        {refuse(NUMBER)}
        IF NOT new.are_first THEN
            is_twice := EXISTS (SELECT {OF_SAME_TRADES} GROUP BY trade_id, version HAVING count(*) > 1);
            {refuse(VERSION)}
            is_twice := EXISTS (
                SELECT {OF_SAME_TRADES} AND superseded_by_id IS NULL GROUP BY trade_id HAVING count(*) > 1);
            {refuse(LATEST)}
        END IF;
        IF new.claim_ids THEN
            IF new.are_many THEN
                EXECUTE $query${SAME_ID} AND held.account_id BETWEEN $1 AND $2$query$
                INTO is_twice USING new.first_account, new.last_account;
            ELSE
                is_twice := ({SAME_ID});
            END IF;
            {refuse(CLIENT_ID)}
        END IF;
        RETURN NULL;
    END $body$""",  # noqa: S608
    f"""CREATE OR REPLACE FUNCTION trades_refuse_written() RETURNS trigger LANGUAGE plpgsql AS $body$
    BEGIN
        IF EXISTS (SELECT FROM {TABLE} WHERE entry_id = ANY (ARRAY(SELECT DISTINCT superseded_by_id FROM changed))) THEN
            RAISE EXCEPTION '{TABLE} is append-only' USING ERRCODE = 'restrict_violation';
        END IF;
        RETURN NULL;
    END $body$""",  # noqa: S608
]


def statements(tables: list[str]) -> list[str]:
    """What lays the triggers on the parted table and its months: each tells of what was written by its own name."""
    return FUNCTIONS + [
        f"CREATE TRIGGER {name} AFTER {event} ON {table} REFERENCING NEW TABLE AS {rows} "
        f"FOR EACH STATEMENT EXECUTE FUNCTION {function}()"
        for table in tables
        for name, event, rows, function in (
            (ONCE, "INSERT", "inserted", "trades_refuse_second"),
            (NEXT, "UPDATE", "changed", "trades_refuse_written"),
        )
    ]
