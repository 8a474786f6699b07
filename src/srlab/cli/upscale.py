"""``srlab upscale``: pictures enlarged by a trained network, one or a folder of them."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from srlab.cli import app
from srlab.cli.output import messages, print_json, say
from srlab.errors import UserError

if TYPE_CHECKING:
    from srlab.upscaler import Upscaler


@app.command()
def upscale(
    image: Annotated[
        Path,
        typer.Argument(metavar="IMAGE", help="A picture, or a folder of pictures.", show_default=False),
    ],
    out: Annotated[
        Path,
        typer.Argument(
            metavar="OUT",
            help="The file to write, in the format of its suffix; or a folder, for the same names.",
            show_default=False,
        ),
    ],
    model: Annotated[
        str | None,
        typer.Option(
            help="A name of `srlab models`, a run's folder, a weights file, a study's folder (its winner by "
            "validation), or bicubic.",
            show_default="the best one included for the scale",
        ),
    ] = None,
    scale: Annotated[
        int | None,
        typer.Option(help="Enlargement: 2, 3 or 4.", show_default="the network's own; without --model 2"),
    ] = None,
    tile: Annotated[
        int | None,
        typer.Option(
            min=16,
            help="Side of a tile in pixels of the picture, 16 or more. Tiles leave no seams.",
            show_default="what about 1 GiB allows",
        ),
    ] = None,
    device: Annotated[str | None, typer.Option(help="cpu, cuda, cuda:1 ...", show_default="cpu")] = None,
    precision: Annotated[
        Literal["fp32", "bf16"], typer.Option(help="bf16 is faster on some devices and a little coarser.")
    ] = "fp32",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files that exist.")] = False,
    skip_existing: Annotated[
        bool,
        typer.Option("--skip-existing", help="Of a folder, enlarge what is not there yet: goes on with it."),
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object to standard output.")] = False,
) -> None:
    """Enlarge pictures of any size in bounded memory. Alpha, gray, 16 bits and the ICC profile are kept."""
    if overwrite and skip_existing:
        raise UserError("--overwrite replaces what exists, --skip-existing leaves it; give one of them")
    jobs, skipped = _jobs(  # before torch is loaded: a wrong path is told at once
        image, out, overwrite=overwrite, skip_existing=skip_existing
    )
    there = [target for _, target in jobs if skip_existing and target.exists()]
    jobs = [(source, target) for source, target in jobs if target not in there]
    from srlab.upscaler import load

    upscaler = load(model, scale=scale, device=device, tile=tile, precision=precision)
    say(f"x{upscaler.scale} with {upscaler.source}")
    for name in skipped:
        say(f"skipped {name}: no plain file with a picture's suffix")
    if there:
        say(f"{len(there)} of {len(jobs) + len(there)} are there already and left as they are")
    if not image.is_dir():
        for source, target in jobs:
            upscaler.upscale(source, target, overwrite=overwrite)
            say(f"{source} -> {target}")
    failures = _run(jobs, upscaler, overwrite=overwrite) if image.is_dir() else {}
    if json:
        print_json(
            {
                "model": upscaler.source,
                "variant": upscaler.variant,
                "scale": upscaler.scale,
                "written": [str(target) for source, target in jobs if source not in failures],
                "existing": [str(target) for target in there],
                "failed": {str(source): message for source, message in failures.items()},
                "skipped": skipped,
            }
        )
    if failures:
        finished = any(target.exists() for source, target in jobs if source in failures)
        raise UserError(
            f"{len(failures)} of {len(jobs)} pictures were not enlarged; the reasons are above"
            + ("; --skip-existing leaves out those that are there already" if finished else "")
        )


def _jobs(
    image: Path, out: Path, *, overwrite: bool, skip_existing: bool
) -> tuple[list[tuple[Path, Path]], list[str]]:
    """Pictures to read and files to write, and what in the folder is left out."""
    from srlab.images import SUFFIXES, list_images

    if not image.exists():
        raise UserError(f"there is no picture or folder {image}")
    if not image.is_dir():
        target = out / image.name if out.is_dir() else out
        if target.suffix.lower() not in SUFFIXES:
            kind = f"the suffix {target.suffix}" if target.suffix else "no suffix"
            raise UserError(f"{target} has {kind}; the format is told by it: {' '.join(SUFFIXES)}")
        if target.exists() and not overwrite and not skip_existing:
            raise UserError(f"{target} exists; give another name, or --overwrite")
        if target.resolve() == image.resolve():
            raise UserError(f"{target} is the picture itself; give its enlargement another name")
        return [(image, target)], []
    if out.exists() and not out.is_dir():
        raise UserError(f"{image} is a folder, so {out} must be one too, and it is a file")
    if out.resolve() == image.resolve():
        raise UserError(f"{out} is the folder of the pictures itself; give their enlargements another")
    sources = list_images(image)
    chosen = {source.name for source in sources}
    others = [path.name for path in sorted(image.iterdir()) if path.name not in chosen]
    return [(source, out / source.name) for source in sources], others


def _run(jobs: list[tuple[Path, Path]], upscaler: "Upscaler", *, overwrite: bool) -> dict[Path, str]:
    """Enlarge each picture; what went wrong with which. One bad picture does not stop the others."""
    from rich.progress import track

    failures: dict[Path, str] = {}
    quiet = len(jobs) < 2 or not messages.is_terminal
    progress = track(jobs, description="upscaling", console=messages, disable=quiet, transient=True)
    for source, target in progress:
        try:
            upscaler.upscale(source, target, overwrite=overwrite)
        except (UserError, OSError, MemoryError) as error:
            message = str(error) or f"{source}: not enough memory for its pixels"
            failures[source] = message
            say(f"failed: {message}")
        else:
            say(f"{source} -> {target}")
    return failures
