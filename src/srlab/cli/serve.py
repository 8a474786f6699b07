"""``srlab serve``: a page to try networks on, and to watch studies."""

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from srlab.cli import app
from srlab.cli.options import AnyDevice, Trust
from srlab.cli.output import say
from srlab.errors import UserError

_PACKAGES = ("starlette", "uvicorn", "python_multipart")


@app.command()
def serve(
    study_dirs: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="STUDY_DIR",
            help="Studies' folders, finished or not: their variants can be chosen, and their leaderboards "
            "watched.",
            show_default=False,
        ),
    ] = None,
    host: Annotated[
        str,
        typer.Option(
            "--host",
            help="Address to listen on. With any other than this machine's own, visitors need a token.",
        ),
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="Port to use; 0 takes any free port.")
    ] = 8000,
    token: Annotated[
        str | None,
        typer.Option(
            "--token",
            envvar="SRLAB_TOKEN",
            show_envvar=False,
            help="Word that visitors need, 16 signs or more. SRLAB_TOKEN sets it too, unseen in lists of "
            "processes.",
            show_default="none on this machine's own address; else one is made and printed",
        ),
    ] = None,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(
            "--allow-host",
            metavar="NAME",
            help="Another name that leads here, such as that of a proxy; repeatable.",
            show_default="the machine's own names",
        ),
    ] = None,
    max_pixels: Annotated[
        int, typer.Option("--max-pixels", min=1, help="Largest number of pixels that a picture may have.")
    ] = 4_000_000,
    max_megabytes: Annotated[
        int, typer.Option("--max-megabytes", min=1, help="Largest file that is taken, in MB.")
    ] = 64,
    max_seconds: Annotated[
        float, typer.Option("--max-seconds", min=1, help="Longest time that a picture may take.")
    ] = 600,
    queue: Annotated[int, typer.Option("--queue", min=1, help="Number of pictures that may wait.")] = 32,
    _trust: Trust = None,
    device: AnyDevice = "auto",
) -> None:
    """Serve a page to try networks on your pictures, and to watch studies; Ctrl-C ends it.

    Drop a picture, choose networks, and see them beside bicubic: with a slider, and zoomed together. A study
    has its leaderboard and its report there while it runs. Nothing is loaded from elsewhere.
    """
    missing = [name for name in _PACKAGES if find_spec(name) is None]
    if missing:
        raise UserError(
            f"srlab serve needs the packages starlette, uvicorn and python-multipart, and "
            f"{', '.join(missing)} is missing; install them: pip install starlette uvicorn python-multipart "
            "(in a clone of srlab: pip install '.[web]')"
        )
    from srlab.cli.parsing import parse_device
    from srlab.serve.limits import Limits
    from srlab.serve.running import ready

    if device != "auto":
        parse_device(device)  # a wrong one is told now; the process that works looks for itself
    with ready(
        study_dirs or [],
        host=host,
        port=port,
        token=token,
        names=allow_host or [],
        limits=Limits(
            max_pixels=max_pixels, max_bytes=max_megabytes * 1_000_000, max_seconds=max_seconds, queue=queue
        ),
        device=device,
        tell=say,
    ) as server:
        say(f"srlab serve is at {server.address} (Ctrl-C ends it)")
        server.run()
