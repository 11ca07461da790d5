"""Which accounts and which days a request for history or performance means: for the API and the page alike."""

import calendar
from datetime import date, datetime, timedelta

from django.core.exceptions import ValidationError
from django.http import Http404
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail
from rest_framework.exceptions import ValidationError as ApiValidationError

from market.models import Instrument
from market.tickers import is_ticker
from tradeops.core.api import Conflict, Params
from tradeops.core.moments import DayField
from tradeops.core.users.models import User

from ..models import Account
from ..models.accounts import validate_currency
from ..serializers import account_id_field
from .history import Books, History, read_history

ONE_DAY = timedelta(days=1)
MOST_ACCOUNTS = 200
MOST_DAYS = 20 * 366
EARLIEST = date(1900, 1, 1)
PERIODS = {
    "1w": "1 week", "1m": "1 month", "3m": "3 months", "6m": "6 months", "ytd": "This year", "1y": "1 year",
    "2y": "2 years", "5y": "5 years", "all": "All",
}  # fmt: skip
MONTHS = {"1m": 1, "3m": 3, "6m": 6, "1y": 12, "2y": 24, "5y": 60}


class PortfolioParams(Params):
    """Whose history, and of which days. A period ends on `end`, or today; `start` names its first day instead."""

    account = account_id_field(required=False, help_text="Left out: all accounts, which must be of one currency.")
    currency = serializers.CharField(max_length=3, required=False, help_text="Of all accounts, those kept in it.")
    period = serializers.ChoiceField(choices=list(PERIODS.items()), required=False, help_text="Left out: all.")
    timeframe = serializers.ChoiceField(choices=["1d"], default="1d")
    start = DayField(required=False)
    end = DayField(required=False)

    def validate_currency(self, value: str) -> str:
        try:
            validate_currency(value)
        except ValidationError as error:
            raise serializers.ValidationError(error.messages[0], error.code) from error
        return value

    def validate(self, values: dict) -> dict:
        if "start" in values and "period" in values:
            message = "A start and a period are too much: an end goes with either."
            raise serializers.ValidationError({"start": ErrorDetail(message, "conflict")})
        for name in ("start", "end"):
            if values.get(name, EARLIEST) < EARLIEST:
                message = f"It must be {EARLIEST} or later."
                raise serializers.ValidationError({name: ErrorDetail(message, "min_value")})
        return values


class PerformanceParams(PortfolioParams):
    benchmark = serializers.CharField(max_length=16, required=False, help_text="A ticker to compare with.")

    def validate_benchmark(self, ticker: str) -> str:
        if not is_ticker(ticker) or not Instrument.objects.filter(pk=ticker).exists():
            raise serializers.ValidationError("There is no such ticker.", "does_not_exist")
        return ticker


def open_history(user: User, asked: dict, now: datetime) -> History:
    """The history that checked parameters ask for.

    Raises Http404 for an account the user may not see, Conflict where it is not clear which are meant.
    """
    books = find_books(user, asked.get("account"), asked.get("currency"))
    if books.only and asked.get("currency", books.currency) != books.currency:
        message = f"The account is kept in {books.currency}."
        raise ApiValidationError({"currency": [ErrorDetail(message, "conflict")]})
    first, last = find_days(books, asked, now)
    try:
        return read_history(books, first, last, now)
    except (ValueError, ArithmeticError) as fault:  # put in by SQL; the verifier names the row
        raise Conflict(f"The book cannot be folded: {fault}", "book_unsound") from fault


def find_books(user: User, account_id: int | None, currency: str | None) -> Books:
    """The account asked for, or all of them; an account that is none of the user's is not found."""
    accounts = Account.objects.visible_to(user).order_by("id")
    if account_id is not None:
        found = accounts.filter(pk=account_id).first()
        if found is None:
            raise Http404
        return Books([found])
    found = list(accounts.filter(currency=currency) if currency else accounts)[: MOST_ACCOUNTS + 1]
    currencies = list(dict.fromkeys(account.currency for account in found))
    if len(currencies) > 1:
        detail = (
            f"The accounts are kept in {', '.join(currencies)}, which are not summed: name an account or a currency."
        )
        raise Conflict(detail, "several_currencies", currencies=currencies, accounts=[account.pk for account in found])
    if len(found) > MOST_ACCOUNTS:
        raise Conflict(f"More than {MOST_ACCOUNTS} accounts are too many at once: name one.", "account_needed")
    return Books(found)


def find_days(books: Books, asked: dict, now: datetime) -> tuple[date, date]:
    """The first and the last day asked for; all there is begins with the first event, MOST_DAYS back at most."""
    today = books.day_of(now)
    last = min(asked.get("end") or today, today)
    first = asked.get("start") or start_of_period(asked.get("period", "all"), last)
    if first is None:
        first = min(max(books.first_day() or last, last - (MOST_DAYS - 1) * ONE_DAY), last)
    if first > last:
        message = f"The first day must not come after the last, {last}."
        raise ApiValidationError({"start": [ErrorDetail(message, "max_value")]})
    if (last - first).days >= MOST_DAYS:
        message = f"At most {MOST_DAYS} days at once; {last} is the last."
        raise ApiValidationError({"start": [ErrorDetail(message, "too_many")]})
    return first, last


def start_of_period(period: str, last: date) -> date | None:
    """The first day of a period that ends with `last`; None for all there is."""
    if period == "all":
        return None
    if period == "1w":
        return last - 6 * ONE_DAY
    if period == "ytd":
        return last.replace(month=1, day=1)
    return months_before(last, MONTHS[period]) + ONE_DAY


def months_before(day: date, months: int) -> date:
    """The same day so many months earlier, or that month's last."""
    year, month = divmod(day.year * 12 + day.month - 1 - months, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))
