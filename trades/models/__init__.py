"""The rows of the book: accounts, what happened, what is derived from it, and the back office's own."""

from .accounts import FIRST_LINK, Account, AccountKind, OwnedQuerySet, PnlMethod, trade_date_of
from .activities import CASH_KINDS, SPLIT_KINDS, Activity, ActivityKind
from .book import BOOKED, CURRENT, MONEY, SUMMED, EntryKind, KeptAnswer, LedgerEntry, Side, Trade, Version
from .control import Adjustment, BatchState, ImportBatch, Proposal, ProposalState, Reconciliation, Target
from .derived import DayTotal, Derived, Income, Lot, Position, Realization, RoundTrip

__all__ = [
    "BOOKED",
    "CASH_KINDS",
    "CURRENT",
    "FIRST_LINK",
    "MONEY",
    "SPLIT_KINDS",
    "SUMMED",
    "Account",
    "AccountKind",
    "Activity",
    "ActivityKind",
    "Adjustment",
    "BatchState",
    "DayTotal",
    "Derived",
    "EntryKind",
    "ImportBatch",
    "Income",
    "KeptAnswer",
    "LedgerEntry",
    "Lot",
    "OwnedQuerySet",
    "PnlMethod",
    "Position",
    "Proposal",
    "ProposalState",
    "Realization",
    "Reconciliation",
    "RoundTrip",
    "Side",
    "Target",
    "Trade",
    "Version",
    "trade_date_of",
]
