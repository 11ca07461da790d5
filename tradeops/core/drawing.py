"""The lock under which pictures and pages are drawn: matplotlib's font and text caches are shared by all figures."""

from threading import Lock

DRAWING = Lock()
