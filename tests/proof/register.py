"""The register of the promises: what each is called and the parts in which it is tried."""

from collections.abc import Callable
from dataclasses import dataclass, field

from tests.proof.table import NOT_REACHABLE, NOT_YET

PROMISES = {
    "P01": "Nothing acknowledged is lost, nothing doubled, when a process is killed",
    "P02": "One key, one trade",
    "P03": "A used key never does something else",
    "P04": "Position = replay, to the last digit",
    "P05": "History does not change",
    "P06": "Exact numbers",
    "P07": "No 5xx",
    "P08": "Reads survive old bad rows",
    "P09": "Input is bounded, memory flat",
    "P10": "No overselling by a race",
    "P11": "An import is all or nothing and says where",
    "P12": "Flat memory for uploads of any size",
    "P13": "A backtest is never quietly wrong",
    "P14": "Exports are safe to open and come back the same",
    "P15": "A slow reader hurts only itself",
    "P16": "Gaps are seen and filled",
    "P17": "Alerts are never missed, never doubled",
    "P18": "One feed, and another when it dies",
    "P19": "Hostile socket clients are closed, others served",
    "P20": "No cross-site sockets; private frames stay private",
    "P21": "A disconnect storm passes",
    "P22": "Redis gone or hanging stops no trade",
    "P23": "Redis emptied loses no owed work",
    "P24": "A worker killed in mid-task: each effect once",
    "P25": "A Redis restart does not deafen the worker",
    "P26": "Two beats, one run",
    "P27": "One whole object at the end, whatever S3 does",
    "P28": "A database restart under load is 503, never a hang",
    "P29": "A clean stop",
    "P30": "Whose is it: strangers get 401, 403 or 404",
    "P31": "The Lambda proxy calls one place",
    "P32": "Passwords and tokens: guessing is slowed",
    "P33": "Headers and settings are strict",
    "P34": "No secret appears anywhere",
    "P35": "Known parts: pinned, audited",
    "P36": "A dump taken under load restores whole",
}
EMBEDDED, SERVICES = "embedded", "services"


class NotYet(Exception):
    """A promise that is not kept yet; the text says what is missing."""

    result = NOT_YET


class Unreachable(NotYet):
    """What it takes to see whether it is kept lies outside and does not answer. That is no pass."""

    result = NOT_REACHABLE


@dataclass(frozen=True)
class Part:
    """One way in which a promise is tried. `run(ground)` returns what was seen, and raises where it is not kept."""

    promise: str
    tried: str
    run: Callable[..., str]
    world: str = SERVICES
    minutes: float = 8


@dataclass
class Register:
    parts: dict[str, list[Part]] = field(default_factory=lambda: {promise: [] for promise in PROMISES})

    def add(self, part: Part) -> None:
        """Takes it in. Its outcome is kept by promise and words, so no two parts of a promise may share them."""
        parts = self.parts[part.promise]
        assert part.tried not in {other.tried for other in parts}, f"{part.promise} has two parts called {part.tried!r}"
        parts.append(part)


REGISTER = Register()


def tries(promise: str, tried: str, *, world: str = SERVICES, minutes: float = 8):
    """Registers a function as a part of `promise`: `tried` is what it tries, in words."""

    def add(run: Callable[..., str]) -> Callable[..., str]:
        REGISTER.add(Part(promise, tried, run, world, minutes))
        return run

    return add
