"""``srlab report``: a study's results as one page."""

from pathlib import Path
from typing import Annotated

import typer

from srlab.cli import app
from srlab.cli.options import EqualWithin, MaxPixels, Trust, Weighed
from srlab.cli.output import print_json, results, say
from srlab.cli.results import StudyDir


@app.command()
def report(
    study_dir: StudyDir,
    out: Annotated[
        Path | None, typer.Option("--out", help="The page's file.", show_default="STUDY_DIR/report.html")
    ] = None,
    base: Annotated[
        str | None,
        typer.Option(
            "--base", help="The variant to compare the others with.", show_default="the study's first"
        ),
    ] = None,
    figures: Annotated[
        Path | None,
        typer.Option(
            "--figures",
            help="Folder to write every figure to as PNG and SVG, and every table as CSV, Markdown and "
            "LaTeX.",
            show_default=False,
        ),
    ] = None,
    weigh: Weighed = "images",
    equal_within: EqualWithin = 0.1,
    _max_pixels: MaxPixels = None,
    _trust: Trust = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object to standard output.")] = False,
) -> None:
    """Write a study's report: one HTML page that works offline and needs nothing beside it.

    Its scores, curves and costs are written beside it as CSV, for those who want to compute them again.
    """
    from srlab.files import is_stream
    from srlab.show.data_files import about_parquet
    from srlab.show.report import write_report
    from srlab.verdicts.values import as_weigh

    paths = write_report(
        study_dir, out, base=base, figures=figures, equal_within=equal_within, weigh=as_weigh(weigh)
    )
    if not is_stream(paths[0]) and (missing := about_parquet(paths[0].parent)):
        say(missing)
    if json:
        print_json({"report": str(paths[0]), "files": [str(path) for path in paths[1:]]})
    else:
        for path in paths:
            results.print(str(path), markup=False, soft_wrap=True)
