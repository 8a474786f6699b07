"""Scores as a CSV file or a Parquet file, one row for each: written by srlab, read from anybody.

The numbers are written in full, so a file gives the same verdict as the study, to the last digit.
"""

import csv
import gzip
import io
import math
import re
import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from srlab.errors import UserError
from srlab.verdicts.cells import Cells
from srlab.verdicts.options import Options
from srlab.verdicts.score_table import ScoreTable
from srlab.verdicts.values import BICUBIC, NO_METRIC

COLUMNS = (
    "study",
    "variant",
    "options",
    "learning_rate",
    "seed",
    "set",
    "image",
    "metric",
    "protocol",
    "value",
)
NEEDED = ("variant", "seed", "image", "value")
NO_SET = "test"  # the name of the test set, and of the metric below, where the file names none
HOW_TO_GET_PARQUET = "Parquet needs the package pyarrow: python -m pip install pyarrow"

Row = dict[str, str | float | int | None]


def as_rows(table: ScoreTable) -> Iterator[Row]:
    """A row for each score: bicubic first, then the variants in their order."""
    sets = table.cells.test_sets
    for variant in (BICUBIC, *table.variants):
        options = _options_as_text(table.options.get(variant, {}))
        for seed, by_image in sorted(table.cells.scores.get(variant, {}).items()):
            there = sorted(by_image, key=lambda key: (list(sets).index(key[0]), key[1]))
            for test_set, metric in there:
                for image, value in zip(sets[test_set], by_image[test_set, metric], strict=True):
                    yield {
                        "study": table.study,
                        "variant": variant,
                        "options": options,
                        "learning_rate": table.rates.get(variant),
                        "seed": None if variant == BICUBIC else seed,
                        "set": test_set,
                        "image": image,
                        "metric": metric,
                        "protocol": table.protocol,
                        "value": float(value),
                    }


def _options_as_text(options: Options) -> str:
    r"""As one cell: what parts them is escaped where a value has it.

    >>> _options_as_text({"activation": "prelu:0.25", "skip": "a;b"})
    'activation=prelu:0.25; skip=a\\;b'
    """
    return "; ".join(f"{name}={value}".replace(";", r"\;") for name, value in options.items())


def _options_of_text(text: str) -> dict[str, str]:
    r"""The other way round; spaces do not matter.

    >>> _options_of_text("activation=prelu:0.25;skip = a\\;b")
    {'activation': 'prelu:0.25', 'skip': 'a;b'}
    """
    parts = [part.replace(r"\;", ";") for part in re.split(r"(?<!\\);", text) if part.strip()]
    pairs = [part.partition("=") for part in parts]
    if any(not equals or not name.strip() for name, equals, _ in pairs):
        raise ValueError
    return {name.strip(): value.strip() for name, _, value in pairs}


