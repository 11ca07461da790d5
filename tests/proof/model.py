"""An account's book as a child would keep it: a list of what happened, walked anew each time, in exact fractions.

Written from the accounting rules alone and as slow as it likes; the book's own fold must agree to the last digit.
A division that does not end is rounded once, half-even at 12 decimals, where cost leaves; the rest stays.
"""

from dataclasses import dataclass, field
from fractions import Fraction

PLACES = 10**12
CENTS = 100


class CannotHappen(Exception):
    """The book as told cannot have happened: a short where none is allowed, a transfer of what is not there …"""


@dataclass
class Holding:
    """One ticker. A lot is [sequence, quantity, cost], quantity and cost with the position's sign."""

    lots: list[list] = field(default_factory=list)
    realized: Fraction = Fraction(0)
    income: Fraction = Fraction(0)
    fees: Fraction = Fraction(0)

    @property
    def quantity(self) -> Fraction:
        return sum((lot[1] for lot in self.lots), Fraction(0))

    @property
    def cost(self) -> Fraction:
        return sum((lot[2] for lot in self.lots), Fraction(0))


class Book:
    """The account after all of `acts`, each a dict with `id`, `at`, `kind` and what the kind needs."""

    def __init__(self, acts: list[dict], method: str, allows_short: bool):
        self.method, self.allows_short = method, allows_short
        self.holdings: dict[str, Holding] = {}
        self.cash = Fraction(0)
        for number, act in enumerate(sorted(acts, key=lambda act: (act["at"], act["id"]))):
            self.number = number
            getattr(self, act["kind"])(act)

    def of(self, ticker: str) -> Holding:
        return self.holdings.setdefault(ticker, Holding())

    # Fills ------------------------------------------------------------------------------

    def buy(self, act: dict) -> None:
        self.fill(act, Fraction(act["quantity"]))

    def sell(self, act: dict) -> None:
        self.fill(act, -Fraction(act["quantity"]))

    def fill(self, act: dict, signed: Fraction) -> None:
        holding, price = self.of(act["ticker"]), Fraction(act["price"])
        held = holding.quantity
        holding.fees += Fraction(act["fees"])
        self.cash -= signed * price + Fraction(act["fees"])
        closing = min(abs(held), abs(signed)) if held * signed < 0 else Fraction(0)
        sign = 1 if signed > 0 else -1
        if closing:
            cost = self.take(holding, closing)
            holding.realized += -sign * closing * price - cost
        if abs(signed) > closing:
            opened = signed - sign * closing
            holding.lots.append([self.number, opened, opened * price])
        if holding.quantity < 0 and not self.allows_short:
            raise CannotHappen("short")

    def take(self, holding: Holding, amount: Fraction) -> Fraction:
        """Takes `amount` units (counted without sign) out of the lots by the method; the cost that left."""
        if self.method == "average_cost":
            return self.take_of_pool(holding, amount)
        left_cost = Fraction(0)
        for lot in self.in_order(holding):
            part = min(amount, abs(lot[1]))
            left_cost += self.shorten(lot, part)
            amount -= part
        holding.lots = [lot for lot in holding.lots if lot[1]]
        return left_cost

    def in_order(self, holding: Holding) -> list[list]:
        if self.method == "fifo":
            return sorted(holding.lots, key=lambda lot: lot[0])
        if self.method == "lifo":
            return sorted(holding.lots, key=lambda lot: -lot[0])
        # Those that realize least first: the dearest of a long, the cheapest of a short.
        dearness = {1: lambda lot: (-lot[2] / lot[1], lot[0]), -1: lambda lot: (lot[2] / lot[1], lot[0])}
        return sorted(holding.lots, key=dearness[1 if holding.quantity > 0 else -1])

    def shorten(self, lot: list, part: Fraction) -> Fraction:
        cost = lot[2] if part == abs(lot[1]) else once_rounded(lot[2] * part / abs(lot[1]))
        lot[1] -= part if lot[1] > 0 else -part
        lot[2] -= cost
        return cost

    def take_of_pool(self, holding: Holding, amount: Fraction) -> Fraction:
        held, cost = holding.quantity, holding.cost
        left_cost = cost if amount == abs(held) else once_rounded(cost * amount / abs(held))
        rest = held - (amount if held > 0 else -amount)
        holding.lots = [[0, rest, cost - left_cost]] if rest else []
        return left_cost

    # What is no fill -------------------------------------------------------------------------

    def deposit(self, act: dict) -> None:
        self.cash += Fraction(act["amount"])

    def withdrawal(self, act: dict) -> None:
        self.cash -= Fraction(act["amount"])

    interest = deposit
    fee = withdrawal

    def dividend(self, act: dict) -> None:
        holding = self.of(act["ticker"])
        income = holding.quantity * Fraction(act["amount_per_unit"])
        holding.income += income
        self.cash += income

    def return_of_capital(self, act: dict) -> None:
        """Cost goes down lot by lot; what is more than a lot's cost is gain (of a short, loss)."""
        holding, each = self.of(act["ticker"]), Fraction(act["amount_per_unit"])
        self.cash += holding.quantity * each
        pool = [[0, holding.quantity, holding.cost]] if self.method == "average_cost" else None
        for lot in pool or holding.lots:
            paid = lot[1] * each
            taken = paid if abs(paid) <= abs(lot[2]) else lot[2]
            lot[2] -= taken
            holding.realized += paid - taken
        if pool and pool[0][1]:
            holding.lots = pool

    def split(self, act: dict) -> None:
        holding, ratio = self.of(act["ticker"]), Fraction(act["new"], act["old"])
        price = act.get("cash_in_lieu_price")
        if price is not None:
            self.sell_fraction(holding, ratio, Fraction(price))
        for lot in holding.lots:
            lot[1] *= ratio

    reverse_split = split

    def sell_fraction(self, holding: Holding, ratio: Fraction, price: Fraction) -> None:
        after = abs(holding.quantity) * ratio
        part = after - int(after)
        if not part:
            return
        sign = 1 if holding.quantity > 0 else -1
        proceeds = sign * Fraction(round(part * price * CENTS), CENTS)
        holding.realized += proceeds - self.take(holding, part / ratio)
        self.cash += proceeds

    def symbol_change(self, act: dict) -> None:
        old, new = self.of(act["ticker"]), self.of(act["new_ticker"])
        if old.quantity * new.quantity < 0:
            raise CannotHappen("opposite sides")
        new.lots, old.lots = new.lots + old.lots, []

    def transfer_in(self, act: dict) -> None:
        holding = self.of(act["ticker"])
        if holding.quantity < 0:
            raise CannotHappen("a transfer into a short")
        holding.lots.append([self.number, Fraction(act["quantity"]), Fraction(act["cost_basis"])])

    def transfer_out(self, act: dict) -> None:
        holding = self.of(act["ticker"])
        if holding.quantity < Fraction(act["quantity"]):
            raise CannotHappen("a transfer of what is not there")
        self.take(holding, Fraction(act["quantity"]))

    def method_change(self, act: dict) -> None:
        self.method = act["pnl_method"]


def once_rounded(value: Fraction) -> Fraction:
    """`value` as it is where its decimals end, else half-even at 12 of them."""
    rest = value.denominator
    for prime in (2, 5):
        while rest % prime == 0:
            rest //= prime
    return value if rest == 1 else Fraction(round(value * PLACES), PLACES)
