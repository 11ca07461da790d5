"""A slow, exact second opinion on the crossover: rational arithmetic, one bar at a time, no numpy."""

from fractions import Fraction

TIE = Fraction(1, 10**9)


def crossover_signs(closes: list, fast: int, slow: int) -> list[int | None]:
    """+1, -1, 0 (tie) for each bar, None before both averages exist."""
    exact = [Fraction(close) for close in closes]
    signs: list[int | None] = []
    for bar in range(len(exact)):
        if bar < slow - 1:
            signs.append(None)
            continue
        slow_mean = sum(exact[bar - slow + 1 : bar + 1]) / slow
        gap = sum(exact[bar - fast + 1 : bar + 1]) / fast - slow_mean
        signs.append(0 if abs(gap) <= TIE * slow_mean else 1 if gap > 0 else -1)
    return signs


def crossings(closes: list, fast: int, slow: int) -> list[tuple[int, int]]:
    """(bar, new sign) of each turn; a tie carries the last sign on."""
    turns, last = [], None
    for bar, sign in enumerate(crossover_signs(closes, fast, slow)):
        if sign in (None, 0):
            continue
        if last is not None and sign != last:
            turns.append((bar, sign))
        last = sign
    return turns


def account(closes, opens, fast, slow, fee, fill, cash=Fraction(10_000)):
    """(trades, equity): trades are (entry bar, exit bar or None, profit), equity one Fraction a bar."""
    orders = {}
    for bar, sign in crossings(closes, fast, slow):
        at = bar if fill == "close" else bar + 1
        if at < len(closes):
            orders[at] = sign
    units, put_in, entry, trades, equity = Fraction(0), None, None, [], []
    for bar, close in enumerate(closes):
        price = Fraction(close if fill == "close" else opens[bar])
        if orders.get(bar) == 1 and not units:
            units, put_in, entry, cash = cash / (price * (1 + fee)), cash, bar, Fraction(0)
        elif orders.get(bar) == -1 and units:
            cash, units = units * price * (1 - fee), Fraction(0)
            trades.append((entry, bar, cash - put_in))
        equity.append(cash + units * Fraction(close))
    if units:
        trades.append((entry, None, equity[-1] - put_in))
    return trades, equity
