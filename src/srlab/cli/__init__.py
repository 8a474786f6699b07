"""The command line: each command reads its arguments, makes a library call and prints.

Nothing here imports torch; a command does when it runs, so that ``srlab --help`` answers at once.
"""

import os
import sys
from typing import Annotated

import typer

import srlab
from srlab.cli.output import messages
from srlab.errors import UserError

app = typer.Typer(
    name="srlab",
    help="Does this change make a super-resolution network better? Train the variants under one protocol "
    "and see.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"srlab {srlab.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and stop."),
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command line. Exit codes: 0; 1 unforeseen; 2 the user can set it right; 130 interrupted."""
    # OpenMP's threads spin while they wait, which starves every other process of the machine. It reads this
    # once, when torch is imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        code = app(standalone_mode=False)
    except UserError as error:
        code = _fail(str(error))
    except OSError as error:
        code = _fail(str(error))
    except (KeyboardInterrupt, typer.Abort):
        code = 130
    except Exception as error:
        if not hasattr(error, "exit_code"):
            raise
        error.show()  # type: ignore[attr-defined]  # click's own: a wrong option, a missing argument
        code = error.exit_code
    if code == 130:  # typer catches Ctrl-C itself, and only gives its code
        messages.print("srlab: interrupted", markup=False)
    sys.exit(code)


def _fail(message: str) -> int:
    messages.print(f"srlab: {message}", markup=False, soft_wrap=True)
    return 2


from srlab.cli import (  # noqa: E402, F401 - each registers its commands
    compare,
    data,
    evaluate,
    leaderboard,
    networks,
    perceptual,
    profile,
    report,
    results,
    study,
    upscale,
)
