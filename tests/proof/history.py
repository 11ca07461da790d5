"""History does not change: not by SQL, not by an administrator; and whoever did it all the same is found."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

from django.db import DatabaseError, connection, transaction
from django.test import Client as Browser
from django.urls import reverse
from django.utils import timezone

from tests.factories import PASSWORD, book, make_account, make_user
from tests.proof.ground import Client, Ground, trader
from tests.proof.register import EMBEDDED, tries
from tradeops.core.users.models import Role, User
from trades.chain import triggers
from trades.chain.verification import differences
from trades.control.closes import close_books
from trades.models import Account, Activity, Adjustment, KeptAnswer, LedgerEntry, Trade
from trades.services import book_activity, correct_version, void_version

# Named here, and not read from the triggers: a table that they forget would be asked after by nobody.
BOOKED = (LedgerEntry, KeptAnswer, Adjustment, Trade, Activity)
APP_ROLE = "tradeops_web"
ROLE_STATEMENTS = (
    "ALTER TABLE trades_trade DISABLE TRIGGER ALL",
    "DROP TRIGGER trades_trade_no_update ON trades_trade",
    "ALTER TABLE trades_trade DISABLE TRIGGER trades_trade_no_update",
    "SET session_replication_role = replica",
    "DROP TABLE trades_trade CASCADE",
    "DROP FUNCTION trades_refuse_change CASCADE",
    "CREATE OR REPLACE FUNCTION trades_refuse_change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
)


# By SQL -----------------------------------------------------------------------------------


@tries("P05", "UPDATE of every column, DELETE and TRUNCATE of every booked table, as the app's role, on PostgreSQL")
def postgresql_refuses_changes(ground: Ground) -> str:
    make_history()
    refused = all_refused([*forbidden(), "TRUNCATE {table} CASCADE"])
    server = served_by_a_lesser_role(ground)
    client = Client(User.objects.get(username="alice"), server.url)
    body = {"ticker": "AAPL", "quantity": 1, "price": 1, "trade_type": "BUY"}
    booked = client.call("POST", "/trades/", json=body)
    assert booked.status_code == 201, f"under a role without ownership: {booked.status_code} {booked.text[:200]}"
    with connection.cursor() as cursor:
        cursor.execute(f"SET ROLE {APP_ROLE}")
        try:
            taken = [statement for statement in ROLE_STATEMENTS if not is_refused(statement, "")]
            assert not taken, f"a role without ownership may: {taken[0]}"
            refused += all_refused(forbidden())
        finally:
            cursor.execute("RESET ROLE")
    return f"{refused} statements refused and every row as it was; {len(ROLE_STATEMENTS)} ways round the triggers too"


@tries("P05", "the same on SQLite", world=EMBEDDED)
def sqlite_refuses_changes(ground: Ground) -> str:
    make_history()
    refused = all_refused([*forbidden(), "INSERT OR REPLACE INTO {table} SELECT * FROM {table}"])
    return f"{refused} statements refused and every row as it was"


def make_history() -> Trade:
    """A book with every kind of row, and the people who might change it. Returns a trade with two versions."""
    alice, account = trader("alice")
    first = book(account, "BUY", "10", "100", fees="1", idempotency_key="k")
    KeptAnswer.objects.create(entry=first.entry, body={"id": first.trade_id})
    correct_version(first, {"price": Decimal(101)}, actor=alice, reason="typing error")
    void_version(book(account, "BUY", "1"), actor=alice, reason="not ours")
    paid_in = Activity(account=account, kind="deposit", amount=Decimal(5000), effective_at=None)
    correct_version(book_activity(paid_in, actor=alice).row, {"amount": Decimal(5001)}, actor=alice, reason="misread")
    keep_an_adjustment(alice)
    for number in range(8):
        book(account, "SELL" if number % 2 else "BUY", str(number + 1), "12.5", ticker=f"T{number % 2}", note="kept")
    return Trade.objects.latest_versions().get(trade_id=first.trade_id)


def keep_an_adjustment(owner: User) -> None:
    """In a book of its own: a trade of a closed day, adjusted today."""
    account = make_account(owner, "Closed")
    late = book(account, "BUY", "5", "10", executed_at=timezone.now() - timedelta(days=9))
    carol = make_user("carol", Role.BACK_OFFICE)
    close_books(account, timezone.now().date() - timedelta(days=7), actor=carol)
    correct_version(late, {"price": Decimal(11)}, actor=owner, reason="late", is_adjustment=True)


def forbidden() -> list[str]:
    """Statements with the table left open, by column; on an append-only table even an empty change is refused."""
    return ["DELETE FROM {table}", 'UPDATE {table} SET "{column}" = NULL', 'UPDATE {table} SET "{column}" = "{column}"']


def all_refused(statements: list[str]) -> int:
    """Tries the statements on every kept table and column; how many there were. All must be refused, nothing moved."""
    before, count = contents(), 0
    for model in BOOKED:
        table = model._meta.db_table
        assert model.objects.exists(), f"{table} holds no row to change"
        for statement in statements:
            columns = [field.column for field in model._meta.concrete_fields] if "{column}" in statement else [""]
            for column in columns:
                filled = statement.format(table=table, column=column)
                assert is_refused(filled, "append-only"), f"taken, or refused for another reason: {filled}"
                count += 1
    assert contents() == before
    return count


def is_refused(statement: str, word: str) -> bool:
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)
    except DatabaseError as error:
        # SQLite numbers its pages: an UPDATE of the key to nothing is refused before any trigger is asked.
        return word in str(error) or "datatype mismatch" in str(error) or "permission denied" in str(error)
    return False


def contents() -> list:
    return [list(model.objects.order_by("pk").values_list()) for model in BOOKED]


def served_by_a_lesser_role(ground: Ground):
    """A web process whose database role may read and write rows and owns no table."""
    with connection.cursor() as cursor:
        administer(f"CREATE ROLE {APP_ROLE} LOGIN PASSWORD 'x'; GRANT {APP_ROLE} TO tradeops")
        cursor.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {APP_ROLE}")
        cursor.execute(f"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {APP_ROLE}")
    return ground.serve(DB_USER=APP_ROLE, DB_PASSWORD="x")


def administer(statements: str) -> None:
    import psycopg

    settings = connection.settings_dict
    address = f"host={settings['HOST']} port={settings['PORT']} user=postgres dbname={settings['NAME']}"
    with psycopg.connect(address, autocommit=True) as root:
        root.execute(statements)


# By an administrator --------------------------------------------------------------------------


@tries("P05", "an administrator's forms and the API: edit, delete, the actions of the lists", world=EMBEDDED)
def no_one_edits_or_deletes(ground: Ground) -> str:
    trade = make_history()
    make_user("root", Role.ADMINISTRATOR, is_superuser=True)
    browser = Browser(raise_request_exception=False, headers={"Host": "127.0.0.1"})
    browser.login(username="root", password=PASSWORD)
    before, tried = contents(), 0
    for model in BOOKED:
        tried += hammer_admin(browser, model)
    assert contents() == before, "a row was changed through the admin"
    answer = browser.put(f"/trades/{trade.trade_id}", {}, content_type="application/json")
    assert answer.status_code == 400, f"an empty PUT is {answer.status_code}"
    check_versions(browser, trade)
    return f"{tried} admin posts changed nothing; a PATCH and a DELETE wrote versions 3 and 4 with who, when and why"


def hammer_admin(browser: Browser, model) -> int:
    name, pks = f"admin:{model._meta.app_label}_{model._meta.model_name}", [str(pk) for pk in all_pks(model)]
    values = {"price": "1", "quantity": "1", "note": "x", "reason": "x", "body": "{}", "digest": "0" * 64}
    posts = [("changelist", [], {"action": "delete_selected", "_selected_action": pks, "post": "yes"})]
    posts += [(page, [pk], values | {"post": "yes", "_save": "Save"}) for pk in pks for page in ("change", "delete")]
    done = 0
    for page, arguments, data in posts:
        try:
            address = reverse(f"{name}_{page}", args=arguments)
        except Exception:  # noqa: BLE001, S112 - a model without pages in the admin has none to attack
            continue
        answer = browser.post(address, data)
        assert answer.status_code in (200, 302, 403, 404, 405), f"POST {address}: {answer.status_code}"
        done += 1
    return done


def all_pks(model) -> list:
    return list(model.objects.order_by("pk").values_list("pk", flat=True))


def check_versions(browser: Browser, trade: Trade) -> None:
    address = f"/trades/{trade.trade_id}"
    patched = browser.patch(address, {"price": "99", "reason": "again"}, content_type="application/json")
    removed = browser.delete(address, {"reason": "never was"}, content_type="application/json")
    assert (patched.status_code, removed.status_code) == (200, 204), f"{patched.status_code}, {removed.status_code}"
    versions = browser.get(address + "/history").json()["results"]
    assert [one["version"] for one in versions] == [1, 2, 3, 4]
    said = [(one["actor"], one["reason"]) for one in versions]
    assert said == [("alice", ""), ("alice", "typing error"), ("root", "again"), ("root", "never was")], said
    assert all(one["recorded_at"] for one in versions)


# Behind everybody's back -------------------------------------------------------------------------


def raise_of(name: str, by) -> Callable[[], None]:
    def tamper():
        row = Trade.objects.order_by("trade_id").exclude(note="")[3]
        Trade.objects.filter(pk=row.pk).update(**{name: getattr(row, name) + by})

    return tamper


def entries(number: int):
    return LedgerEntry.objects.filter(account__name="Book", number=number)


TAMPERINGS: dict[str, Callable[[], object]] = {
    "a cent on a price": raise_of("price", Decimal("0.01")),
    "the last digit of a quantity": raise_of("quantity", Decimal("0.000000000001")),
    "a fee": raise_of("fees", Decimal("0.01")),
    "a microsecond": raise_of("executed_at", timedelta(microseconds=1)),
    "a note": raise_of("note", "!"),
    "a cent on a deposit": lambda: Activity.objects.latest_versions().update(amount=Decimal("5001.01")),
    "what an adjustment adjusts": lambda: Adjustment.objects.update(target_id=1),
    "a side": lambda: Trade.objects.filter(side="BUY", note="kept").update(side="SELL"),
    "a void undone": lambda: Trade.objects.filter(is_void=True).update(is_void=False),
    "who did it": lambda: entries(5).update(actor=User.objects.get(username="mallory")),
    "why it was done": lambda: entries(2).update(reason="another reason"),
    "when it was known": lambda: entries(4).update(recorded_at="2020-01-01T00:00:00Z"),
    "the last entry taken away": lambda: take_away(entries(Account.objects.get(name="Book").last_number)),
    "an entry in the middle taken away": lambda: take_away(entries(6)),
}


def take_away(rows) -> None:
    for model in (Trade, Activity):
        model.objects.filter(entry__in=rows).delete()
        model.objects.filter(superseded_by__in=rows).update(superseded_by=None)
    rows.delete()


@tries("P05", f"{len(TAMPERINGS)} tampered books, triggers lifted, on PostgreSQL")
def the_verifier_finds_what_was_tampered(ground: Ground) -> str:
    return tampered_are_found()


@tries("P05", f"{len(TAMPERINGS)} tampered books on SQLite", world=EMBEDDED)
def the_verifier_finds_it_on_sqlite(ground: Ground) -> str:
    return tampered_are_found()


def tampered_are_found() -> str:
    make_history()
    make_user("mallory")
    assert list(differences()) == []
    missed = [name for name, tamper in TAMPERINGS.items() if not finds(tamper)]
    assert not missed, f"the verifier misses: {', '.join(missed)}"
    assert list(differences()) == []
    return f"{len(TAMPERINGS)} of {len(TAMPERINGS)} found by verify_ledger"


def finds(tamper: Callable) -> bool:
    """Whether the verifier sees it; all is taken back after."""
    with transaction.atomic():
        with triggers.lifted():
            tamper()
            found = next(differences(), None)
        transaction.set_rollback(True)
    return found is not None
