"""``srlab publish``: studies as a static site."""

from pathlib import Path
from typing import Annotated

import typer

from srlab.cli import app
from srlab.cli.options import MaxPixels, Trust
from srlab.cli.output import print_json, say, show_path


@app.command()
def publish(
    study_dirs: Annotated[
        list[Path],
        typer.Argument(metavar="STUDY_DIR", help="Studies' folders, finished or not.", show_default=False),
    ],
    to: Annotated[
        Path,
        typer.Option("--to", metavar="FOLDER", help="Folder to write the site to.", show_default=False),
    ],
    title: Annotated[str, typer.Option("--title", help="Title of the index.")] = "Studies",
    licence: Annotated[
        str | None,
        typer.Option(
            "--licence",
            metavar="TEXT",
            help="Licence of the weights, such as CC-BY-4.0; the model cards say it.",
            show_default="none is named",
        ),
    ] = None,
    _max_pixels: MaxPixels = None,
    _trust: Trust = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object to standard output.")] = False,
) -> None:
    """Write studies as a static site: an index, reports, scores, and the winners' weights with model cards.

    Any web server shows it, GitHub Pages too, and a browser shows it from the disk. Nothing is sent anywhere.
    The same command again replaces the site by one of the studies that it names.
    """
    from srlab.show.site import write_site

    entries = write_site(study_dirs, to, title=title, licence=licence)
    for entry in entries:
        if entry.card is None:
            say(f"no weights of {entry.name}: {entry.no_model}")
    if json:
        print_json(
            {
                "site": str(to / "index.html"),
                "studies": [
                    {
                        "name": entry.name,
                        "report": str(to / entry.folder / "report.html"),
                        "model": None if entry.card is None else str(to / entry.folder / "model"),
                    }
                    for entry in entries
                ],
            }
        )
    else:
        show_path(to / "index.html")
