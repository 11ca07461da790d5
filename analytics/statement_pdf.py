"""A daily statement as PDF bytes: the same day gives the same bytes.

Drawn with matplotlib's Figure, page by page: a head of figures, then tables whose columns have fixed places.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.backends.backend_pdf import PdfPages
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from analytics.account_day import AccountDay, Line
from analytics.statement_words import HELD_HEAD, TRADED_HEAD, figures_of, held_row, mover_words, traded_row
from tradeops.core.drawing import DRAWING

WIDTH, HEIGHT = 8.27, 11.69  # A4, inches
LEFT, RIGHT, TOP, BOTTOM = 0.07, 0.93, 0.94, 0.06
LINE = 0.0185
ROWS_A_PAGE = 40
INK, FAINT, RULE = "#1c2227", "#66707a", "#c9ced3"


@dataclass
class Sheet:
    """A page being filled from the top."""

    figure: Figure
    y: float = TOP

    def text(self, x: float, words: str, **style) -> None:
        style = {"fontsize": 8, "color": INK, "va": "top", "parse_math": False} | style
        self.figure.text(x, self.y, words, **style)

    def rule(self) -> None:
        place = {"transform": self.figure.transFigure, "color": RULE, "linewidth": 0.6}
        self.figure.add_artist(Line2D([LEFT, RIGHT], [self.y + 0.003] * 2, **place))

    def next(self, lines: float = 1) -> None:
        self.y -= lines * LINE


def draw_statement(told: AccountDay) -> bytes:
    """The statement, on as many pages as it takes."""
    out = io.BytesIO()
    metadata = {"Title": f"Statement {told.day} {told.name}", "Creator": "TradeOps", "CreationDate": None}
    with DRAWING, PdfPages(out, metadata=metadata) as pages:
        for number, (title, head, rows) in enumerate(parts_of(told), 1):
            sheet = Sheet(Figure(figsize=(WIDTH, HEIGHT)))
            write_head(sheet, told, number)
            if number == 1:
                write_figures(sheet, told)
            write_table(sheet, title, head, rows)
            pages.savefig(sheet.figure)
    return out.getvalue()


def parts_of(told: AccountDay) -> list[tuple[str, Sequence[str], list[Sequence[str]]]]:
    """(title, head, rows) of each page; the first has the figures as well."""
    held = cut("Held at the day's end", HELD_HEAD, told.held, lambda line: held_row(told, line))
    traded = cut("Traded", TRADED_HEAD, told.traded, lambda line: traded_row(told, line))
    return [*(held or [("Nothing is held at the day's end.", (), [])]), *traded]


def cut(title: str, head: Sequence[str], lines: list[Line], row) -> list[tuple]:
    pieces = [lines[at : at + ROWS_A_PAGE] for at in range(0, len(lines), ROWS_A_PAGE)]
    return [(title, head, [row(line) for line in piece]) for piece in pieces]


def write_head(sheet: Sheet, told: AccountDay, page: int) -> None:
    sheet.text(LEFT, told.name, fontsize=15, fontweight="bold")
    sheet.text(RIGHT, f"{told.day}, UTC", fontsize=11, ha="right")
    sheet.next(1.6)
    sheet.text(LEFT, f"{told.owner}, account {told.account}, {told.currency}", color=FAINT)
    sheet.text(RIGHT, f"ledger entry {told.entry}, page {page}", color=FAINT, ha="right")
    sheet.next(1.6)


def write_figures(sheet: Sheet, told: AccountDay) -> None:
    for place, (name, value) in enumerate(figures_of(told)):
        x = LEFT + (place % 4) * (RIGHT - LEFT) / 4
        sheet.text(x, name, color=FAINT, fontsize=7)
        sheet.figure.text(x, sheet.y - 0.012, value, fontsize=11, color=INK, va="top", parse_math=False)
        if place % 4 == 3:
            sheet.next(2.4)
    sheet.next(0.8)
    if words := mover_words(told):
        sheet.text(LEFT, words, fontsize=8)
        sheet.next(1.6)


def write_table(sheet: Sheet, title: str, head: Sequence[str], rows: list[Sequence[str]]) -> None:
    sheet.text(LEFT, title, fontweight="bold", fontsize=9)
    sheet.next(1.3)
    for row in [head, *rows] if head else []:
        is_head = row is head
        for place, cell in enumerate(row):
            x = LEFT if place == 0 else LEFT + (RIGHT - LEFT) * (place + 1) / len(row)
            style = {"color": FAINT, "fontsize": 7} if is_head else {}
            sheet.text(x, cell, ha="left" if place == 0 else "right", **style)
        sheet.next()
        sheet.rule()