def to_csv(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> str:
    """Rows as CSV: numbers in full, nothing for None, ``inf`` for infinity."""
    return csv_text(columns, ([row[column] for column in columns] for row in rows))


def csv_text(headings: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """The same of values in the order of the headings."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(headings)
    writer.writerows(rows)
    return text.getvalue()


def has_parquet() -> bool:
    """Whether the package that reads and writes Parquet is there."""
    return _pyarrow() is not None


def _pyarrow() -> Any:
    """The package, which is large and so the user's choice; None without it."""
    try:
        import pyarrow.parquet  # type: ignore[import-not-found, import-untyped, unused-ignore]
    except ImportError:
        return None
    return pyarrow


def write_parquet(path: Path, table: ScoreTable) -> None:
    """The rows of ``scores.csv`` as Parquet."""
    pyarrow = _pyarrow()
    kinds = {"learning_rate": pyarrow.float64(), "seed": pyarrow.int64(), "value": pyarrow.float64()}
    schema = pyarrow.schema([(name, kinds.get(name, pyarrow.string())) for name in COLUMNS])
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(list(as_rows(table)), schema=schema), path)


def parquet_columns(path: Path) -> tuple[str, ...]:
    """The names of a Parquet file's columns; none of another file."""
    pyarrow = _pyarrow()
    try:
        return tuple(pyarrow.parquet.read_schema(path).names)
    except (pyarrow.ArrowException, OSError):
        return ()


def read_scores(
    path: Path, *, columns: Mapping[str, str] | None = None, metric: str | None = None
) -> ScoreTable:
    """The scores in a CSV or Parquet file of any tool.

    Args:
        path: its columns are found by their names in `COLUMNS`, whatever their case; those in `NEEDED` must
            be there. Rows of the variant "bicubic" are of no training and need no seed.
        columns: for a column of `COLUMNS` the name that it has in the file.
        metric: what the values are, if the file has no column for it; by default the name that `columns` has
            for the values.

    Raises:
        UserError: the file cannot be read, lacks a column, or a row of it is wrong. The message names the
            row; the header is row 1.
    """
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "does not exist"
        raise UserError(f"{path} {what}; name a file with scores, such as scores.csv of `srlab scores`")
    lines = _parquet_lines(path) if path.suffix.lower() == ".parquet" else _csv_lines(path)
    header = next(lines, (1, []))[1]
    if not any(header):
        raise UserError(f"{path} is empty; it needs a row of column names, then a row for each score")
    places = _places(path, header, columns or {})
    found = _Gathered(path=path, no_metric=metric or (columns or {}).get("value", NO_METRIC))
    for number, cells in lines:
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != len(header):
            found.refuse(number, f"it has {len(cells)} cells, and the header has {len(header)}")
        found.add(number, {name: cells[place].strip() for name, place in places.items()})
    return found.table()


_GZIP = b"\x1f\x8b"


def _csv_lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Each row with its number. Columns are parted by whatever of ``, ; tab`` the header has most.

    The file may be compressed by gzip, whatever its name is.
    """
    content = path.read_bytes()
    if content.startswith(_GZIP):
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError, zlib.error) as error:
            raise UserError(f"{path} is damaged: it begins as a file of gzip ({error})") from error
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise UserError(f"{path} is not a CSV file: it is not text in UTF-8")
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    number = 0
    try:
        for number, cells in enumerate(csv.reader(io.StringIO(text), delimiter=delimiter, strict=True), 1):
            yield number, cells
    except csv.Error as error:
        raise UserError(f"{path} is not a CSV file: row {number + 1}: {error}") from error


def _parquet_lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    pyarrow = _pyarrow()
    if pyarrow is None:
        raise UserError(f"{path} cannot be read. {HOW_TO_GET_PARQUET}")
    try:
        table = pyarrow.parquet.read_table(path)
    except (pyarrow.ArrowException, OSError) as error:
        raise UserError(f"{path} is not a Parquet file: {' '.join(str(error).split())}") from error
    yield 1, list(map(str, table.column_names))
    by_column = [column.to_pylist() for column in table.columns]
    for number, values in enumerate(zip(*by_column, strict=True), 2):
        yield number, ["" if value is None else str(value) for value in values]


def _places(path: Path, header: Sequence[str], columns: Mapping[str, str]) -> dict[str, int]:
    """For each known column where it stands in the file."""
    for name in columns:
        if name not in COLUMNS:
            raise UserError(f"there is no column {name!r} to be named; the columns are {', '.join(COLUMNS)}")
    names = [name.strip().lower() for name in header]
    places = {}
    for name in COLUMNS:
        wanted = columns.get(name, name)
        at = [place for place, found in enumerate(names) if found == wanted.strip().lower()]
        if len(at) > 1:
            raise UserError(f"{path} has {len(at)} columns that are called {wanted}; it needs one")
        if at:
            places[name] = at[0]
        elif name in columns:
            raise UserError(f"{path} has no column {wanted}; it has {_shown(header)}")
    if missing := [name for name in NEEDED if name not in places]:
        raise UserError(
            f"{path} has no column {' or '.join(missing)}; it needs {', '.join(NEEDED)}, and has "
            f"{_shown(header)}. If another column is meant: --column {missing[0]}=NAME"
        )
    return places


def _shown(header: Sequence[str]) -> str:
    text = ", ".join(name.strip() or "(no name)" for name in header)
    return text if len(text) <= 100 else f"{text[:100]}..."


_Key = tuple[str, int, str, str]  # variant, seed, test set, metric


@dataclass
class _Gathered:
    """What the rows up to now have come to; each refuses what does not go with those before it."""

    path: Path
    no_metric: str
    studies: dict[str, None] = field(default_factory=dict)
    protocol: tuple[str, int] | None = None  # with the row that has it
    options: dict[str, tuple[Options, int]] = field(default_factory=dict)
    rates: dict[str, tuple[float | None, int]] = field(default_factory=dict)
    images: dict[str, dict[str, int]] = field(default_factory=dict)  # by test set, with the first row
    values: dict[_Key, dict[str, tuple[float, int]]] = field(default_factory=dict)

    def refuse(self, number: int, what: str) -> NoReturn:
        raise UserError(f"{self.path}, row {number}: {what}")

    def add(self, number: int, row: Mapping[str, str]) -> None:
        """A row that has a number; cells that the file does not have are absent."""
        for name in ("variant", "image", "value"):
            if not row[name]:
                self.refuse(number, f"{name} is empty; fill it in, or leave the row out")
        variant = BICUBIC if row["variant"].lower() == BICUBIC else row["variant"]
        is_trained = variant != BICUBIC
        if is_trained and not row["seed"]:
            self.refuse(number, "seed is empty; only bicubic has none")
        seed = self._seed(number, row["seed"]) if is_trained else 0
        value = self._value(number, row["value"])
        if row.get("study"):
            self.studies[row["study"]] = None
        self._same_protocol(number, row.get("protocol", ""))
        if is_trained:
            self._same_rate(number, variant, row.get("learning_rate", ""))
            self._same_options(number, variant, row.get("options", ""))
        test_set, metric = row.get("set") or NO_SET, row.get("metric") or self.no_metric
        self.images.setdefault(test_set, {}).setdefault(row["image"], number)
        there = self.values.setdefault((variant, seed, test_set, metric), {})
        if row["image"] in there:
            before, at = there[row["image"]]
            if is_trained:
                self.refuse(
                    number,
                    f"{metric} of image {row['image']!r} by {variant}, seed {seed}, is there twice; row {at} "
                    "has it too",
                )
            if before != value:
                self.refuse(
                    number,
                    f"bicubic has {value!r} for image {row['image']!r}, and {before!r} in row {at}; it is "
                    "not trained, so it has one value",
                )
        else:
            there[row["image"]] = value, number

    def _seed(self, number: int, text: str) -> int:
        try:
            seed = float(text)
            if not seed.is_integer():
                raise ValueError
        except (ValueError, OverflowError):
            self.refuse(number, f"seed is {text!r}; it must be a whole number, one for each training")
        return int(seed)

    def _value(self, number: int, text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            hint = "; write it with a point" if re.fullmatch(r"-?\d+,\d+", text) else ""
            self.refuse(number, f"value is {text!r}, which is not a number{hint}")
        if math.isnan(value) or value == -math.inf:
            self.refuse(number, f"value is {text}, which is no score; leave the row out")
        return value

    def _same_protocol(self, number: int, protocol: str) -> None:
        if self.protocol is None:
            self.protocol = protocol, number
        elif self.protocol[0] != protocol:
            before, at = self.protocol
            self.refuse(
                number,
                f"the protocol is {protocol!r}, and {before!r} in row {at}; scores of two protocols "
                "cannot be compared, so keep one",
            )

    def _same_rate(self, number: int, variant: str, text: str) -> None:
        try:
            rate = float(text) if text else None
        except ValueError:
            self.refuse(number, f"learning_rate is {text!r}, which is not a number")
        before, at = self.rates.setdefault(variant, (rate, number))
        if before != rate:
            self.refuse(
                number,
                f"{variant} has the learning rate {text or 'none'}, and {before or 'none'} in row {at}; keep "
                "the rows of one rate of each variant, chosen without the test images",
            )

    def _same_options(self, number: int, variant: str, text: str) -> None:
        try:
            options = _options_of_text(text)
        except ValueError:
            self.refuse(number, f"options are {text!r}; they are written as activation=relu; skip=none")
        before, at = self.options.setdefault(variant, (options, number))
        if before != options:
            self.refuse(number, f"{variant} has other options than in row {at}; give it two names, or one")

    def table(self) -> ScoreTable:
        """All of it; a `UserError` if an image is missing, or there is nothing to judge."""
        variants = tuple(self.rates)
        if not variants:
            rows = "only rows of bicubic" if self.values else "no row of scores"
            raise UserError(f"{self.path} has {rows}; a verdict needs at least one variant")
        for key, there in self.values.items():
            self._all_images(key, there)
        scores: dict[str, dict[int, dict[tuple[str, str], Any]]] = {}
        for (variant, seed, test_set, metric), there in self.values.items():
            scores.setdefault(variant, {}).setdefault(seed, {})[test_set, metric] = np.array(
                [there[image][0] for image in self.images[test_set]]
            )
        return ScoreTable(
            study=" and ".join(self.studies) or self.path.stem,
            protocol=self.protocol[0] if self.protocol else "",
            variants=variants,
            options={variant: options for variant, (options, _) in self.options.items()},
            rates={variant: rate for variant, (rate, _) in self.rates.items()},
            cells=Cells(
                test_sets={name: tuple(images) for name, images in self.images.items()}, scores=scores
            ),
        )

    def _all_images(self, key: _Key, there: Collection[str]) -> None:
        variant, seed, test_set, metric = key
        for image, number in self.images[test_set].items():
            if image not in there:
                who = variant if variant == BICUBIC else f"{variant}, seed {seed},"
                self.refuse(
                    number,
                    f"image {image!r} of {test_set} is here, and {who} has no {metric} of it; every "
                    "variant and seed needs every image of a set",
                )
