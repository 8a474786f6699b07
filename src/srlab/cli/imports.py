"""``srlab import``: weights that other programs made, for everything that takes a model."""

from pathlib import Path
from typing import Annotated

import typer

from srlab.cli import app
from srlab.cli.output import say, show, show_path
from srlab.errors import UserError


@app.command(name="import")
def import_(
    file: Annotated[
        Path | None,
        typer.Argument(
            help="A file of weights: .pth, .pt or .ckpt (a state_dict), .safetensors, .mat, or .h5 (Keras)."
        ),
    ] = None,
    as_: Annotated[
        str | None,
        typer.Option(
            "--as",
            help="The variant that they are for, of `srlab networks`.",
            show_default="found from the tensors",
        ),
    ] = None,
    scale: Annotated[
        int | None, typer.Option("--scale", help="2, 3 or 4.", show_default="the one that fits")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", help="The weights file to write.", show_default="FILE's name, ending in .safetensors"
        ),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a file that exists.")] = False,
    list_: Annotated[bool, typer.Option("--list", help="List the sources whose names are known.")] = False,
) -> None:
    """Turn weights of another program into a weights file of srlab.

    `upscale` and `evaluate` take the file as a model, and variants of a study can start from it. A file that
    fits a network only in part is refused. No code in a file is run.
    """
    from srlab.use.imports import import_weights
    from srlab.use.imports.maps import name_maps

    if list_:
        for names in name_maps().values():
            show(f"{names.name}: {names.about}")
        show("any other file: by the order and shapes of its tensors, with --as VARIANT")
        return
    if file is None:
        raise UserError("name a file of weights, or use --list")
    if scale not in (None, 2, 3, 4):
        raise UserError(f"--scale must be 2, 3 or 4, not {scale}")
    target = out or Path(f"{file.stem}.safetensors")
    if target.exists() and not overwrite:
        raise UserError(f"{target} exists; give another --out, or --overwrite to replace it")
    found = import_weights(file, target, variant=as_, scale=scale)
    say(f"{found.variant} x{found.scale}: {found.num_tensors} tensors, placed by {found.by}")
    for remark in found.remarks:
        say(f"note: {remark}")
    show_path(found.path)
