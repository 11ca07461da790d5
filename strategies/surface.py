"""What a sweep's rows say together: the best of them, how they stand among their neighbors, a map of two parameters."""

from collections.abc import Mapping, Sequence
from heapq import nsmallest
from itertools import product

import numpy as np

from strategies.sweep_figures import FIGURES, LESS_IS_BETTER
from tradeops.core import statistics

BEST_SHOWN = 20
IN_SAMPLE, OUT_OF_SAMPLE = "in_sample_return_percentage", "out_of_sample_return_percentage"


def best_rows(rows: Sequence[dict], axes: Mapping[str, Sequence], metric: str) -> list[dict]:
    """The best rows by `metric`, each with `neighbors`: how many there are one step away, and their mean.

    A peak that its neighbors do not share was found by luck more likely than a plateau.
    """
    steps = {name: {value: at for at, value in enumerate(values)} for name, values in axes.items()}
    by_place = {tuple(steps[name][row[name]] for name in steps): row for row in rows}
    way = 1 if metric in LESS_IS_BETTER else -1
    known = [(way * row[metric], place) for place, row in by_place.items() if row[metric] is not None]
    best = [place for _, place in nsmallest(BEST_SHOWN, known)]
    return [by_place[place] | {"neighbors": _neighbors(place, by_place, metric)} for place in best]


def _neighbors(place: tuple[int, ...], by_place: Mapping[tuple, dict], metric: str) -> dict:
    """All combinations that are at most one step away on every axis."""
    around = (tuple(map(sum, zip(place, step, strict=True))) for step in product((-1, 0, 1), repeat=len(place)))
    values = [by_place[at][metric] for at in around if at != place and at in by_place]
    known = [value for value in values if value is not None]
    return {"count": len(known), "mean": sum(known) / len(known) if known else None}


def rank_correlation(rows: Sequence[dict]) -> float | None:
    """Spearman's, between the returns of all combinations in and out of sample; None for fewer than three.

    Near 1 what was better before was better after; near 0 the order was chance, and so is the best row.
    """
    pairs = [(row[IN_SAMPLE], row[OUT_OF_SAMPLE]) for row in rows if row[OUT_OF_SAMPLE] is not None]
    if len(pairs) < 3:
        return None
    return statistics.correlation(*(_ranks(np.array(column)) for column in zip(*pairs, strict=True)))


def _ranks(values: np.ndarray) -> np.ndarray:
    """Places from the least up; equal values share the mean of theirs."""
    _, groups, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2.0)[groups]


def heatmap(rows: Sequence[dict], axes: Mapping[str, Sequence], x: str, y: str, metric: str) -> dict:
    """`metric` for each pair of values of two parameters; over what else varied, its mean. None where nothing is known.

    ->   {"x": {name, values}, "y": {name, values}, "metric", "cells": a row for each value of y}
    """
    cells: dict[tuple, list[float]] = {}
    for row in rows:
        if row[metric] is not None:
            cells.setdefault((row[x], row[y]), []).append(row[metric])
    table = [[_mean(cells.get((across, up), [])) for across in axes[x]] for up in axes[y]]
    return {
        "x": {"name": x, "values": list(axes[x])},
        "y": {"name": y, "values": list(axes[y])},
        "metric": metric,
        "cells": table,
    }


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def chosen_axes(axes: Mapping[str, Sequence], x: str | None, y: str | None) -> tuple[str, str] | None:
    """The two parameters of the map: as asked, else the first two that vary; None where fewer do."""
    varying = [name for name, values in axes.items() if len(values) > 1]
    first = x if x in axes else next(iter(varying), None)
    second = y if y in axes and y != first else next((name for name in varying if name != first), None)
    return (first, second) if first and second else None


def chosen_metric(metric: str | None) -> str:
    return metric if metric in FIGURES else FIGURES[0]
