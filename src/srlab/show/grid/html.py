"""A table as HTML, and the files that it can be downloaded as."""

import base64
import re

from markupsafe import Markup, escape

from srlab.show.grid import Cell, Column, Grid
from srlab.show.grid.files import as_csv, as_latex, as_markdown

_LONG = 14  # letters: a longer heading may be broken


def as_html(grid: Grid, id_: str, *, header: int = 0) -> Markup:
    """The table; the column at the place `header` names its rows."""
    lines = [
        Markup('<p class="sideways hint" aria-hidden="true" hidden>Scroll sideways →</p>'),
        Markup('<div class="scroll" role="region" aria-label="{}" tabindex="0">').format(grid.name),
        Markup('<table class="grid" id="{}" data-sortable>').format(id_),
        Markup("<caption>{}</caption>").format(grid.title),
        Markup("<thead><tr>"),
        *map(_heading, grid.columns),
        Markup("</tr></thead>"),
        Markup("<tbody>"),
    ]
    for row in grid.rows:
        attributes = Markup() if row.variant is None else Markup(' data-variant="{}"').format(row.variant)
        attributes += Markup(' class="{}"').format(row.kind) if row.kind else ""
        lines.append(Markup("<tr{}>").format(attributes))
        for place, (column, cell) in enumerate(zip(grid.columns, row.cells, strict=True)):
            lines.append(_cell(cell, column, is_header=place == header))
        lines.append(Markup("</tr>"))
    lines.append(Markup("</tbody>\n</table>\n</div>\n"))
    return Markup("\n").join(lines)


def _heading(column: Column) -> Markup:
    is_long = len(column.heading) > _LONG
    return Markup('<th scope="col" class="{}" data-key="{}"{}{}>{}</th>').format(
        _kind(column) + (" long" if is_long else ""),
        column.key,
        Markup(" data-low-first") if column.is_low_first else "",
        _title(column.hint),
        Markup('<button type="button" class="sort">{}</button>').format(
            breakable(column.heading) if is_long else column.heading
        ),
    )


def _cell(cell: Cell, column: Column, *, is_header: bool) -> Markup:
    return Markup('<{} class="{}" data-key="{}"{}{}>{}{}</{}>').format(
        Markup('th scope="row"') if is_header else "td",
        f"{_kind(column)} {cell.tone}".strip(),
        column.key,
        Markup() if cell.value is None else Markup(' data-value="{}"').format(cell.value),
        _title(cell.hint),
        breakable(cell.text) if column.is_text else cell.text,
        Markup(" <small>{}</small>").format(cell.note) if cell.note else "",
        "th" if is_header else "td",
    )


def _kind(column: Column) -> str:
    return "text" if column.is_text else "num"


def _title(hint: str) -> Markup:
    return Markup(' title="{}"').format(hint) if hint else Markup()


def breakable(text: str) -> Markup:
    """`text` that may be broken after ``/``, ``_`` and ``,``, where a name has no space.

    >>> print(breakable("a_<b>"))
    a_<wbr>&lt;b&gt;
    """
    return Markup(re.sub(r"([/_,])", r"\1<wbr>", str(escape(text))))


def downloads(grid: Grid) -> Markup:
    """The table's files, within the page."""
    links = [
        Markup('<a download="{}.{}" href="data:{};charset=utf-8;base64,{}">{}</a>').format(
            grid.name, suffix, kind, base64.b64encode(text.encode()).decode(), label
        )
        for suffix, label, kind, text in (
            ("csv", "CSV", "text/csv", as_csv(grid)),
            ("md", "Markdown", "text/markdown", as_markdown(grid)),
            ("tex", "LaTeX", "text/x-tex", as_latex(grid)),
        )
    ]
    return Markup('<p class="downloads">Table as\n{}\n</p>\n').format(Markup(",\n").join(links))
