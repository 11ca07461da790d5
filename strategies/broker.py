"""One account on one or several tickers: long and short, sizes, costs, stops, rebalancing.

The general path beside `engine.run`, which is the plain account alone and much faster. Time goes from deal to deal:
between them nothing changes but prices, so equity is worked out afterwards, in columns.

Of one bar: a fill at its open comes first, then its stops, then a fill at its close. What is sold of one bar pays for
what is bought of it, and where the rest does not reach, all entries of the bar are cut in the same proportion. What is
held, long and short together, is never made more than the equity: no borrowing.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from strategies import stops
from strategies.engine import NO_NEXT_BAR, SIGNAL, RangeError, Result, Trade, Unfilled, require_in_range
from strategies.panel import Panel
from strategies.sizing import Orders
from strategies.terms import CLOSE, Terms

DUST = 1e-9  # of the equity: less is not worth a fill


class Ruined(RangeError):
    """The account lost more than it had."""


@dataclass(slots=True)
class Holding:
    """What is held of one ticker, and what its round trip has been so far."""

    quantity: float = 0.0
    side: int = 0
    entry_bar: int = 0
    bought: float = 0.0
    bought_value: float = 0.0
    left: float = 0.0
    left_value: float = 0.0
    put_in: float = 0.0
    flow: float = 0.0
    fees: float = 0.0
    stop: stops.Hit | None = None
    trades: list[Trade] = field(default_factory=list)
    unfilled: list[Unfilled] = field(default_factory=list)


class Account:
    """Cash and holdings while time goes on; `flows` and `quantities` are float64[n, k] of what each bar did."""

    def __init__(self, panel: Panel, terms: Terms):
        n, k = len(panel), len(panel.prices)
        self.panel, self.terms = panel, terms
        self.cash = terms.initial_investment * k
        self.holdings = [Holding() for _ in range(k)]
        self.flows, self.quantities = np.zeros((n, k)), np.zeros((n, k))
        self.fills = panel.fills(terms.fill)

    # --- one bar

    def deal(self, bar: int, weights: dict[int, float], entries: dict[int, int]) -> None:
        """Bring the tickers of `weights` to their share of the equity, at this bar's fill prices.

        entries   ticker -> side, of those that are no position yet
        """
        marks = self.fills[bar].tolist()
        equity = self._equity(marks)
        if equity <= 0.0:
            return
        additions = {}
        for at, weight in weights.items():
            wanted = self._reduced(bar, at, weight, equity, marks[at])
            if wanted > 0.0 or np.isnan(wanted):
                additions[at] = wanted
        self._add(bar, additions, entries, equity, marks)

    def _reduced(self, bar: int, at: int, weight: float, equity: float, mark: float) -> float:
        """Sells what is too much or on the other side; returns the notional still to be added."""
        holding = self.holdings[at]
        if holding.quantity and weight * holding.side <= 0.0:
            self._leave(bar, at, mark, abs(holding.quantity), SIGNAL)
        wanted, held = abs(weight) * equity, abs(holding.quantity) * mark
        if held > wanted + DUST * equity:
            self._leave(bar, at, mark, abs(holding.quantity) - wanted / mark, SIGNAL)
            return 0.0
        return wanted - held

    def _add(
        self, bar: int, additions: dict[int, float], entries: dict[int, int], equity: float, marks: list[float]
    ) -> None:
        """Deals all additions of the bar out of what is free, each cut in the same proportion."""
        held = sum(abs(holding.quantity) * mark for holding, mark in zip(self.holdings, marks, strict=True))
        free = self._equity(marks) - held
        total = sum(wanted for wanted in additions.values() if not np.isnan(wanted))
        scale = min(1.0, max(0.0, free) / total) if total else 0.0
        for at, wanted in additions.items():
            money, holding = wanted * scale, self.holdings[at]
            if money - self.terms.fee_fixed > DUST * equity:
                self._enter(bar, at, holding.side or entries[at], marks[at], money)
            elif at in entries:
                code = "no_volatility" if np.isnan(wanted) else "no_cash"
                holding.unfilled.append(Unfilled(bar, entries[at], code))

    def stop(self, bar: int) -> None:
        """Take out what this bar's prices stop."""
        for at, holding in enumerate(self.holdings):
            if holding.stop and holding.stop.bar == bar:
                self._leave(bar, at, holding.stop.price, abs(holding.quantity), holding.stop.reason)

    def next_stop(self) -> int | None:
        bars = [holding.stop.bar for holding in self.holdings if holding.stop]
        return min(bars) if bars else None

    # --- one fill

    def _enter(self, bar: int, at: int, side: int, mark: float, money: float) -> None:
        holding, terms = self.holdings[at], self.terms
        price = mark * (1.0 + side * terms.price_cost)
        quantity = (money - terms.fee_fixed) / (price * (1.0 + terms.fee_rate))
        fee = quantity * price * terms.fee_rate + terms.fee_fixed
        if not holding.quantity:
            holding.entry_bar, holding.side = bar, side
            since = bar + 1 if terms.fill == CLOSE else bar
            holding.stop = stops.first_hit(self.panel.prices[at], terms, side, price, since)
        holding.bought += quantity
        holding.bought_value += quantity * price
        holding.put_in += quantity * price + fee
        self._book(bar, at, side * quantity, price, fee)

    def _leave(self, bar: int, at: int, mark: float, quantity: float, reason: str) -> None:
        holding, terms = self.holdings[at], self.terms
        price = mark * (1.0 - holding.side * terms.price_cost)
        fee = quantity * price * terms.fee_rate + terms.fee_fixed
        holding.left += quantity
        holding.left_value += quantity * price
        is_all = quantity >= abs(holding.quantity)
        self._book(bar, at, -holding.side * quantity, price, fee)
        if is_all:
            self._close(bar, at, reason)

    def _book(self, bar: int, at: int, change: float, price: float, fee: float) -> None:
        holding = self.holdings[at]
        flow = -change * price - fee
        self.cash += flow
        holding.flow += flow
        holding.fees += fee
        holding.quantity += change
        self.flows[bar, at] += flow
        self.quantities[bar:, at] = holding.quantity

    def _close(self, bar: int, at: int, reason: str) -> None:
        old = self.holdings[at]
        self.quantities[bar:, at] = 0.0
        trade = Trade(
            old.entry_bar, old.bought_value / old.bought, bar, old.left_value / old.left, old.bought, old.fees,
            old.flow, old.flow / old.put_in, old.side, reason,
        )  # fmt: skip
        self.holdings[at] = Holding(trades=[*old.trades, trade], unfilled=old.unfilled)

    def _equity(self, marks: list[float]) -> float:
        return self.cash + sum(h.quantity * mark for h, mark in zip(self.holdings, marks, strict=True) if h.quantity)

    # --- the end

    def results(self, targets: np.ndarray) -> list[Result]:
        """Each ticker's part of the account: its share of the cash, and what it made."""
        close, initial = self.panel.close, self.terms.initial_investment
        parts = initial + np.cumsum(self.flows, axis=0) + self.quantities * close
        self._require_solvent(parts.sum(axis=1))
        return [
            Result(
                prices, targets[:, at], (*holding.trades, *_open_trade(holding, close[-1, at])), parts[:, at], initial,
                tuple(holding.unfilled), self.quantities[:, at],
            )
            for at, (prices, holding) in enumerate(zip(self.panel.prices, self.holdings, strict=True))
        ]  # fmt: skip

    def _require_solvent(self, equity: np.ndarray) -> None:
        ruined = np.flatnonzero(equity <= 0.0)
        if ruined.size:
            raise Ruined(f"The account lost everything on {self.panel.prices[0].dates()[ruined[0]]}.")
        require_in_range(float(equity.min()), float(equity.max()))


