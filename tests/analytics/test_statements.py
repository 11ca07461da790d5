"""A day by account: what is in it, against the day before; statements that are made again to the byte."""

import csv
import datetime as dt
import io
from dataclasses import replace
from decimal import Decimal
from itertools import combinations

import pytest
from django.core.files.storage import storages
from django.utils import timezone
from matplotlib.backends.backend_agg import RendererAgg

from analytics import reading, services, statements
from analytics.account_day import AccountDay, Line
from analytics.archive import reproduce
from analytics.checking import check_lake, check_revisions
from analytics.late import late_statement_days, recorded_lately, statements_moved
from analytics.layout import object_key, parse_key
from analytics.models import LakeFile, Revision
from analytics.reports import TickerDay
from analytics.statement_words import notes_of, percent, units
from market.models import Instrument, Mark
from tests.analytics.conftest import DAY
from tests.factories import act, book, make_account, make_user
from tradeops.core.jobs import runner
from tradeops.core.jobs.models import Job
from tradeops.core.jobs.services import owe
from tradeops.core.users.models import User
from trades.models import Account, Trade
from trades.services import correct_version, void_version

BEFORE = DAY - dt.timedelta(days=1)


def at(hour: int, day: dt.date = DAY) -> dt.datetime:
    return dt.datetime.combine(day, dt.time(hour), dt.UTC)


def content_of(key: str) -> bytes:
    with storages["lake"].open(key) as file:
        return file.read()


def price(ticker: str, amount: str, moment: dt.datetime, actor) -> None:
    Instrument.objects.get_or_create(ticker=ticker)
    Mark.objects.create(instrument_id=ticker, price=Decimal(amount), at=moment, made_by=actor)


@pytest.fixture
def account(alice):
    """100 AAPL bought the day before at 10, half of them sold at 13; 10 short of TSLA; worked out by hand below."""
    account = make_account(alice, name="Möller & <Söhne>")
    act(account, "deposit", amount=5000, effective_at=at(8, BEFORE))
    book(account, "BUY", "100", "10", executed_at=at(10, BEFORE), fees="1")
    price("AAPL", "11", at(20, BEFORE), alice)
    book(account, "SELL", "50", "13", executed_at=at(10), fees="2")
    book(account, "SELL", "10", "200", executed_at=at(11), ticker="TSLA")
    act(account, "withdrawal", amount=100, effective_at=at(12))
    price("AAPL", "12.1", at(20), alice)
    price("TSLA", "190", at(20), alice)
    return account


@pytest.mark.django_db
def test_a_day_is_told_as_worked_out_by_hand(account):
    ((told, _),) = statements.read_accounts(DAY)
    # 5000 - 1001 + 100 × 11 = 5099; then + 650 - 2 + 2000 - 100 cash, 50 × 12.1 and -10 × 190.
    assert (told.opening_equity, told.closing_equity, told.cash_flow) == (5099, Decimal("5252"), -100)
    assert (told.pnl, told.cash, told.realized_pnl, told.fees) == (253, 6547, 150, 2)
    apple, tesla = told.lines
    assert (apple.quantity, apple.previous_quantity, apple.exposure, apple.previous_exposure) == (50, 100, 605, 1100)
    assert (apple.mark, apple.previous_mark, apple.change) == (Decimal("12.1"), 11, Decimal("0.1"))
    assert (apple.traded.volume, apple.before.volume, apple.day_pnl) == (50, 100, 153)
    assert (tesla.exposure, tesla.previous_exposure, tesla.day_pnl, tesla.change) == (-1900, 0, 100, None)
    assert told.gross_exposure == 2505 and [line.ticker for line in told.movers] == ["AAPL"]


@pytest.mark.django_db
def test_an_export_owes_the_statements_which_stand_beside_it(account, alice):
    runner.load_handlers()
    services.request_export(DAY, alice)
    while runner.run_owed():
        pass
    assert dict(Job.objects.values_list("kind", "state")) == {"export": "succeeded", "statements": "succeeded"}
    rows = list(csv.DictReader(io.StringIO(content_of(object_key("accounts", DAY)).decode(), newline="")))
    assert [(row["ticker"], row["exposure"], row["previous_volume"], row["change"]) for row in rows] == [
        ("AAPL", "605", "100", "0.1"), ("TSLA", "-1900", "0", ""),
    ]  # fmt: skip
    page = content_of(object_key("statements", DAY, "html", account.pk)).decode()
    assert "Möller &amp; &lt;Söhne&gt;" in page and "+253.00" in page and "−1,900.00" in page
    pdf = content_of(object_key("statements", DAY, "pdf", account.pk))
    assert pdf.startswith(b"%PDF-") and b"CreationDate" not in pdf


