"""A study's numbers as files, so that anybody can compute its verdicts again. Needs no torch.

``scores.csv`` and ``scores.parquet`` have every score that counts, ``curves.csv`` what the runs logged,
``costs.csv`` what the variants cost, and ``study.json`` is the declaration. docs/files.md has the columns.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from srlab.errors import UserError
from srlab.files import write_atomically, write_bytes, write_text
from srlab.folder import store
from srlab.folder.records import RunRecord, StudyFolder
from srlab.verdicts import Cost, judge, read_score_table
from srlab.verdicts.score_files import (
    COLUMNS,
    HOW_TO_GET_PARQUET,
    as_rows,
    has_parquet,
    parquet_columns,
    to_csv,
    write_parquet,
)

SCORES, PARQUET, CURVES, COSTS = "scores.csv", "scores.parquet", "curves.csv", "costs.csv"
_CURVE_COLUMNS = ("run", "variant", "learning_rate", "seed", "step", "metric", "value")
_COST_COLUMNS = tuple(field.name for field in fields(Cost))
_OF_STUDIES = (store.CHOICE, "study.lock", store.BASELINE)  # what a study's folder has beside its study.json


def write_data(
    study: Path | StudyFolder,
    folder: Path | None = None,
    *,
    costs: Sequence[Cost] | None = None,
) -> list[Path]:
    """Write the data files of a study and return them.

    Args:
        study: a study's folder, finished or not.
        folder: where the files go; by default into that folder, which has its study.json already.
        costs: those of its verdicts, if they are known.

    Raises:
        UserError: `study` is not a study's folder, or a file of one of these names is there that srlab
            did not write.
    """
    opened = StudyFolder.of(study)
    folder = opened.path if folder is None else folder
    check_data(opened.path, folder)
    costs = judge(opened).costs if costs is None else costs
    table = read_score_table(opened)
    written = []
    for name, rows, columns in (
        (SCORES, as_rows(table), COLUMNS),
        (CURVES, _curves(opened.runs), _CURVE_COLUMNS),
        (COSTS, map(asdict, costs), _COST_COLUMNS),
    ):
        write_text(folder / name, to_csv(rows, columns))
        written.append(folder / name)
    if has_parquet():
        write_atomically(folder / PARQUET, lambda part: write_parquet(part, table))
        written.insert(1, folder / PARQUET)
    if not _is_same(folder, opened.path):
        write_bytes(folder / store.STUDY, (opened.path / store.STUDY).read_bytes())
        written.append(folder / store.STUDY)
    return written


def check_data(study_dir: Path, folder: Path) -> None:
    """Raise `UserError` if `write_data` would write over a file that is not one of its own."""
    for name, columns in ((SCORES, COLUMNS), (CURVES, _CURVE_COLUMNS), (COSTS, _COST_COLUMNS)):
        path = folder / name
        if path.exists() and not _begins_with(path, columns):
            raise _not_ours(path)
    path = folder / PARQUET
    if path.exists() and has_parquet() and parquet_columns(path) != COLUMNS:
        raise _not_ours(path)
    if not _is_same(folder, study_dir) and (folder / store.STUDY).exists():
        there = [name for name in _OF_STUDIES if (folder / name).exists()]
        if there:
            raise UserError(
                f"{folder} is the folder of another study, whose study.json would be written over; name "
                "another folder"
            )


def about_parquet(folder: Path) -> str:
    """Why there is no new Parquet file and what to do; empty where there is one."""
    if has_parquet():
        return ""
    older = f", and {folder / PARQUET} is an older one" if (folder / PARQUET).exists() else ""
    return f"no {PARQUET} was written{older}. {HOW_TO_GET_PARQUET}"


def _not_ours(path: Path) -> UserError:
    return UserError(
        f"{path} is there and was not written by srlab, so it is left as it is; move it, or name another "
        "folder"
    )


def _is_same(folder: Path, other: Path) -> bool:
    return folder.resolve() == other.resolve()


def _begins_with(path: Path, columns: Sequence[str]) -> bool:
    header = ",".join(columns).encode() + b"\n"
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(header)) == header


def _curves(runs: Sequence[RunRecord]) -> Iterator[Mapping[str, Any]]:
    """Every number that every run has logged; one that was not finite is left out."""
    for run in runs:
        for line in run.log:
            for metric, value in line.values.items():
                yield {
                    "run": run.name,
                    "variant": run.variant,
                    "learning_rate": run.learning_rate,
                    "seed": run.seed,
                    "step": line.step,
                    "metric": metric,
                    "value": value,
                }
