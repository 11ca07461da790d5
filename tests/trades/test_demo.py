"""The demo's book: believable, whole, and loaded once."""

import pytest
from django.utils import timezone

from market.models import Split
from tests.factories import make_user
from trades.accounts.cash import cash_by_account
from trades.chain import verification
from trades.demo import load_demo
from trades.models import Activity, LedgerEntry, Position, RoundTrip, Trade

pytestmark = pytest.mark.django_db


def test_the_demos_book_has_a_bit_of_everything_and_is_loaded_once():
    user = make_user("trader", is_demo=True)
    account = load_demo(user)
    entries = LedgerEntry.objects.count()
    assert load_demo(user) == account
    assert LedgerEntry.objects.count() == entries
    assert account.kind == "demo"
    assert set(LedgerEntry.objects.values_list("kind", flat=True)) == {"booking", "correction", "void"}
    assert Position.objects.filter(quantity__lt=0).exists()
    assert RoundTrip.objects.count() >= 2
    assert Trade.objects.current().values("instrument").distinct().count() == 12
    assert set(Activity.objects.values_list("kind", flat=True)) == {
        "deposit", "withdrawal", "dividend", "interest", "fee", "split",
    }  # fmt: skip
    assert Split.objects.get().instrument_id == "NVDA"
    kept = cash_by_account([account], timezone.now())[account.pk]
    assert kept.cash > 0
    assert kept.receivable > 0
    assert list(verification.differences()) == []
