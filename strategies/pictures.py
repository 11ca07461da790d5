"""The way to charts.py for those who seldom draw: matplotlib is loaded with the first picture of a process."""

from importlib import import_module
from types import ModuleType


def charts() -> ModuleType:
    """strategies/charts.py; with matplotlib it costs half a second and 25 MB, which most processes never need."""
    return import_module("strategies.charts")
