"""What all that is drawn shares: the lock under which it is, and the fonts of this machine."""

from functools import cache
from threading import Lock

# matplotlib's font and text caches are shared by all figures.
DRAWING = Lock()
# Fonts that have the scripts that DejaVu Sans, which comes with matplotlib, has not.
WIDE = ("Noto Sans CJK JP", "Noto Sans CJK SC", "WenQuanYi Zen Hei", "WenQuanYi Micro Hei", "Droid Sans Fallback")


@cache
def wide_font() -> list[str]:
    """The first font of `WIDE` that is on the machine, for Chinese, Japanese and Korean; none where there is none."""
    from matplotlib.font_manager import get_font_names

    there = set(get_font_names())
    return [name for name in WIDE if name in there][:1]
