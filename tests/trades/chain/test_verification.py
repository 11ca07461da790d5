"""The verifier: silent over a whole book, and naming what was tampered with."""

from decimal import Decimal

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from tests.factories import book, make_account
from tests.trades.conftest import at
from trades.chain import triggers, verification
from trades.models import Account, LedgerEntry, Lot, Position, Realization, RoundTrip, Trade
from trades.services import correct_version, void_version

pytestmark = pytest.mark.django_db


@pytest.fixture
def whole_book(alice, account):
    first = book(account, "BUY", "10", "100", fees="1", executed_at=at(0))
    book(account, "SELL", "4", "110", executed_at=at(1))
    book(account, "SELL", "6", "90", executed_at=at(2))
    book(account, "BUY", "3", "95", executed_at=at(3), note="kept")
    book(make_account(alice, "Other"), ticker="MSFT")
    correct_version(first, {"price": Decimal("101")}, actor=alice, reason="typing error")
    void_version(book(account, executed_at=at(4)), actor=alice)


def first_difference() -> str:
    return next(verification.differences(), "")


def test_a_whole_book_is_passed(whole_book, capsys):
    call_command("verify_ledger")
    assert capsys.readouterr().out == "The book is whole: 2 accounts, 8 ledger entries, 2 positions.\n"


def name_another_superseder() -> None:
    later = LedgerEntry.objects.order_by("-id").first()
    Trade.objects.filter(version=1, fees=1).update(superseded_by=later)


TAMPERED = [
    (lambda: Position.objects.filter(instrument="AAPL").update(cost_basis=Decimal("285.01")), "cost_basis is kept as"),
    (lambda: Position.objects.filter(instrument="MSFT").update(quantity=Decimal("99")), "MSFT: quantity is kept as 99"),
    (lambda: Position.objects.filter(instrument="MSFT").delete(), "MSFT: quantity is kept as 0"),
    (lambda: Lot.objects.filter(instrument="AAPL").delete(), "Lot is not kept"),
    (lambda: Realization.objects.filter(quantity=4).update(pnl=Decimal(1)), "Realization"),
    (lambda: RoundTrip.objects.update(net_pnl=Decimal(1)), "Round trip"),
    (lambda: Trade.objects.filter(note="kept").update(price=Decimal("95.01")), "entry 4 was altered"),
    (lambda: Trade.objects.filter(note="kept").update(note="changed"), "entry 4 was altered"),
    (name_another_superseder, "version 1 of trade"),
    (lambda: Trade.objects.filter(note="kept").delete(), "entry 4 was altered"),
    (lambda: LedgerEntry.objects.filter(reason="typing error").update(reason="none"), "entry 5 was altered"),
    (lambda: LedgerEntry.objects.filter(number=2).update(recorded_at=at(0)), "entry 2 was altered"),
    (lambda: LedgerEntry.objects.filter(number=2).update(number=99), "entry 2 is missing"),
    (lambda: Account.objects.filter(name="Other").update(last_number=9), "its head names entry 9"),
    (lambda: Account.objects.filter(name="Other").update(last_digest="0" * 64), "its head names entry 1"),
]


@pytest.mark.parametrize(("tamper", "words"), TAMPERED)
def test_what_was_tampered_with_is_named(whole_book, tamper, words):
    with triggers.lifted():
        tamper()
    assert words in first_difference()
    with pytest.raises(CommandError, match="Account|kept"):
        call_command("verify_ledger")


def test_an_entry_taken_out_of_the_middle_is_named(whole_book):
    with triggers.lifted(), connection.constraint_checks_disabled():
        entry = LedgerEntry.objects.get(number=3, account__name="Book")
        Trade.objects.filter(entry=entry).delete()
        LedgerEntry.objects.filter(pk=entry.pk).delete()
    assert "entry 3 is missing" in first_difference()
