"""Exact decimals in both databases.

PostgreSQL has NUMERIC. SQLite has none (a DecimalField there is a REAL), so the value
is kept as text of a fixed width that sorts as the numbers do: digits padded with zeros,
and for a negative number a minus sign followed by each digit's complement to nine.
"""

import decimal
from decimal import Decimal

from django.core import exceptions
from django.db import models
from django.db.backends.signals import connection_created
from django.dispatch import receiver

EXACT = decimal.Context(prec=160, rounding=decimal.ROUND_HALF_EVEN, traps=[decimal.InvalidOperation, decimal.Inexact])
COMPLEMENT = str.maketrans("0123456789", "9876543210")
SUM_DIGITS, SUM_PLACES = 72, 24


def encode(value: Decimal, max_digits: int, decimal_places: int) -> str:
    """The text of `value` that sorts and reads back exactly.

    Raises ValueError when it has more digits before or after the point than there is room for.
    """
    whole = max_digits - decimal_places
    try:
        scaled = int(EXACT.scaleb(value, decimal_places).to_integral_exact(context=EXACT))
    except decimal.DecimalException as error:
        raise ValueError(f"{value} has more than {decimal_places} decimal places.") from error
    if len(str(abs(scaled))) > max_digits:
        raise ValueError(f"{value} has more than {whole} digits before the point.")
    return encode_scaled(scaled, max_digits, decimal_places)


def encode_scaled(scaled: int, max_digits: int, decimal_places: int) -> str:
    """The same of a number that is already x 10^decimal_places, and fits."""
    digits = str(abs(scaled)).zfill(max_digits)
    whole = max_digits - decimal_places
    text = f"{digits[:whole]}.{digits[whole:]}"
    return "-" + text.translate(COMPLEMENT) if scaled < 0 else text


def decode(text: str) -> Decimal:
    """The number that `encode` wrote."""
    if text.startswith("-"):
        return Decimal("-" + text[1:].translate(COMPLEMENT))
    return Decimal(text)


class ExactDecimal(models.DecimalField):
    """A decimal that reads back as it was written, to the last digit, or is refused."""

    description = "Exact decimal number"

    def get_internal_type(self) -> str:
        return "ExactDecimal"

    def db_type(self, connection) -> str:
        if connection.vendor == "sqlite":
            return f"varchar({self.max_digits + 2})"
        return f"numeric({self.max_digits}, {self.decimal_places})"

    def db_parameters(self, connection) -> dict:
        return {"type": self.db_type(connection), "check": None}

    def from_db_value(self, value, expression, connection):
        return decode(value) if isinstance(value, str) else value

    def get_db_prep_value(self, value, connection, prepared=False):
        if value is None or hasattr(value, "as_sql"):
            return value
        value = value if isinstance(value, Decimal) else self.to_python(value)
        try:
            text = encode(value, self.max_digits, self.decimal_places)
        except ValueError as error:
            raise exceptions.ValidationError({self.name: str(error)}, code="max_digits") from error
        return text if connection.vendor == "sqlite" else value

    def get_db_prep_save(self, value, connection):
        return self.get_db_prep_value(value, connection)


class ExactSum(models.Sum):
    """Sum of an ExactDecimal column, exact on both databases."""

    def as_sqlite(self, compiler, connection, **extra):
        return self.as_sql(compiler, connection, function="exact_sum", **extra)


class SQLiteExactSum:
    """The aggregate behind ExactSum on SQLite."""

    def __init__(self):
        self.total = None

    def step(self, text):
        if text is not None:
            self.total = EXACT.add(self.total or Decimal(0), decode(text))

    def finalize(self):
        return None if self.total is None else encode(self.total, SUM_DIGITS, SUM_PLACES)


@receiver(connection_created)
def teach_sqlite_to_sum(sender, connection, **kwargs):
    if connection.vendor == "sqlite":
        connection.connection.create_aggregate("exact_sum", 1, SQLiteExactSum)
