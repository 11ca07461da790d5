"""A daily statement as PDF bytes: the same day gives the same bytes.

Drawn with matplotlib's Figure, page by page: a head, then tables. A table is written in type of one width, a row a line
of text: its columns are as wide as what is in them, never run into each other, and the type shrinks until they fit.
"""

import io
import logging
import textwrap
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from unicodedata import category

from matplotlib.backends.backend_pdf import PdfPages
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path

from analytics.account_day import AccountDay
from analytics.statement_words import figures_of, notes_of, tables_of
from tradeops.core.drawing import DRAWING, wide_font

WIDTH, HEIGHT = 11.69, 8.27  # A4 on its side, inches
POINTS = 72
LEFT, RIGHT, TOP, BOTTOM = 0.05, 0.95, 0.94, 0.06
ACROSS = (RIGHT - LEFT) * WIDTH * POINTS
LINE = 0.021  # the height of a line, of the page's
FIGURES_A_ROW = 6
ROW_SIZE, MONO_EM = 7.5, 0.6021  # points; DejaVu Sans Mono's letters are that wide
LEAST_GAP = 2  # letters between two columns
NOTE_LETTERS = 170
TABLE_HEAD, LEAST_LINES = 3.5, 7  # lines: what a table has above its rows, and what it begins a page's rest for
OWN_FONT = "DejaVu Sans"  # which comes with matplotlib
INK, FAINT, RULE = "#1c2227", "#66707a", "#c9ced3"

# A name may have signs that no font here has, and no font for its weight: a box, or a lighter letter, says so.
warnings.filterwarnings("ignore", "Glyph .* missing from font", UserWarning)
logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)

Rows = Sequence[Sequence[str]]
Table = tuple[str, Sequence[str], Rows]


@dataclass
class Sheet:
    """A page being filled from the top."""

    figure: Figure
    y: float = TOP

    @property
    def lines_left(self) -> int:
        return int((self.y - BOTTOM) / LINE)

    def text(self, x: float, words: str, **style) -> None:
        style = {"fontsize": 8, "color": INK, "va": "top", "parse_math": False} | style
        self.figure.text(x, self.y, words, **style)

    def next(self, lines: float = 1) -> None:
        self.y -= lines * LINE


def draw_statement(told: AccountDay) -> bytes:
    """The statement, on as many pages as it takes."""
    out = io.BytesIO()
    metadata = {"Title": f"Statement {told.day} {told.name}", "Creator": "TradeOps", "CreationDate": None}
    with DRAWING:
        sheets = list(sheets_of(told))
        with PdfPages(out, metadata=metadata) as pages:
            for number, sheet in enumerate(sheets, 1):
                write_foot(sheet, told, f"page {number} of {len(sheets)}")
                pages.savefig(sheet.figure)
    return out.getvalue()


def sheets_of(told: AccountDay) -> Iterator[Sheet]:
    sheet = new_sheet(told)
    write_figures(sheet, told)
    for title, head, rows in tables_of(told):
        while rows:
            if sheet.lines_left < LEAST_LINES:
                yield sheet
                sheet = new_sheet(told)
            count = int(sheet.lines_left - TABLE_HEAD)
            write_table(sheet, title, lined_up(head, rows)[: count + 1])
            title, rows = title.removesuffix(", continued") + ", continued", rows[count:]
    yield sheet


def new_sheet(told: AccountDay) -> Sheet:
    sheet = Sheet(Figure(figsize=(WIDTH, HEIGHT)))
    sheet.text(RIGHT, f"{told.day}, UTC", fontsize=11, ha="right")
    name, owner = in_a_line(told.name), in_a_line(told.owner)
    typed = {"family": [OWN_FONT, *wide_font()]}
    size = fitting([name], 15, ACROSS * 0.82, weight="bold", **typed)
    sheet.text(LEFT, name, fontweight="bold", fontsize=size, **typed)
    sheet.next(1.6)
    owner = f"{owner}, account {told.account}, money in {told.currency}, as known after ledger entry {told.entry}"
    sheet.text(LEFT, owner, color=FAINT, fontsize=fitting([owner], 8, ACROSS, **typed), **typed)
    sheet.next(2)
    return sheet


def write_foot(sheet: Sheet, told: AccountDay, page: str) -> None:
    sheet.y = BOTTOM - LINE / 2
    sheet.text(LEFT, "Money is rounded half-even to the minor unit.", color=FAINT, fontsize=7)
    sheet.text(RIGHT, page, color=FAINT, fontsize=7, ha="right")


def write_figures(sheet: Sheet, told: AccountDay) -> None:
    figures = figures_of(told)
    size = fitting([value for _, value in figures], 11, ACROSS / FIGURES_A_ROW - 8)
    for place, (name, value) in enumerate(figures):
        x = LEFT + (place % FIGURES_A_ROW) * (RIGHT - LEFT) / FIGURES_A_ROW
        sheet.text(x, name, color=FAINT, fontsize=7)
        sheet.figure.text(x, sheet.y - 0.017, value, fontsize=size, color=INK, va="top", parse_math=False)
        if place % FIGURES_A_ROW == FIGURES_A_ROW - 1:
            sheet.next(2.6)
    for note in notes_of(told):
        for words in textwrap.wrap(note, NOTE_LETTERS):
            sheet.text(LEFT, words)
            sheet.next(0.8)
    sheet.next(0.8)


def write_table(sheet: Sheet, title: str, lines: list[str]) -> None:
    """`lines` are the head and the rows, each as long as the others."""
    sheet.text(LEFT, title, fontweight="bold", fontsize=9)
    sheet.next(1.2)
    size = min(ROW_SIZE, ACROSS / (MONO_EM * len(lines[0])))
    for number, line in enumerate(lines):
        sheet.text(LEFT, line, family="monospace", fontsize=size, color=INK if number else FAINT)
        sheet.next()
    rules = [[(LEFT, y), (RIGHT, y)] for y in (sheet.y + 0.005 + LINE * place for place in range(len(lines)))]
    style = {"transform": sheet.figure.transFigure, "color": RULE, "linewidth": 0.5}
    sheet.figure.add_artist(LineCollection(rules, **style))
    sheet.next(1.2)


def lined_up(head: Sequence[str], rows: Rows) -> list[str]:
    """Each row as a line across the page: the first column from the left, the others from the right."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    free = int(ACROSS / (MONO_EM * ROW_SIZE)) - sum(widths)
    gap = " " * max(LEAST_GAP, free // max(1, len(widths) - 1))
    return [gap.join(padded(row, widths)) for row in (head, *rows)]


def padded(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    return [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]


def in_a_line(name: str) -> str:
    """What people typed, without what would break the line or turn the rest of it around."""
    return " ".join("".join(sign if category(sign) not in ("Cc", "Cf") else " " for sign in name).split())


def fitting(texts: Sequence[str], size: float, room: float, **style) -> float:
    """The size, `size` at most, in points, at which each of the texts is at most `room` points wide."""
    properties = FontProperties(size=size, **style)
    widest = max(text_to_path.get_text_width_height_descent(text, properties, False)[0] for text in texts)
    return size * min(1, room / widest) if widest else size
