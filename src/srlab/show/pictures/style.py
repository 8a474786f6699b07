"""How srlab's pictures look: a light ground, one accent, letters that can be read at half size."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl

INK = "#1f2933"
DIM = "#616e7c"
ACCENT = "#2b6ca3"
LIGHT = "#a8c5de"
WARNING = "#c77700"
FRAME = "#e8590c"


@contextmanager
def plain_style() -> Iterator[None]:
    """matplotlib's own settings, whatever the user's are, with ours on top; undone afterwards."""
    settings: dict[Any, Any] = {
        "font.family": "DejaVu Sans",
        "font.size": 9.0,
        "axes.labelcolor": DIM,
        "axes.edgecolor": "#9aa5b1",
        "xtick.color": DIM,
        "ytick.color": INK,
        "figure.facecolor": "white",
        "axes.facecolor": "white",
        "axes.formatter.useoffset": False,
        "svg.hashsalt": "srlab",
        "svg.fonttype": "none",
    }
    with mpl.rc_context():
        mpl.rcdefaults()
        with mpl.rc_context(settings):
            yield
