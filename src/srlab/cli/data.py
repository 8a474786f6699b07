"""``srlab data list | get | add``: the data sets that are known by name."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from srlab.cli import WithExamples, app
from srlab.cli.options import MaxPixels
from srlab.cli.output import messages, print_json, say, show, show_grid, show_path

if TYPE_CHECKING:
    from srlab.data.download import Progress

data = typer.Typer(
    name="data",
    cls=WithExamples,
    help="List the data sets that srlab knows by name, fetch one, or add your own copy of one.",
    no_args_is_help=True,
)
app.add_typer(data)


@data.command("list")
def list_sets(
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object to standard output.")
    ] = False,
) -> None:
    """List the data sets and weights, whether they are there, where, and under which terms."""
    from srlab.data.catalogue import CATALOGUE, data_folder
    from srlab.data.weights import WEIGHTS

    rows = [_describe(name) for name in CATALOGUE]
    weights = [_describe_weights(name) for name in WEIGHTS]
    if as_json:
        print_json({"folder": str(data_folder()), "sets": rows, "weights": weights})
        return
    from srlab.show.grid import Column, Grid
    from srlab.words import num_bytes

    def columns(*keys: str) -> list[Column]:
        return [Column(key=key, heading=key, is_text=key != "images") for key in keys]

    def there(row: dict[str, Any]) -> str:
        return "yes" if row["present"] else "no"

    sets = (
        (row["name"], str(row["images"]), there(row), _size(row), row["about"], row["terms"]) for row in rows
    )
    show_grid(Grid.of_texts("sets", columns("set", "images", "there", "download", "what", "terms"), sets))
    files = (
        (row["name"], there(row), num_bytes(row["download_bytes"]), row["about"], row["terms"])
        for row in weights
    )
    show("")
    show_grid(Grid.of_texts("weights", columns("weights", "there", "download", "what", "terms"), files))
    say(f"They lie in {data_folder()} ($SRLAB_DATA chooses another folder).")


@data.command()
def get(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="A data set or a weights file that `srlab data list` shows.")
    ],
) -> None:
    """Fetch a data set or weights. After an interruption, the same command continues."""
    from srlab.data.library import get as fetch
    from srlab.data.weights import WEIGHTS, get_weights

    if name in WEIGHTS:
        with _bar(name) as progress:
            path = get_weights(name, report=say, progress=progress)
        show_path(path)
        return
    with _bar(name) as progress:
        folders = fetch(name, report=say, progress=progress)
    for folder in folders:
        show_path(folder)


@data.command()
def add(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="The name of the data set or weights in `srlab data list`.")
    ],
    source: Annotated[
        Path,
        typer.Argument(
            metavar="SOURCE", help="A folder with the set's pictures, or a weights file. srlab copies it."
        ),
    ],
    _max_pixels: MaxPixels = None,
) -> None:
    """Copy a data set or weights that you have to where srlab looks for them."""
    from srlab.data.library import add as copy
    from srlab.data.weights import WEIGHTS, add_weights

    if name in WEIGHTS:
        show_path(add_weights(name, source, report=say))
        return
    show_path(copy(name, source, report=say))


def _describe(name: str) -> dict[str, Any]:
    from srlab.data.catalogue import CATALOGUE, is_present, set_folder

    known = CATALOGUE[name]
    first = known.mirrors[0] if known.mirrors else None
    has_folder = not known.parts and name != "sample"
    return {
        "name": name,
        "about": known.about,
        "images": known.num_images,
        "present": is_present(name),
        "folder": str(set_folder(name)) if has_folder else None,
        "parts": list(known.parts),
        "terms": known.terms,
        "homepage": known.homepage,
        "download_bytes": first.size if first else None,
        "checksum": first.checksum if first else None,
        "urls": [mirror.url for mirror in known.mirrors],
    }


def _describe_weights(name: str) -> dict[str, Any]:
    from srlab.data.weights import WEIGHTS, weights_file

    known, path = WEIGHTS[name], weights_file(name)
    return {
        "name": name,
        "about": known.about,
        "present": path.is_file(),
        "file": str(path),
        "terms": known.terms,
        "homepage": known.homepage,
        "download_bytes": known.size,
        "checksum": f"sha256:{known.sha256}",
        "urls": list(known.urls),
    }


def _size(row: dict[str, Any]) -> str:
    if row["parts"]:
        return "its parts"
    if not row["urls"]:
        return "none needed" if row["present"] else "on request"
    from srlab.words import num_bytes

    size = row["download_bytes"]
    return "size unknown" if size is None else num_bytes(size)


@contextmanager
def _bar(name: str) -> Iterator["Progress"]:
    """A progress bar on standard error, from the first byte to the last."""
    from rich.progress import BarColumn, DownloadColumn, TimeRemainingColumn, TransferSpeedColumn
    from rich.progress import Progress as Bar

    columns = (
        "{task.description}",
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    bar = Bar(*columns, console=messages, transient=True)
    task = bar.add_task(name, total=None)

    def progress(done: int, total: int | None) -> None:
        if not bar.live.is_started and messages.is_terminal:
            bar.start()
        bar.update(task, completed=done, total=total)

    try:
        yield progress
    finally:
        if bar.live.is_started:
            bar.stop()