@pytest.mark.django_db
def test_a_statement_is_made_again_to_the_byte_whatever_was_learned_since(account, alice, tmp_path):
    statements.make_statements(DAY)
    sold = Trade.objects.select_related("account").get(instrument="AAPL", side="SELL")
    correct_version(sold, {"price": Decimal(14)}, actor=alice)
    price("AAPL", "12.5", at(21), alice)
    statements.make_statements(DAY)
    Account.objects.update(name="Renamed")
    User.objects.filter(pk=alice.pk).update(username="renamed")
    revisions = Revision.objects.filter(number=1)
    assert revisions.count() == 4 and Revision.objects.filter(number=2).count() == 4
    for revision in Revision.objects.all():
        folder = tmp_path / revision.name
        folder.mkdir()
        assert reproduce(revision, folder).is_same, revision


@pytest.mark.usefixtures("one_day")
@pytest.mark.django_db
@pytest.mark.parametrize("is_voided", [True, False])
def test_a_statement_of_the_only_trade_tells_of_nothing_when_it_is_voided_or_moved(alice, bob, is_voided):
    account, idle = make_account(alice), make_account(bob)
    trade = book(account, "BUY", "10", "7", executed_at=at(10))
    services.make_day(DAY)
    statements.make_statements(DAY)
    if is_voided:
        void_version(trade, actor=alice, reason="not ours")
    else:
        correct_version(trade, {"executed_at": at(10, DAY + dt.timedelta(days=1))}, actor=alice)
    services.make_day(DAY)
    assert statements.make_statements(DAY)["accounts"] == 1
    page = content_of(object_key("statements", DAY, "html", account.pk)).decode()
    assert "AAPL" not in page and "Nothing was traded" in page
    assert len(content_of(object_key("accounts", DAY)).splitlines()) == 1
    assert not LakeFile.objects.filter(account=idle).exists()
    assert list(check_lake([DAY])) == list(check_revisions(DAY)) == []


@pytest.mark.django_db
def test_a_late_deposit_has_every_later_statement_of_the_account_made_again(account, bob, monkeypatch):
    days = [DAY + dt.timedelta(days=number) for number in range(3)]
    for day in days:  # on the last two nothing is traded
        statements.make_statements(day)
    assert late_statement_days() == set(days)  # what was recorded within the hour before may have been missed
    LakeFile.objects.update(made_at=timezone.now() + dt.timedelta(hours=2))
    assert services.owe_late_statements(timezone.now().date()) == []
    LakeFile.objects.update(made_at=timezone.now() - dt.timedelta(hours=2))
    assert late_statement_days() == set(days)
    runner.load_handlers()
    act(account, "deposit", amount=1000, effective_at=at(9, days[1]))
    monkeypatch.setattr(statements, "LATE_SECONDS", 0)  # a job makes one day
    assert services.owe_late_statements(timezone.now().date()) == days
    assert services.owe_late_statements(timezone.now().date()) == []
    assert [job.key for job in Job.objects.unfinished().filter(kind="late_statements")] == [DAY.isoformat()]
    while runner.run_owed():
        pass
    told = [content_of(object_key("statements", day, "html", account.pk)).decode() for day in days]
    assert ["6,252.00" in page for page in told] == [False, True, True]
    revisions = Revision.objects.filter(file_key=object_key("statements", days[2], "html", account.pk))
    assert sorted(revisions.values_list("number", flat=True)) == [1, 2]


@pytest.mark.django_db
def test_a_late_deposit_of_one_account_moves_no_day_that_tells_of_others_alone(account, bob):
    statements.make_statements(DAY)
    LakeFile.objects.update(made_at=timezone.now() + dt.timedelta(hours=2))
    act(make_account(bob), "deposit", amount=1000, effective_at=at(9, BEFORE))
    LakeFile.objects.update(made_at=timezone.now() - dt.timedelta(hours=2))
    ones = [one for one in recorded_lately(timezone.now() - dt.timedelta(days=1)) if one.account != account.pk]
    assert ones and set(statements_moved(ones[0].account, ones)) == set()
    book(Account.objects.get(pk=ones[0].account), "BUY", "1", "10", executed_at=at(10, BEFORE))
    ones = [one for one in recorded_lately(timezone.now() - dt.timedelta(days=1)) if one.account != account.pk]
    assert set(statements_moved(ones[0].account, ones)) == {DAY}  # it holds something at that day's end


