"""What the back office's lists share."""

from django.contrib import admin

from tests.factories import book, make_account
from tradeops.core.admin import plain_column
from trades.models import Position, Trade


def test_a_column_of_exact_decimals_shows_them_as_people_write_them(alice, rf):
    book(make_account(alice), "BUY", "12.5", "150.250")
    request = rf.get("/admin/trades/trade/")
    columns = admin.site._registry[Trade].get_list_display(request)
    shown = [column(Trade.objects.get()) for column in columns if callable(column)]
    assert shown == ["12.5", "150.25", "0"]
    assert [column.admin_order_field for column in columns if callable(column)] == ["quantity", "price", "fees"]


def test_an_empty_decimal_stays_empty():
    assert plain_column(Position._meta.get_field("quantity"))(Position(quantity=None)) is None
