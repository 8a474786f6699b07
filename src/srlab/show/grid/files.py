"""A table as CSV, Markdown and LaTeX."""

import html
import re
from collections.abc import Sequence

from srlab.show.grid import Grid
from srlab.verdicts.score_files import csv_text
from srlab.words import MINUS, NOTHING, TIMES

_LATEX = {
    "\\": r"\textbackslash{}",
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    MINUS: "$-$",
    "±": r"$\pm$",
    TIMES: r"$\times$",
    "∞": r"$\infty$",
    "→": r"$\rightarrow$",
    NOTHING: "--",
    "\n": " ",
}
_MARKDOWN = re.compile(r"""[\\`*|~$] | \](?=[(\[:]) | (?<![A-Za-z0-9])_ | _(?![A-Za-z0-9])""", re.VERBOSE)
_COMMAND = re.compile(r"(`srlab [^`|]*`)")


def as_csv(grid: Grid) -> str:
    """Unrounded values, with intervals and spreads; what is not known is empty, infinity is ``inf``."""
    parts = [
        list(dict.fromkeys(part for row in grid.rows for part, _ in row.cells[place].more))
        for place in range(len(grid.columns))
    ]
    headings = [
        name
        for column, more in zip(grid.columns, parts, strict=True)
        for name in (column.key, *(f"{column.key}_{part}" for part in more))
    ]
    rows = (
        [
            value
            for cell, more in zip(row.cells, parts, strict=True)
            for value in (cell.value, *(dict(cell.more).get(part) for part in more))
        ]
        for row in grid.rows
    )
    return csv_text(headings, rows)


def as_markdown(grid: Grid, *, has_caption: bool = True) -> str:
    """A pipe table as people read it, the caption below."""
    lines = [
        _markdown_row([column.heading for column in grid.columns]),
        "|" + "|".join("---" if column.is_text else "---:" for column in grid.columns) + "|",
        *(_markdown_row([cell.line for cell in row.cells]) for row in grid.rows),
    ]
    if has_caption:
        lines += ["", markdown_text(grid.caption)]
    return "\n".join(lines) + "\n"


def _markdown_row(words: Sequence[str]) -> str:
    return "| " + " | ".join(map(markdown_text, words)) + " |"


def markdown_text(text: str) -> str:
    r"""`text` in one line of Markdown, in which names mean nothing but themselves; commands stay code.

    >>> markdown_text("my|set and <b>`x`</b>, as `srlab leaderboard` shows srcnn/pixel_shuffle")
    'my\\|set and &lt;b&gt;\\`x\\`&lt;/b&gt;, as `srlab leaderboard` shows srcnn/pixel_shuffle'
    """
    parts = _COMMAND.split(" ".join(text.split()))
    parts[::2] = [_MARKDOWN.sub(r"\\\g<0>", html.escape(part, quote=False)) for part in parts[::2]]
    return "".join(parts)


def as_latex(grid: Grid, *, is_wide: bool = False) -> str:
    """A ``table`` with booktabs' rules, or a ``table*``, over both columns of a page, where it `is_wide`."""
    environment = "table*" if is_wide else "table"
    return "\n".join(
        [
            "% needs \\usepackage{booktabs}",
            rf"\begin{{{environment}}}",
            r"  \centering",
            rf"  \caption{{{latex_text(grid.caption)}}}",
            r"  \begin{tabular}{" + "".join("l" if column.is_text else "r" for column in grid.columns) + "}",
            r"    \toprule",
            _latex_row([column.heading for column in grid.columns]),
            r"    \midrule",
            *(_latex_row([cell.line for cell in row.cells]) for row in grid.rows),
            r"    \bottomrule",
            r"  \end{tabular}",
            rf"\end{{{environment}}}",
            "",
        ]
    )


def _latex_row(words: Sequence[str]) -> str:
    return "    " + " & ".join(map(latex_text, words)) + r" \\"


def latex_text(text: str) -> str:
    r"""`text` so that LaTeX prints it as it is.

    >>> latex_text("srcnn/leaky_relu: 95 % ± 1")
    'srcnn/leaky\\_relu: 95 \\% $\\pm$ 1'
    """
    return "".join(_LATEX.get(sign, sign) for sign in text)
