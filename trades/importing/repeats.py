"""Rows of one file that bear the same client's id: the same trade told twice, or two that cannot both have it."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from .checked import CheckedFile
from .faults import Fault, Faults, FileRefused

CONTENT = ("ticker", "side", "quantity", "price", "fees", "executed_at", "strategy", "tags", "note")


def find_repeats(checked: CheckedFile) -> np.ndarray:
    """The places of trades that stand in the file before under the same client's id.

    Raises FileRefused where they say otherwise than the first.
    """
    if "client_trade_id" not in checked.columns:
        return np.empty(0, np.int64)
    ids = pa.chunked_array([batch["client_trade_id"] for batch in checked.batches], pa.string())
    if pc.count_distinct(ids, mode="only_valid").as_py() == len(ids) - ids.null_count:
        return np.empty(0, np.int64)
    codes = ids.combine_chunks().dictionary_encode().indices.fill_null(-1).to_numpy()
    times_told = np.bincount(codes[codes >= 0])
    told_often = checked.trade_order[np.isin(codes[checked.trade_order], np.flatnonzero(times_told > 1))]
    rows = checked.trades(told_often).to_pylist()
    return np.array(later_ones(checked, codes[told_often].tolist(), told_often.tolist(), rows), np.int64)


def later_ones(checked: CheckedFile, codes: list[int], places: list[int], rows: list[dict]) -> list[int]:
    firsts: dict[int, dict] = {}
    repeats, found = [], []
    for code, place, row in zip(codes, places, rows, strict=True):
        first = firsts.setdefault(code, row)
        if first is row:
            continue
        repeats.append(place)
        if any(first[name] != row[name] for name in CONTENT):
            found.append(contradiction(checked, first, row))
    if found:
        faults = Faults()
        faults.add(sorted(found, key=lambda fault: fault.row))
        raise FileRefused(faults)
    return repeats


def contradiction(checked: CheckedFile, first: dict, row: dict) -> Fault:
    message = f"Row {first['line']} has the same client_trade_id and says otherwise."
    column = checked.columns.name_of("client_trade_id")
    return Fault(message, "duplicate_id", row["line"], column, "client_trade_id", row["client_trade_id"])