@pytest.mark.django_db
def test_a_trader_reads_own_statements_alone(account, alice, bob, carol, api, client):
    statements.make_statements(DAY)
    seen = {user: [file["key"] for file in answer.data["files"]] if answer.status_code == 200 else answer.status_code
            for user in (alice, bob, carol) for answer in [api(user).get("/analytics/days/2025-01-15")]}  # fmt: skip
    own = [object_key("statements", DAY, form, account.pk) for form in ("html", "pdf")]
    assert seen == {alice: own, bob: 404, carol: [object_key("accounts", DAY, f) for f in ("csv", "parquet")] + own}
    file = LakeFile.objects.get(key=own[1])
    for user, status in ((alice, 200), (bob, 404)):
        client.force_login(user, backend="tradeops.core.users.backend.RoleBackend")
        assert client.get(f"/desk/reports/files/{file.pk}/").status_code == status
        assert (f"/desk/reports/files/{file.pk}/" in client.get("/desk/reports/").content.decode()) == (status == 200)


@pytest.mark.django_db
def test_a_day_shows_the_statements_of_some_accounts_at_a_time(account, bob, carol, api, client, monkeypatch):
    monkeypatch.setattr(reading, "ACCOUNTS_SHOWN", 1)
    monkeypatch.setattr(reading, "REVISIONS_SHOWN", 1)
    another = make_account(bob)
    book(another, "BUY", "1", "10", executed_at=at(10, BEFORE))
    statements.make_statements(DAY)
    sent = {"rows": 1, "size": 1, "sha256": "0" * 64, "made_with": "x"}
    Revision.objects.create(file_key=object_key("statements", DAY, "pdf", account.pk), number=2, **sent)
    pages = [api(carol).get(f"/analytics/days/2025-01-15?after={after}").data for after in (0, account.pk)]
    assert [page["following"] for page in pages] == [account.pk, None]
    keys = [file["key"] for page in pages for file in page["files"]]
    assert keys == list(
        LakeFile.objects.filter(day=DAY).order_by("kind", "account_id", "key").values_list("key", flat=True)
    )
    assert [one["number"] for file in pages[0]["files"] for one in file["revisions"]] == [1, 1, 1, 2]
    assert api(carol).get("/analytics/days/2025-01-15?after=-1").status_code == 400
    client.force_login(carol, backend="tradeops.core.users.backend.RoleBackend")
    assert f"?after={account.pk}" in client.get("/desk/reports/days/2025-01-15/").content.decode()


@pytest.mark.usefixtures("one_day")
@pytest.mark.django_db
def test_a_day_that_is_not_over_and_one_without_anything_tell_nothing(account):
    with pytest.raises(ValueError, match="not over yet"):
        statements.make_statements(dt.datetime.now(dt.UTC).date())
    make_account(make_user("idle"))
    assert statements.make_statements(BEFORE - dt.timedelta(days=1))["accounts"] == 0


@pytest.mark.django_db
def test_whether_a_day_is_over_is_judged_by_the_clock_that_all_machines_share(account, monkeypatch):
    runner.load_handlers()
    for moment, anchors, states in (
        (at(23), 0, {"export"}),
        (at(0, DAY + dt.timedelta(days=1)), 1, {"export", "statements"}),
    ):
        monkeypatch.setattr("analytics.services.clock.now", lambda moment=moment: moment)
        owe("export", DAY.isoformat())
        runner.run_owed(limit=1)
        assert LakeFile.objects.filter(kind="anchors").count() == anchors
        assert set(Job.objects.values_list("kind", flat=True)) == states
    statements.make_statements(DAY)
    monkeypatch.setattr("analytics.services.clock.now", lambda: at(23))
    with pytest.raises(ValueError, match="not over yet"):
        statements.make_statements(DAY)


@pytest.mark.pure
def test_money_is_rounded_half_even_to_the_minor_unit_of_its_currency():
    def told(currency: str) -> AccountDay:
        none = Decimal(0)
        return AccountDay(DAY, 1, "Book", "alice", currency, 1, none, none, none, none, none, none)

    shown = [told("USD").money(Decimal(text)) for text in ("0.125", "0.135", "-0.005", "-1234.567")]
    assert shown == ["0.12", "0.14", "0.00", "−1,234.57"]
    assert (told("JPY").money(Decimal("2.5")), told("KWD").money(Decimal("1.0005"), sign=True)) == ("2", "+1.000")
    assert (percent(Decimal("-0.00001")), units(Decimal("-1234.5")), told("USD").money(None)) == (
        "0.00",
        "−1,234.5",
        "–",
    )


