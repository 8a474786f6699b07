"""``srlab export``: a trained network as a file for programs that know nothing of srlab."""

from pathlib import Path
from typing import Annotated

import typer

from srlab.cli import app
from srlab.cli.options import Trust
from srlab.cli.output import say, show_path


@app.command()
def export(
    model: Annotated[
        str,
        typer.Argument(
            help="A name of `srlab models`, a run's folder, a weights file, a study's folder (its winner by "
            "validation), or bicubic."
        ),
    ],
    out: Annotated[
        Path,
        typer.Argument(
            help="What to write: OUT.onnx, OUT.pt2 (a program of torch.export), or OUT, a folder for "
            "OpenVINO."
        ),
    ],
    scale: Annotated[
        int | None,
        typer.Option(
            help="Scale factor: 2, 3, 4 or 8, where MODEL is there for several. bicubic needs it: 2, 3 or 4.",
            show_default="the network's own",
        ),
    ] = None,
    _trust: Trust = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what exists.")] = False,
) -> None:
    """Write a trained network to a file that other programs run, without srlab.

    The file takes RGB pictures of any size, in [0, 1], and gives RGB, also of a network that works on luma.
    It is run at three sizes and compared with torch before it is there. docs/export.md shows a program that
    uses it.
    """
    from srlab.use.exports import CHECKED, check_target, export_network
    from srlab.words import duration, num_bytes

    check_target(out, overwrite=overwrite)
    done = export_network(model, out, scale=scale, overwrite=overwrite, tell=say)
    say(
        f"{num_bytes(done.bytes)}, in {duration(done.seconds)}; the worst difference from torch at "
        f"{len(CHECKED)} sizes is {done.worst:.1e} ({255 * done.worst:.4f} of 255 levels)"
    )
    show_path(done.path)
