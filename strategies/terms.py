"""The terms of a run: what it starts with, what it may hold, how much, at which prices, costs and stops.

Declared like a strategy's parameters, so that form, API help and command line are made from them. The defaults are the
plain account: long alone, all in, one account a ticker, no costs, no stops.
"""

from dataclasses import asdict, dataclass, fields

from strategies.parameters import Parameter

CLOSE, NEXT_OPEN = "close", "next_open"
FILLS = (CLOSE, NEXT_OPEN)
LONG, BOTH, SHORT = "long", "both", "short"
DIRECTIONS, SIDES = (LONG, BOTH, SHORT), (LONG, SHORT)
SEPARATE, SHARED = "separate", "shared"
ALL_IN, EQUAL_WEIGHT, FIXED_FRACTION, VOLATILITY_TARGET = (
    "all_in",
    "equal_weight",
    "fixed_fraction",
    "volatility_target",
)
NEVER, WEEKLY, MONTHLY, QUARTERLY = "never", "weekly", "monthly", "quarterly"

TERMS = (
    Parameter("initial_investment", "number", 10000.0, "Cash for each ticker.", 0.01, 1e12, 0.01),
    Parameter(
        "fill", "choice", CLOSE, "Deal at the signal bar's close, or at the open of the bar after it.", choices=FILLS
    ),
    Parameter(
        "fee_bps", "number", 0.0, "Fee on the notional of each side; 10 is 0.1 %.", 0.0, 1000.0, 0.01,
        unit="basis points",
    ),
    Parameter("fee_fixed", "number", 0.0, "Fee for each fill, in money, besides.", 0.0, 1e6, 0.01),
    Parameter(
        "spread_bps", "number", 0.0, "Between bid and ask; each fill pays half of it.", 0.0, 1000.0, 0.1,
        unit="basis points",
    ),
    Parameter(
        "slippage_bps", "number", 0.0, "How much worse than the quoted price each fill is.", 0.0, 1000.0, 0.1,
        unit="basis points",
    ),
    Parameter("direction", "choice", LONG, "Which sides may be held.", choices=DIRECTIONS),
    Parameter(
        "accounts", "choice", SEPARATE, "An account for each ticker, or one pool of cash on the bars all tickers have.",
        choices=(SEPARATE, SHARED),
    ),
    Parameter(
        "sizing", "choice", ALL_IN, "How much an entry deals of what is free, or of the account's equity.",
        choices=(ALL_IN, EQUAL_WEIGHT, FIXED_FRACTION, VOLATILITY_TARGET),
    ),
    Parameter(
        "position_percentage", "number", 10.0, "Share of equity of one entry, for sizing fixed_fraction.",
        0.1, 100.0, 0.1, unit="percent",
    ),
    Parameter(
        "target_volatility_percentage", "number", 15.0,
        "Volatility a year that a position is sized to, for sizing volatility_target; never above all in.",
        1.0, 500.0, 1.0, unit="percent a year",
    ),
    Parameter(
        "volatility_window", "integer", 20, "Returns that a position's volatility is measured over.", 2, 1000, 1,
        unit="bars",
    ),
    Parameter(
        "stop_loss_percentage", "number", 0.0, "Leaves when the price is this much worse than the entry; 0 is none.",
        0.0, 99.0, 0.1, unit="percent",
    ),
    Parameter(
        "take_profit_percentage", "number", 0.0, "Leaves when the price is this much better than the entry; 0 is none.",
        0.0, 10000.0, 0.1, unit="percent",
    ),
    Parameter(
        "trailing_stop_percentage", "number", 0.0, "Leaves this much below the best price since entry; 0 is none.",
        0.0, 99.0, 0.1, unit="percent",
    ),
    Parameter(
        "rebalance", "choice", NEVER, "How often held positions are put back to their size.",
        choices=(NEVER, WEEKLY, MONTHLY, QUARTERLY),
    ),
    Parameter(
        "benchmark", "ticker", "", "A ticker of the files that is not dealt but held against; else buying and holding."
    ),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Terms:
    """The checked terms of a run; see TERMS for what each means."""

    initial_investment: float = 10_000.0
    fill: str = CLOSE
    fee_bps: float = 0.0
    fee_fixed: float = 0.0
    spread_bps: float = 0.0
    slippage_bps: float = 0.0
    direction: str = LONG
    accounts: str = SEPARATE
    sizing: str = ALL_IN
    position_percentage: float = 10.0
    target_volatility_percentage: float = 15.0
    volatility_window: int = 20
    stop_loss_percentage: float = 0.0
    take_profit_percentage: float = 0.0
    trailing_stop_percentage: float = 0.0
    rebalance: str = NEVER
    benchmark: str = ""

    @property
    def fee_rate(self) -> float:
        """Fraction of notional paid on each side."""
        return self.fee_bps / 10_000

    @property
    def price_cost(self) -> float:
        """Fraction by which each fill is worse than the quoted price."""
        return (self.spread_bps / 2 + self.slippage_bps) / 10_000

    @property
    def has_stops(self) -> bool:
        return bool(self.stop_loss_percentage or self.take_profit_percentage or self.trailing_stop_percentage)

    @property
    def is_plain(self) -> bool:
        """Whether nothing but cash, fill and percent fee differs from the plain account, which has a faster path."""
        return all(getattr(self, name) == getattr(PLAIN, name) for name in NOT_PLAIN)

    def told(self) -> dict:
        return asdict(self)


PLAIN = Terms()
# The sizes' own settings say nothing while another size is chosen.
NOT_PLAIN = (
    "fee_fixed", "spread_bps", "slippage_bps", "direction", "sizing", "rebalance",
    "stop_loss_percentage", "take_profit_percentage", "trailing_stop_percentage",
)  # fmt: skip
NAMES = tuple(field.name for field in fields(Terms))
