"""All colors, once: as CSS variables of the report in light and dark, and as plain values for all else.

A figure for the page is drawn in placeholders, which `srlab.show.draw.svg` turns into ``var(--name)``. The
page's theme then colors it, and one drawing serves light and dark.
"""

from collections.abc import Mapping
from dataclasses import dataclass

LIGHT: Mapping[str, str] = {
    "ink": "#1b2129",
    "dim": "#5a6570",
    "line": "#e2e5e9",
    "axis": "#a3adb8",
    "paper": "#ffffff",
    "ground": "#f7f7f5",
    "raised": "#ffffff",
    "shadow": "#9aa4af",
    "accent": "#22609a",
    "soft": "#e8eff6",
    "better": "#1a7046",
    "worse": "#a8431d",
    "warning": "#8a5a00",
    "frame": "#e8590c",
    "series-0": "#22609a",
    "series-1": "#c0542a",
    "series-2": "#2f8558",
    "series-3": "#8552a6",
    "series-4": "#a37900",
    "series-5": "#12868d",
    "series-6": "#bd3f78",
    "series-7": "#5f6b78",
}
DARK: Mapping[str, str] = {
    "ink": "#e4e7ea",
    "dim": "#9ba6b1",
    "line": "#2b323a",
    "axis": "#5a6672",
    "paper": "#171b20",
    "ground": "#101317",
    "raised": "#1b2026",
    "shadow": "#000000",
    "accent": "#82b6e2",
    "soft": "#1f2d3b",
    "better": "#79c79b",
    "worse": "#f0986e",
    "warning": "#e0b351",
    "frame": "#ff7a33",
    "series-0": "#7db3e2",
    "series-1": "#f0966a",
    "series-2": "#76c596",
    "series-3": "#c59fe0",
    "series-4": "#dcb84c",
    "series-5": "#66c9cf",
    "series-6": "#ee8bb4",
    "series-7": "#a8b2bd",
}
NUM_SERIES = 8
_PLACEHOLDER = "#fe01{:02x}"  # no color that a figure would have by itself


@dataclass(frozen=True)
class Colors:
    """What a figure is drawn with, by name."""

    values: Mapping[str, str]

    def __getitem__(self, name: str) -> str:
        return self.values[name]

    def series(self, number: int) -> str:
        """The color of the variant with this place in the study; from the ninth on they come again."""
        return self.values[f"series-{number % NUM_SERIES}"]


FOR_PAPERS = Colors(LIGHT)
FOR_THE_PAGE = Colors({name: _PLACEHOLDER.format(number) for number, name in enumerate(LIGHT)})


def as_variables(text: str) -> str:
    """`text` with each placeholder as the CSS variable that it stands for.

    >>> as_variables(f"fill: {FOR_THE_PAGE['ink']}")
    'fill: var(--ink)'
    """
    for name, placeholder in FOR_THE_PAGE.values.items():
        text = text.replace(placeholder, f"var(--{name})")
    return text


def css_variables(colors: Mapping[str, str]) -> str:
    """Declarations of a theme, to stand between braces."""
    return " ".join(f"--{name}: {value};" for name, value in colors.items())
