"""A table once: `files` writes it as CSV, Markdown and LaTeX, `html` for a page, `terminal` for a command.

`srlab.show.tables` makes the tables.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

Tone = Literal["", "better", "worse", "equal", "dim", "warning", "chosen"]


@dataclass(frozen=True, kw_only=True)
class Cell:
    """What is read, and the value behind it, unrounded: by it the page sorts, and it goes into CSV.

    `note` is a second, smaller line, such as an interval; `brief` stands in its place where there is little
    room. `hint` explains. `more` is what else CSV has of it: a part of a column's name, and a value.
    """

    text: str
    value: float | str | None = None
    note: str = ""
    brief: str = ""
    hint: str = ""
    tone: Tone = ""
    more: tuple[tuple[str, float | None], ...] = ()

    @property
    def line(self) -> str:
        """Text and note in one line; a note in words, which is no interval or spread, in parentheses."""
        return _line(self.text, self.note)

    @property
    def brief_line(self) -> str:
        """The same where there is little room."""
        return _line(self.text, self.brief or self.note)


def _line(text: str, note: str) -> str:
    return f"{text} ({note})" if note[:1].isalnum() else f"{text} {note}".strip()


@dataclass(frozen=True, kw_only=True)
class Column:
    """`key` names the column in CSV; `is_low_first` where sorting begins with the smallest.

    Of `group` are the columns that make a table of their own where the whole is too wide: a test set's, say.
    There a column's heading is `short`. In a terminal `is_name` gets shorter in its middle, and if there is
    `is_prose`, only this breaks its lines.
    """

    key: str
    heading: str
    short: str = ""
    group: str = ""
    hint: str = ""
    is_text: bool = False
    is_low_first: bool = False
    is_name: bool = False
    is_prose: bool = False


@dataclass(frozen=True, kw_only=True)
class GridRow:
    """`variant` is its place in the study, None if it is not a variant.

    `kind` is ``bicubic``, ``base``, or ``mean`` of the rows above.
    """

    cells: tuple[Cell, ...]
    variant: int | None = None
    kind: str = ""


@dataclass(frozen=True, kw_only=True)
class Grid:
    """A table. `name` is a file's, `title` says what it is, `note` how to read it, in whole sentences."""

    name: str
    title: str = ""
    note: str = ""
    columns: tuple[Column, ...]
    rows: tuple[GridRow, ...]

    @property
    def caption(self) -> str:
        """All that is needed to read the table alone, in a file."""
        title = self.title if not self.title or self.title[-1] in ".?!" else f"{self.title}."
        return f"{title} {self.note}".strip()

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row.cells) != len(self.columns):
                raise ValueError(f"{self.name}: {len(row.cells)} cells for {len(self.columns)} columns")

    @classmethod
    def of_texts(cls, name: str, columns: Sequence[Column], rows: Iterable[Sequence[str]]) -> "Grid":
        """A table of which nothing but what is read is known."""
        return cls(
            name=name,
            columns=tuple(columns),
            rows=tuple(GridRow(cells=tuple(Cell(text=text) for text in row)) for row in rows),
        )

    @property
    def groups(self) -> list[str]:
        """Those of its columns, each once."""
        return [group for group in dict.fromkeys(column.group for column in self.columns) if group]

    def has(self, key: str) -> bool:
        """Whether there is a column of this key."""
        return any(column.key == key for column in self.columns)

    def column(self, key: str) -> list[Cell]:
        """The cells under a heading."""
        (place,) = (place for place, column in enumerate(self.columns) if column.key == key)
        return [row.cells[place] for row in self.rows]

    def without(self, keys: Collection[str]) -> "Grid":
        """The table without some of its columns."""
        return self._with([place for place, column in enumerate(self.columns) if column.key not in keys])

    def only(self, keys: Sequence[str]) -> "Grid":
        """The table with these columns alone, in this order."""
        places = [column.key for column in self.columns]
        return self._with([places.index(key) for key in keys])

    def of_group(self, group: str) -> "Grid":
        """A narrow table: the names with the columns of a group; of none ("") with those in no group."""
        grid = self._with(
            [
                place
                for place, column in enumerate(self.columns)
                if column.group == group or (column.is_name and group)
            ]
        )
        columns = tuple(replace(column, heading=column.short or column.heading) for column in grid.columns)
        return replace(grid, title=group, columns=columns)

    def _with(self, places: Sequence[int]) -> "Grid":
        return replace(
            self,
            columns=tuple(self.columns[place] for place in places),
            rows=tuple(replace(row, cells=tuple(row.cells[place] for place in places)) for row in self.rows),
        )
