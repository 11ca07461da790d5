"""A believable market from a seed: the same seed gives the same ticks, to the byte, on every machine.

Returns of all tickers share a market factor, each as much as its character says; volatility clusters (GARCH 1,1
on each ticker's own shocks) and is highest at the open and the close of a session; now and then a price jumps by two
to four percent; a weak pull keeps prices near their level for days. Only integer sums, + - x / and square roots are
used, on the raw stream of PCG64: exponentials and normal variates differ between machines and versions of numpy.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from .ticks import MICROS

# Levels that people know, in dollars, and how lively each is: standard deviation of a day.
LEVELS = {
    "AAPL": (228.50, 0.015), "AMZN": (219.40, 0.019), "GOOGL": (189.30, 0.017), "JNJ": (152.10, 0.010),
    "JPM": (252.60, 0.014), "KO": (69.80, 0.009), "META": (612.40, 0.021), "MSFT": (424.20, 0.014),
    "NFLX": (884.70, 0.021), "NVDA": (138.30, 0.028), "TSLA": (389.50, 0.034), "XOM": (108.90, 0.014),
}  # fmt: skip
TICKERS = tuple(LEVELS)
OTHER_LEVEL = (100.0, 0.018)
FEWEST_TICKERS, MOST_TICKERS = 10, 10_000
DEFAULT_SEED = 25
CENT = 10_000  # micros

# A session follows upon another, round the clock. Its variance is a parabola over it, on average that of the ticker.
SESSION_SECONDS = 23_400.0
NOON_VARIANCE, EDGE_VARIANCE = 0.4, 1.8
FLUSH_SECONDS = 0.5  # of market time, as it is where nobody hastens it
MARKET_SHARE = 0.55  # correlation with the market factor; between two tickers the product of theirs
PULL_SECONDS = 2_400.0
JUMP_EVERY_SECONDS = 1_000.0  # a ticker; up and down alike
JUMP_LEAST, JUMP_SPREAD = 0.021, 0.019
LARGEST_STEP = 0.15
MOVES = 0.6  # the share of tickers that trade in a flush
# GARCH weights per step: the long-run level, the last shock, the variance before it.
LEVEL_WEIGHT, SHOCK_WEIGHT, VARIANCE_WEIGHT = 0.02, 0.06, 0.92

WORDS_MARKET, WORDS_TICKER = 3, 6
# Of few tickers a step costs the calls of numpy, not its sums: so much randomness is shaped by one round of them.
SHAPED_TOGETHER = 1_000
LOW_16 = np.uint64(0xFFFF)


@dataclass(frozen=True, slots=True)
class Character:
    """What a ticker is like.

    level          micros    where it begins, and is pulled to
    volatility     float     standard deviation of a day's return, > 0
    market_share   float     correlation with the market factor, 0 <= share < 1
    """

    level: int
    volatility: float
    market_share: float = MARKET_SHARE


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the process: the tickers that traded.

    indexes   int64[k]
    prices    int64[k]   micros, whole cents, a dollar at least
    volumes   int64[k]   units
    """

    indexes: np.ndarray
    prices: np.ndarray
    volumes: np.ndarray


@dataclass(slots=True)
class Chances:
    """What chance brings the tickers in one step.

    own         float64[n]   each one's shock, near-normal
    blend       float64[n]   that and the market's, as each one's character mixes them
    jump        float64[n]   in [0, 1): the lower, the sooner it jumps
    jump_size   float64[n]   the return of the jump, should there be one
    moves       float64[n]   in [0, 65536): the lower, the sooner it trades
    lots        int64[n]     how much, then
    """

    own: np.ndarray
    blend: np.ndarray
    jump: np.ndarray
    jump_size: np.ndarray
    moves: np.ndarray
    lots: np.ndarray


