"""Rows whose client's id the account knows for something else: what a request under that key is refused for.

A row is a repeat where it says what its trade says now or once said: a file may come again after a correction.
"""

import numpy as np

from tradeops.core.decimals import plain

from ..models import Trade
from .cells import microseconds
from .checked import CheckedFile
from .faults import MOST_LISTED, Fault, Faults, FileRefused
from .staging import Known

CODE = "idempotency_key_reused"
USED = "It was used before, for something else."
MAY_BE_SILENT = ("fees", "strategy", "tags", "note")  # a file without the column says nothing of them


def refuse_others(checked: CheckedFile, known: Known) -> None:
    """Raises FileRefused for each row whose id the account knows for another trade, or for another act."""
    places = np.append(known.others, known.used)
    if not len(places):
        return
    trade_ids = np.append(known.other_ids, np.zeros_like(known.used))
    by_line = np.argsort(checked.lines[places])
    places, trade_ids = places[by_line], trade_ids[by_line].tolist()
    faults = Faults()
    faults.add(first_faults(checked, places[:MOST_LISTED], trade_ids[:MOST_LISTED]))
    faults.add(Fault(USED, CODE, row) for row in checked.lines[places[MOST_LISTED:]].tolist())
    raise FileRefused(faults)


def first_faults(checked: CheckedFile, places: np.ndarray, trade_ids: list[int]) -> list[Fault]:
    booked = {row.trade_id: row for row in Trade.objects.latest_versions().filter(trade_id__in=set(trade_ids))}
    column = checked.columns.name_of("client_trade_id")
    return [
        Fault(
            words_of(checked, row, booked[trade_id]) if trade_id in booked else USED,
            CODE, row["line"], column, "client_trade_id", row["client_trade_id"],
        )
        for row, trade_id in zip(checked.trades(places).to_pylist(), trade_ids, strict=True)
    ]  # fmt: skip


def words_of(checked: CheckedFile, row: dict, trade: Trade) -> str:
    """Which trade bears the row's id, and what it says otherwise."""
    told = {
        "executed_at": microseconds(trade.executed_at),
        "ticker": trade.ticker,
        "side": trade.side,
        **{name: plain(getattr(trade, name)) for name in ("quantity", "price", "fees")},
        **{name: getattr(trade, name) for name in ("strategy", "tags", "note")},
    }
    silent = [name for name in MAY_BE_SILENT if name not in checked.columns]
    words = told | {"executed_at": trade.executed_at.isoformat(), "tags": " ".join(trade.tag_list)}
    others = [f"{name} {words[name]!r}" for name, value in told.items() if name not in silent and value != row[name]]
    return f"Trade {trade.trade_id} bears it and says otherwise: {', '.join(others)}."
