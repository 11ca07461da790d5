"""Fills on the line of a price: where they lie on the plot that plots.py draws."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from ..performance.plots import HEIGHT, WIDTH, Plot, plot

STEM = 22  # how far a fill's stem reaches: down for what was bought, up for what was sold


@dataclass(frozen=True, slots=True)
class FillSeen:
    """A fill to be drawn, and what is said of it."""

    at: datetime
    price: float
    is_buy: bool
    words: str


@dataclass(frozen=True, slots=True)
class Marker:
    x: float
    y: float
    is_buy: bool
    words: str

    @property
    def stem_end(self) -> float:
        return self.y + (STEM if self.is_buy else -STEM)


@dataclass(frozen=True)
class FillPlot:
    plot: Plot
    markers: list[Marker]


def fill_plot(
    moments: Sequence[datetime], prices: Sequence[float | None], fills: Sequence[FillSeen]
) -> FillPlot | None:
    """The prices known at `moments`, evenly spaced and rising, with the fills from the first to the last of them.

    None where there are not two prices to join.
    """
    if len(moments) < 2 or sum(price is not None for price in prices) < 2:
        return None
    shown = [fill for fill in fills if moments[0] <= fill.at <= moments[-1]]
    # The scale holds the fills too: a day's close may lie far from what was dealt at.
    paid = sorted(fill.price for fill in shown)
    reach = [paid[0], paid[-1]] if paid else [None, None]
    drawn = plot(moments, {"price": prices, "reach": [*reach, *[None] * (len(moments) - 2)]})
    high, low = drawn.levels[0].value, drawn.levels[-1].value
    length = (moments[-1] - moments[0]).total_seconds()

    def marker(fill: FillSeen) -> Marker:
        x = WIDTH * (fill.at - moments[0]).total_seconds() / length
        y = HEIGHT * (high - fill.price) / (high - low)
        return Marker(round(x, 2), round(y, 2), fill.is_buy, fill.words)

    lines = [line for line in drawn.lines if line.name == "price"]
    return FillPlot(replace(drawn, lines=lines), [marker(fill) for fill in shown])