class Simulation:
    """The price process of `tickers`.

    tickers   their order is part of what the seed determines
    seed      0..2**63-1
    prices    micros by ticker to go on from; levels where left out
    resumed   the flush it goes on after: another stretch of the seed's randomness, and another hour of the session
    characters   by ticker; known ones where left out
    """

    def __init__(
        self,
        tickers=TICKERS,
        *,
        seed: int = DEFAULT_SEED,
        prices: Mapping[str, int] | None = None,
        resumed: int = 0,
        characters: Mapping[str, Character] = MappingProxyType({}),
    ):
        check_seed(seed)
        self.tickers = tuple(tickers)
        self.stream = np.random.PCG64(np.random.SeedSequence([seed, resumed]))
        self.elapsed = resumed * FLUSH_SECONDS
        known = [characters.get(ticker) or character_of(ticker) for ticker in self.tickers]
        begin = [(prices or {}).get(ticker, one.level) for ticker, one in zip(self.tickers, known, strict=True)]
        self.anchors = np.array([one.level for one in known], dtype=np.float64)
        self.prices = np.array(begin, dtype=np.float64)
        self.shares = np.array([one.market_share for one in known])
        daily = np.array([one.volatility for one in known])
        self.usual_variance = daily * daily / SESSION_SECONDS  # a second's
        self.variance = self.usual_variance.copy()
        self.chances = self._chances()

    def step(self, seconds: float) -> Step:
        """Lets `seconds` pass, 0 < seconds <= 3600; every price moves, some of them trade."""
        if not 0 < seconds <= 3600:
            raise ValueError(f"seconds is {seconds}; it must be above 0, at most 3600")
        chances = next(self.chances)
        returns = np.sqrt(self.variance * (seconds * self._hour_variance())) * chances.blend
        self.elapsed += seconds
        self._remember(chances.own)
        jumps = np.where(chances.jump < min(1.0, seconds / JUMP_EVERY_SECONDS), chances.jump_size, 0.0)
        returns = returns + jumps + self._pull(seconds)
        returns = np.minimum(np.maximum(returns, -LARGEST_STEP), LARGEST_STEP)
        self.prices = np.maximum(self.prices * (1.0 + returns), MICROS)
        return self._trades(chances, returns)

    def _chances(self) -> Iterator[Chances]:
        """Those of each step to come; a step always takes as many words, the tickers' and then the market's."""
        count = len(self.tickers)
        steps = max(1, SHAPED_TOGETHER // count)
        while True:
            words = self.stream.random_raw(steps * (count * WORDS_TICKER + WORDS_MARKET)).reshape(steps, -1)
            tickers, market = words[:, :-WORDS_MARKET].reshape(steps, count, WORDS_TICKER), words[:, -WORDS_MARKET:]
            own, last = _normal(tickers[..., :3]), tickers[..., 5]
            blend = self.shares * _normal(market)[:, None] + np.sqrt(1.0 - self.shares * self.shares) * own
            moves = (last & LOW_16).astype(np.float64)
            lots = ((last >> np.uint64(16)) & np.uint64(0x3F)).astype(np.int64) + 1
            jump, jump_size = _uniform(tickers[..., 3]), _jump_sizes(_uniform(tickers[..., 4]))
            yield from map(Chances, own, blend, jump, jump_size, moves, lots)

    def _remember(self, own: np.ndarray) -> None:
        """Large moves are followed by large ones."""
        self.variance = (
            LEVEL_WEIGHT * self.usual_variance
            + SHOCK_WEIGHT * self.variance * own * own
            + VARIANCE_WEIGHT * self.variance
        )

    def _hour_variance(self) -> float:
        """What the hour of the session makes of the variance: most at its ends, least in its middle, 1 on average."""
        edge = 2.0 * (self.elapsed % SESSION_SECONDS) / SESSION_SECONDS - 1.0
        return NOON_VARIANCE + EDGE_VARIANCE * edge * edge

    def _pull(self, seconds: float) -> np.ndarray:
        return (1.0 - self.prices / self.anchors) * min(1.0, seconds / PULL_SECONDS)

    def _trades(self, chances: Chances, returns: np.ndarray) -> Step:
        indexes = np.flatnonzero(chances.moves < MOVES * 65_536.0)
        cents = (self.prices[indexes] / CENT + 0.5).astype(np.int64)
        excited = 1 + np.minimum(np.abs(returns[indexes]) * 2000.0, 50.0).astype(np.int64)
        volumes = chances.lots[indexes] * 10 * excited
        return Step(indexes=indexes, prices=cents * CENT, volumes=volumes)


def check_seed(seed: int) -> None:
    """Raises ValueError for what is no seed."""
    if not 0 <= seed < 2**63:
        raise ValueError(f"seed is {seed}; it must be 0 to 2**63-1")


def character_of(ticker: str) -> Character:
    """What people know of it, or of any other."""
    level, volatility = LEVELS.get(ticker, OTHER_LEVEL)
    return Character(round(level * MICROS), volatility)


def start_levels(tickers) -> dict[str, int]:
    """Where prices start, in micros."""
    return {ticker: character_of(ticker).level for ticker in tickers}


def tickers_of(count: int) -> tuple[str, ...]:
    """So many tickers: those that people know, then made-up ones. Raises ValueError out of bounds."""
    if not FEWEST_TICKERS <= count <= MOST_TICKERS:
        raise ValueError(f"tickers is {count}; it must be {FEWEST_TICKERS} to {MOST_TICKERS:,}")
    made_up = (f"SIM{number:05}" for number in range(1, count - len(TICKERS) + 1))
    return (*TICKERS[:count], *made_up)


def _uniform(words: np.ndarray) -> np.ndarray:
    """float64 in [0, 1) of the upper 53 bits."""
    return (words >> np.uint64(11)).astype(np.float64) * 2.0**-53


def _jump_sizes(places: np.ndarray) -> np.ndarray:
    """The lower half falls, the upper half rises; within each the size grows evenly."""
    sizes = JUMP_LEAST + JUMP_SPREAD * ((places * 2.0) % 1.0)
    return np.where(places < 0.5, -sizes, sizes)


def _normal(words: np.ndarray) -> np.ndarray:
    """Near-normal float64 of each three words: twelve 16-bit integers, whose sum is exact in any order."""
    total = words.view(np.uint16).sum(axis=-1, dtype=np.int64)
    return (total - 393_210).astype(np.float64) / 65_536.0
