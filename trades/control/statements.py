"""A broker's statement as CSV: `ticker,quantity`, and the cash as a row of the ticker CASH."""

from collections.abc import Iterator
from decimal import Decimal

from django.core.exceptions import ValidationError as DjangoValidationError
from rest_framework.exceptions import ValidationError

from market.models import validate_ticker
from tradeops.core.api import Unprocessable
from tradeops.core.csvfile import CsvError, read_rows

from ..serializers import Money
from .breaks import Statement

CASH_ROW = "CASH"
STATEMENT_MAX_BYTES = 4_194_304
MOST_POSITIONS = 10_000
PROBLEMS_LISTED = 100
HEADS = {"ticker": "ticker", "symbol": "ticker", "quantity": "quantity"}


def read_statement(content: bytes) -> Statement:
    """What a file states. Columns that are not known are passed over. Raises Unprocessable with the rows at fault."""
    reader = StatementReader()
    try:
        rows = read_rows(content)
        _, head = next(rows, (1, []))
        reader.take_head(head)
        for line, fields in rows:
            reader.take(line, fields)
    except CsvError as error:
        reader.note(error.row, error.column, error.code, error.message)
    reader.refuse_faulty()
    return Statement(reader.cash, reader.positions)


class StatementReader:
    def __init__(self):
        self.places: dict[str, int] = {}
        self.positions: dict[str, Decimal] = {}
        self.cash: Decimal | None = None
        self.problems: list[dict] = []

    def note(self, row: int | None, column: str | None, code: str, message: str) -> None:
        told = {"field": "file", "row": row, "column": column, "code": code, "message": message}
        self.problems.append({name: value for name, value in told.items() if value is not None})

    def refuse_faulty(self) -> None:
        if self.problems:
            detail = f"The statement has {len(self.problems)} faults; nothing was kept."
            raise Unprocessable(detail, "statement", errors=self.problems[:PROBLEMS_LISTED])

    def take_head(self, head: list[str]) -> None:
        for place, name in enumerate(head):
            known = HEADS.get(name.strip().lower())
            if known in self.places:
                raise CsvError(f"There are two columns for {known}.", row=1, column=name, code="duplicate_column")
            if known:
                self.places[known] = place
        missing = sorted(set(HEADS.values()) - self.places.keys())
        if missing:
            raise CsvError(f"There is no column for {' and '.join(missing)}.", row=1, code="missing_column")

    def take(self, line: int, fields: list[str]) -> None:
        ticker, text = fields[self.places["ticker"]].strip(), fields[self.places["quantity"]].strip()
        if len(self.positions) >= MOST_POSITIONS:
            raise CsvError(f"More than {MOST_POSITIONS:,} positions.", row=line, code="too_many_rows")
        faults = list(faults_of(ticker, text))
        for column, code, message in faults:
            self.note(line, column, code, message)
        if faults:
            return
        if ticker in self.positions or (ticker == CASH_ROW and self.cash is not None):
            self.note(line, "ticker", "duplicate", f"{ticker} is stated twice.")
        elif ticker == CASH_ROW:
            self.cash = Decimal(text)
        else:
            self.positions[ticker] = Decimal(text)


def faults_of(ticker: str, text: str) -> Iterator[tuple[str, str, str]]:
    """(column, code, message) of each fault of a row."""
    try:
        validate_ticker(ticker)
    except DjangoValidationError as error:
        yield "ticker", error.code or "invalid", error.messages[0]
    try:
        Money().run_validation(text)
    except ValidationError as error:
        yield "quantity", error.detail[0].code, str(error.detail[0])
