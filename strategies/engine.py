"""Prices and a target position become fills, equity and figures. Float vectors; nothing here knows a strategy.

The plain account: long alone, all in or all out, fractional units, no rounding, no interest on cash. Whatever else a
run's terms may ask for is `broker`'s. A fill happens at the bar's close
on which the target changes (`close`) or at the next bar's open (`next_open`; a change on the last bar is dropped).
The fee is a share of each side's notional. What is open at the end is marked at the last close without an exit fee.
"""

from dataclasses import dataclass
from itertools import zip_longest
from typing import NamedTuple

import numpy as np

from strategies.prices import Prices
from strategies.terms import CLOSE, FILLS, NEXT_OPEN

SIGNAL = "signal"
NO_NEXT_BAR = "no_next_bar"


class RangeError(ValueError):
    """The account grew or shrank beyond what can be worked with exactly."""


class Trade(NamedTuple):
    """One round trip, or the open one at the end (then `exit_bar` and `exit_price` are None).

    Where it was dealt in parts, the prices are their averages and `quantity` is all that was entered.
    side   1 long, -1 short
    """

    entry_bar: int
    entry_price: float
    exit_bar: int | None
    exit_price: float | None
    quantity: float
    fees: float
    profit_loss: float
    return_fraction: float
    side: int = 1
    exit_reason: str = SIGNAL

    @property
    def is_open(self) -> bool:
        return self.exit_bar is None


@dataclass(frozen=True, slots=True)
class Unfilled:
    """An entry that was wanted and could not be dealt: the decision's bar, the side, why."""

    bar: int
    side: int
    code: str


@dataclass(frozen=True, slots=True)
class Result:
    """What one account did: `equity` float64[n] after the fills of each bar, and its trades in order.

    quantity   float64[n]   what was held after each bar's fills, below 0 short; None from the plain account
    """

    prices: Prices
    target: np.ndarray
    trades: tuple[Trade, ...]
    equity: np.ndarray
    initial_investment: float
    unfilled: tuple[Unfilled, ...] = ()
    quantity: np.ndarray | None = None

    @property
    def final_value(self) -> float:
        return float(self.equity[-1])

    @property
    def profit_loss(self) -> float:
        return self.final_value - self.initial_investment

    @property
    def closed_trades(self) -> tuple[Trade, ...]:
        return tuple(trade for trade in self.trades if not trade.is_open)


def run(
    prices: Prices, target: np.ndarray, initial_investment: float, fee_rate: float = 0.0, fill: str = CLOSE
) -> Result:
    """The account's trades and equity curve.

    prices               n bars, n >= 1; opens are needed for `next_open`
    target               float64[n], above 0 all in, else flat, as known at each close
    initial_investment   cash at bar 0, > 0
    fee_rate             fraction of notional on each side, >= 0

    Raises ValueError for an unknown fill, missing opens, and RangeError when the account leaves 1e-200 .. 1e200.
    """
    if fill not in FILLS:
        raise ValueError(f"fill is {fill!r}; it must be one of {', '.join(FILLS)}")
    if fill == NEXT_OPEN and prices.open is None:
        raise ValueError(f"{prices.ticker} has no open prices, which fill=next_open needs")
    is_held, turns = _round_trips(target, fill)
    trades, after = _trades(prices, turns, float(initial_investment), fee_rate, fill)
    equity = _equity(prices.close, is_held, turns, trades, float(initial_investment), after)
    require_in_range(float(equity.min()), float(equity.max()))
    return Result(prices, target, tuple(trades), equity, float(initial_investment), _unfilled(target, fill))


def _unfilled(target: np.ndarray, fill: str) -> tuple[Unfilled, ...]:
    """The entry at the last close, which has no next bar to be dealt on."""
    is_late = fill == NEXT_OPEN and target[-1] > 0 and (len(target) == 1 or target[-2] <= 0)
    return (Unfilled(len(target) - 1, 1, NO_NEXT_BAR),) if is_late else ()


def _round_trips(target: np.ndarray, fill: str) -> tuple[np.ndarray, np.ndarray]:
    """Whether the position is held at each close, bool[n], and the bars of its fills: entry and exit in turns.

    The last exit may be lacking, where the position is open at the end.
    """
    n = len(target)
    is_in = np.zeros(n + 1, dtype=bool)
    np.greater(target, 0, out=is_in[1:])
    turns = np.flatnonzero(is_in[1:] != is_in[:-1])
    if fill == CLOSE:
        return is_in[1:], turns
    return is_in[:-1], turns[turns < n - 1] + 1


def _trades(
    prices: Prices, turns: np.ndarray, cash: float, fee_rate: float, fill: str
) -> tuple[list[Trade], list[float]]:
    """Each round trip, bought with all of the cash there is, and the cash after it."""
    fills, trades, after = prices.close if fill == CLOSE else prices.open, [], []
    dealt = list(zip(turns.tolist(), fills[turns].tolist(), strict=True))
    for (entry, entry_price), (leave, exit_price) in zip_longest(dealt[::2], dealt[1::2], fillvalue=(None, None)):
        require_in_range(cash)
        quantity = cash / (entry_price * (1.0 + fee_rate))
        fees = quantity * entry_price * fee_rate
        if leave is None:
            reason, proceeds = "", quantity * float(prices.close[-1])
        else:
            reason, proceeds = SIGNAL, quantity * exit_price * (1.0 - fee_rate)
            fees += quantity * exit_price * fee_rate
        figures = (quantity, fees, proceeds - cash, proceeds / cash - 1.0)
        trades.append(Trade(entry, entry_price, leave, exit_price, *figures, 1, reason))
        cash = proceeds
        after.append(cash)
    return trades, after


def _equity(
    close: np.ndarray, is_held: np.ndarray, turns: np.ndarray, trades: list[Trade], cash: float, after: list[float]
) -> np.ndarray:
    """What the account is worth after each bar's fills: cash and quantity in turns, the latter at the close."""
    amounts = np.empty(len(turns) + 1)
    amounts[0] = cash
    amounts[1::2] = [trade.quantity for trade in trades]
    amounts[2::2] = after[: len(turns) // 2]
    edges = np.empty(len(turns) + 2, dtype=np.int64)
    edges[0], edges[1:-1], edges[-1] = 0, turns, len(close)
    equity = np.repeat(amounts, edges[1:] - edges[:-1])
    return np.multiply(equity, close, out=equity, where=is_held)


def require_in_range(*values: float) -> None:
    """Far from where doubles underflow or become infinite; prices are bounded, so one trade cannot jump across."""
    for value in values:
        if not 1e-200 < value < 1e200:
            raise RangeError("The account's value leaves the range 1e-200 to 1e200.")
