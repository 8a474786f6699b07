"""A table once: the page shows it, and files for papers and programs are written from it."""

import csv
import io
import math
import re
from dataclasses import dataclass
from typing import Literal

from srlab.verdicts import Interval

Tone = Literal["", "better", "worse", "equal", "dim", "warning", "chosen"]
_LATEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "\N{MINUS SIGN}": "$-$",
    "±": r"$\pm$",
    "\N{MULTIPLICATION SIGN}": r"$\times$",
    "∞": r"$\infty$",
    "→": r"$\rightarrow$",
    "\N{EN DASH}": "--",
    "\n": " ",
}
_LATEX_SPECIAL = re.compile("|".join(map(re.escape, _LATEX)))


@dataclass(frozen=True, kw_only=True)
class Cell:
    """What is read, and the value behind it, unrounded: by it the page sorts, and it goes into CSV.

    `note` is a second, smaller line, such as an interval; `hint` explains. `more` is what else CSV has of it:
    a part of a column's name, and a value.
    """

    text: str
    value: float | str | None = None
    note: str = ""
    hint: str = ""
    tone: Tone = ""
    more: tuple[tuple[str, float | None], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Column:
    """`key` names the column in CSV; `is_low_first` where sorting begins with the smallest."""

    key: str
    heading: str
    hint: str = ""
    is_text: bool = False
    is_low_first: bool = False


@dataclass(frozen=True, kw_only=True)
class GridRow:
    """`variant` is its place in the study, None if it is not a variant; `kind` is ``bicubic`` or ``base``."""

    cells: tuple[Cell, ...]
    variant: int | None = None
    kind: str = ""


@dataclass(frozen=True, kw_only=True)
class Grid:
    """A table. `name` is a file's, `title` says what it is, `note` how to read it, in whole sentences."""

    name: str
    title: str
    note: str = ""
    columns: tuple[Column, ...]
    rows: tuple[GridRow, ...]

    @property
    def caption(self) -> str:
        """All that is needed to read the table alone, in a file."""
        return f"{self.title}. {self.note}".strip()

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row.cells) != len(self.columns):
                raise ValueError(f"{self.name}: {len(row.cells)} cells for {len(self.columns)} columns")


def as_csv(grid: Grid) -> str:
    """Unrounded values, with intervals and spreads; what is not known is empty, infinity is ``inf``."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    parts = [
        list(dict.fromkeys(part for row in grid.rows for part, _ in row.cells[place].more))
        for place in range(len(grid.columns))
    ]
    headings = zip(grid.columns, parts, strict=True)
    writer.writerow(
        [
            name
            for column, more in headings
            for name in (column.key, *(f"{column.key}_{part}" for part in more))
        ]
    )
    for row in grid.rows:
        writer.writerow(
            [
                _plain(value)
                for cell, more in zip(row.cells, parts, strict=True)
                for value in (cell.value, *(dict(cell.more).get(part) for part in more))
            ]
        )
    return text.getvalue()


def ends(interval: Interval | None) -> tuple[tuple[str, float | None], ...]:
    """What CSV has of an interval."""
    if interval is None:
        return ()
    return ("low", interval.low), ("high", interval.high)


def spread(sd: float | None) -> tuple[tuple[str, float | None], ...]:
    """What CSV has of a standard deviation between seeds."""
    return () if sd is None else (("sd", sd),)


def _plain(value: float | str | None) -> float | str:
    if isinstance(value, float) and math.isinf(value):
        return "inf" if value > 0 else "-inf"
    return "" if value is None else value


def as_markdown(grid: Grid) -> str:
    """A pipe table as people read it, the caption below."""

    def line(words: list[str]) -> str:
        return (
            "| "
            + " | ".join(re.sub(r"([\\|*_<`\[\]])", r"\\\1", word).replace("\n", " ") for word in words)
            + " |"
        )

    lines = [
        line([column.heading for column in grid.columns]),
        "|" + "|".join("---" if column.is_text else "---:" for column in grid.columns) + "|",
        *(line([_read(cell) for cell in row.cells]) for row in grid.rows),
        "",
        re.sub(r"([\\|*_<`\[\]])", r"\\\1", grid.caption),
    ]
    return "\n".join(lines) + "\n"


def as_latex(grid: Grid) -> str:
    """A ``table`` with booktabs' rules; every sign that LaTeX would take for its own is escaped."""

    def line(words: list[str]) -> str:
        return "    " + " & ".join(map(latex, words)) + r" \\"

    return "\n".join(
        [
            "% needs \\usepackage{booktabs}",
            r"\begin{table}",
            r"  \centering",
            rf"  \caption{{{latex(grid.caption)}}}",
            r"  \begin{tabular}{" + "".join("l" if column.is_text else "r" for column in grid.columns) + "}",
            r"    \toprule",
            line([column.heading for column in grid.columns]),
            r"    \midrule",
            *(line([_read(cell) for cell in row.cells]) for row in grid.rows),
            r"    \bottomrule",
            r"  \end{tabular}",
            r"\end{table}",
            "",
        ]
    )


def latex(text: str) -> str:
    r"""`text` so that LaTeX prints it as it is.

    >>> latex("a_b & 5 %")
    'a\\_b \\& 5 \\%'
    """
    return _LATEX_SPECIAL.sub(lambda found: _LATEX[found[0]], text)


def _read(cell: Cell) -> str:
    return f"{cell.text} {cell.note}".strip()
