"""What a trade that is not booked would do to a holding: the lots it takes, what it realizes, what is left."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from ..ledger import ZERO, Fill, Holding, Method, Realization, apply_fill, average, closing_part, exactly, total


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one method would make of it. Without a price it says which lots are taken, and no money.

    `after` is the holding it leaves; `opens` how much of the trade opens or adds, signed.
    """

    method: Method
    taken: list[Realization]
    after: Holding
    opens: Decimal
    has_price: bool

    @property
    def realized_pnl(self) -> Decimal | None:
        return total(one.pnl for one in self.taken) if self.has_price else None

    @property
    def cost_after(self) -> Decimal | None:
        return self.after.cost if self.has_price or not self.opens else None

    @property
    def average_after(self) -> Decimal | None:
        return None if self.cost_after is None else average(self.cost_after, self.after.quantity)


def what_if(holding: Holding, quantity: Decimal, price: Decimal | None, at: datetime, method: Method) -> Outcome:
    """Moves `holding` on by a fill of `quantity` (signed), without fees, and says what it brings about."""
    with exactly():
        opens = quantity + closing_part(holding.quantity, quantity)
    effects = apply_fill(holding, Fill(0, at, quantity, ZERO if price is None else price), method)
    return Outcome(method, effects.realizations, holding, opens, price is not None)
