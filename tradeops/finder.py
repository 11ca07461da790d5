"""What `/` on the keyboard finds: a page by its name, a ticker, a run by its number."""

from dataclasses import dataclass

from django.urls import reverse

from market.models import Instrument
from strategies.models import Run

LONGEST_WORDS = 60
HITS_OF_A_KIND = 20
LARGEST_ID = 2**63 - 1
PAGES = {
    "Today": "/desk/",
    "Trades": "/desk/trades/",
    "New trade": "/desk/trades/new/",
    "Import": "/desk/trades/import/",
    "Activities": "/desk/activities/",
    "Ledger": "/desk/ledger/",
    "New activity": "/desk/activities/new/",
    "Accounts": "/desk/accounts/",
    "Approvals": "/desk/approvals/",
    "Reconciliations": "/desk/reconciliations/",
    "Positions": "/desk/positions/",
    "Round trips": "/desk/round-trips/",
    "Performance": "/desk/performance/",
    "Market": "/desk/market/",
    "Watchlists": "/desk/watchlists/",
    "Alerts": "/desk/alerts/",
    "Strategies": "/desk/strategies/",
    "Sweeps": "/desk/strategies/sweeps/",
    "Reports": "/desk/reports/",
    "Jobs": "/desk/jobs/",
    "Settings": "/desk/settings/",
    "API": "/docs",
}


@dataclass(frozen=True)
class Hit:
    kind: str
    name: str
    detail: str
    url: str

    def is_named(self, words: str) -> bool:
        return self.name.lower() == words.lower()


def find_hits(user, words: str) -> list[Hit]:
    """What `words` may mean to `user`: pages, then tickers, then runs. Nothing for no words."""
    words = words.replace("\x00", "").strip()[:LONGEST_WORDS]
    if not words:
        return []
    return [*pages_named(words), *tickers_like(words), *runs_numbered(user, words)]


def pages_named(words: str) -> list[Hit]:
    return [Hit("Page", name, url, url) for name, url in PAGES.items() if name.lower().startswith(words.lower())]


def tickers_like(words: str) -> list[Hit]:
    found = Instrument.objects.search(words)[:HITS_OF_A_KIND]
    return [
        Hit("Ticker", instrument.ticker, instrument.name, reverse("market:ticker", args=[instrument.ticker]))
        for instrument in found
    ]


def runs_numbered(user, words: str) -> list[Hit]:
    number = words.lower().removeprefix("run").strip()
    if not (number.isascii() and number.isdigit()) or int(number) > LARGEST_ID:
        return []
    runs = Run.objects.visible_to(user).listed().filter(pk=int(number))
    return [Hit("Run", f"Run {run.pk}", run.strategy, reverse("strategies:run", args=[run.pk])) for run in runs]


def only_hit(hits: list[Hit], words: str) -> Hit | None:
    """The one that is surely meant: the only one, or the only one of that very name."""
    named = [hit for hit in hits if hit.is_named(words.strip())]
    certain = named or hits
    return certain[0] if len(certain) == 1 else None