@pytest.mark.pure
def test_the_key_of_a_statement_names_its_account():
    key = object_key("statements", DAY, "pdf", 7)
    assert key == "statements/2025/01/15/statement_2025-01-15_account-7.pdf"
    assert parse_key(key) == ("statements", DAY, "pdf")
    with pytest.raises(ValueError, match="not a key"):
        parse_key(key.replace("-7", "-07"))


def book_of(count: int, quantity: str = "1") -> AccountDay:
    """A day on which `count` tickers are held."""
    lines = [
        Line(TickerDay(f"T{n:03}"), TickerDay(f"T{n:03}"), Decimal(quantity), mark=Decimal(1)) for n in range(count)
    ]
    zero = Decimal(0)
    return AccountDay(DAY, 1, "A $name$ of Łódź", "alice", "USD", 9, zero, zero, zero, zero, zero, zero, lines=lines)


@pytest.mark.pure
def test_a_long_book_takes_pages_and_the_same_bytes_each_time():
    from analytics.statement_pdf import draw_statement

    pdf = draw_statement(book_of(90))
    assert pdf == draw_statement(book_of(90))
    assert pdf.count(b"/Type /Page ") + pdf.count(b"/Type /Page\n") == 3


@pytest.mark.pure
@pytest.mark.parametrize("count", [0, 1, 26, 27, 28, 90])
def test_every_row_stands_on_a_page_and_none_below_its_foot(count):
    from analytics.statement_pdf import BOTTOM, sheets_of

    sheets = list(sheets_of(book_of(count, "9999999999999999.000000000001")))
    texts = [text for sheet in sheets for text in sheet.figure.texts]
    assert min(text.get_position()[1] for text in texts) > BOTTOM
    rows = [text for text in texts if text.get_family() == ["monospace"] and not text.get_text().startswith("Ticker")]
    assert [text.get_text()[:4] for text in rows] == [f"T{n:03}" for n in range(count)]
    assert all("  9,999,999,999,999,999.000000000001  " in text.get_text() for text in rows)


@pytest.mark.pure
def test_nothing_of_a_statement_runs_into_its_neighbor_or_off_the_page():
    from analytics.statement_pdf import RIGHT, WIDTH, sheets_of

    told = replace(book_of(2, "9" * 16), name="W" * 80, owner="W" * 150, cash=Decimal("-9999999999999999999999.99"))
    (sheet,) = sheets_of(told)
    renderer = RendererAgg(100, 100, dpi := 1000)  # fine enough for letters not to be moved to whole dots
    boxes = [text.get_window_extent(renderer, dpi=dpi) for text in sheet.figure.texts if text.get_text()]
    assert max(box.x1 for box in boxes) <= RIGHT * WIDTH * dpi * 1.005
    pairs = [(a, b) for a, b in combinations(boxes, 2) if a.y0 < (b.y0 + b.y1) / 2 < a.y1]
    assert [pair for pair in pairs if pair[0].x0 < pair[1].x1 and pair[1].x0 < pair[0].x1] == []


@pytest.mark.pure
@pytest.mark.filterwarnings("ignore:Glyph")
@pytest.mark.parametrize("name", ["two\nlines\tand a tab", "turned \u202earound", "東京支店 🚀 שלום", "x\0y", "\u200b"])
def test_a_name_of_any_script_stays_on_its_line(name):
    from analytics.statement_pdf import draw_statement, sheets_of

    told = replace(book_of(1), name=name, owner=name)
    (sheet,) = sheets_of(told)
    assert not {"\n", "\t", "\0", "\u202e"} & set("".join(text.get_text() for text in sheet.figure.texts))
    assert draw_statement(told).startswith(b"%PDF-")


@pytest.mark.pure
def test_a_statement_says_whose_price_nobody_knows_and_what_there_is_not():
    told = replace(book_of(0), unmarked=("ABC", "X.Y"))
    assert notes_of(told) == [
        "No price is known of ABC, X.Y: what depends on it is left out.",
        "Nothing is held at the day's end.",
        "Nothing was traded.",
    ]
