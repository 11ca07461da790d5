"""How far each round trip went against the position and in its favor, before it was closed (Sweeney 1997).

Measured from the average entry price on highs and lows, or closes where there are none, of the bars on which the
position was surely held: the bar of a fill at the close only counts with that fill, as does the bar of an exit at the
open and of a stop.
"""

import numpy as np

from strategies.engine import SIGNAL, Result, Trade
from strategies.prices import Prices
from strategies.terms import CLOSE


def excursions(result: Result, fill: str) -> list[tuple[float, float]]:
    """(adverse, favorable) of every trade as fractions of the entry price: <= 0 and >= 0."""
    return [_of_trade(result.prices, trade, fill) for trade in result.trades]


def _of_trade(prices: Prices, trade: Trade, fill: str) -> tuple[float, float]:
    seen = [trade.entry_price, float(prices.close[-1]) if trade.is_open else trade.exit_price]
    bars = _bars_held(trade, fill, len(prices))
    if bars.start < bars.stop:
        lows = prices.close if prices.low is None else prices.low
        highs = prices.close if prices.high is None else prices.high
        seen += [float(np.min(lows[bars])), float(np.max(highs[bars]))]
    moves = [trade.side * (price / trade.entry_price - 1.0) for price in (min(seen), max(seen))]
    return min(moves), max(moves)


def _bars_held(trade: Trade, fill: str, n: int) -> slice:
    """The bars whose whole range belongs to the trade."""
    start = trade.entry_bar + (1 if fill == CLOSE else 0)
    if trade.is_open:
        return slice(start, n)
    return slice(start, trade.exit_bar + (1 if fill == CLOSE and trade.exit_reason == SIGNAL else 0))