def _open_trade(holding: Holding, mark: float) -> Sequence[Trade]:
    """The round trip that is open at the end, marked there without costs; none if nothing is held."""
    if not holding.quantity:
        return ()
    profit = holding.flow + holding.quantity * mark
    price = holding.bought_value / holding.bought
    return (
        Trade(
            holding.entry_bar, price, None, None, holding.bought, holding.fees, float(profit),
            float(profit / holding.put_in), holding.side, "",
        ),
    )  # fmt: skip


def run(panel: Panel, targets: np.ndarray, orders: Orders, terms: Terms) -> list[Result]:
    """Each ticker's result in one account with `terms.initial_investment` a ticker.

    targets   float64[n, k]   what the strategy wanted, kept for the record
    orders    what of it is dealt, and how much

    Raises ValueError for missing opens, Ruined when the account loses everything, RangeError beyond 1e-200 .. 1e200.
    """
    if terms.fill != CLOSE and any(prices.open is None for prices in panel.prices):
        raise ValueError("fill=next_open needs open prices for every ticker")
    account = Account(panel, terms)
    delay = 0 if terms.fill == CLOSE else 1
    dealt = np.flatnonzero(orders.is_dealt.any(axis=1))
    for decided in dealt.tolist():
        bar = decided + delay
        _stop_until(account, bar + 1 - delay)
        if bar < len(panel):
            _deal_orders(account, orders, decided, bar)
        else:
            _report_last(account, orders, decided)
    _stop_until(account, len(panel))
    return account.results(targets)


def _stop_until(account: Account, end: int) -> None:
    """All stops before bar `end`."""
    while (bar := account.next_stop()) is not None and bar < end:
        account.stop(bar)


def _deal_orders(account: Account, orders: Orders, decided: int, bar: int) -> None:
    entries = {at: int(orders.entry[decided, at]) for at in np.flatnonzero(orders.entry[decided]).tolist()}
    # What a stop took out is not bought again by a review of sizes: that needs a new signal.
    wanted = {
        at: float(orders.weight[decided, at])
        for at in np.flatnonzero(orders.is_dealt[decided]).tolist()
        if at in entries or account.holdings[at].quantity
    }  # fmt: skip
    account.deal(bar, wanted, entries)


def _report_last(account: Account, orders: Orders, decided: int) -> None:
    """Entries wanted at the last close have no next bar to be dealt on."""
    for at in np.flatnonzero(orders.entry[decided]).tolist():
        account.holdings[at].unfilled.append(Unfilled(decided, int(orders.entry[decided, at]), NO_NEXT_BAR))
