"""``srlab scores``: a study's numbers as CSV and Parquet."""

from pathlib import Path
from typing import Annotated

import typer

from srlab.cli import app
from srlab.cli.output import print_json, say, show_path
from srlab.cli.results import StudyDir


@app.command()
def scores(
    study_dir: StudyDir,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="The folder that the files go to.", show_default="the study's folder"),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object to standard output.")
    ] = False,
) -> None:
    """Write every score, curve and cost of a study as CSV, so that anybody can compute its verdicts again.

    `srlab verdict` reads scores.csv. With the package pyarrow, the scores are written as Parquet too.
    """
    from srlab.errors import UserError
    from srlab.show.data_files import about_parquet, write_data

    if out is not None and out.exists() and not out.is_dir():
        raise UserError(f"--out: {out} is a file; name a folder")
    paths = write_data(study_dir, out)
    if as_json:
        print_json({"files": [str(path) for path in paths]})
    else:
        for path in paths:
            show_path(path)
    if missing := about_parquet(out or study_dir):
        say(missing)
