"""The command line: each command reads its arguments, makes a library call and prints.

Nothing here imports torch; a command does when it runs, so that ``srlab --help`` answers at once.
"""

import os
import re
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

import srlab
from srlab.cli.examples import as_epilog
from srlab.cli.output import messages, say
from srlab.errors import UserError

ORDER = (  # in which one comes to need them; the help lists them so
    "data",
    "networks",
    "study",
    "train",
    "leaderboard",
    "compare",
    "report",
    "scores",
    "verdict",
    "pictures",
    "tensorboard",
    "perceptual",
    "profile",
    "evaluate",
    "reproduce",
    "models",
    "import",
    "export",
    "upscale",
    "serve",
    "publish",
)


class WithExamples(TyperGroup):
    """A group of commands: the help of each, and its own, ends with examples.

    Each paragraph of a help becomes one line: of the others than the first, typer keeps the line breaks.
    """

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        command = super().get_command(ctx, cmd_name)
        if command is not None:
            within = ctx.command_path.partition(" ")[2]
            command.epilog = as_epilog(f"{within} {cmd_name}".strip())
            paragraphs = (command.help or "").split("\n\n")
            command.help = "\n\n".join(" ".join(one.split()) for one in paragraphs)
        return command


class InOrder(WithExamples):
    """Commands listed in the order of `ORDER`. An empty argument is refused for all of them.

    An unset shell variable gives one, and an empty path would mean the current folder.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        for before, word in zip(["", *args], args, strict=False):
            if not ctx.resilient_parsing and (word == "" or re.fullmatch(r"--[a-z-]+=", word)):
                option = word.removesuffix("=") or before
                what = f"what comes after {option}" if option.startswith("-") else "one of the arguments"
                raise UserError(f"{what} is empty: give a value, or leave it out")
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: Any) -> list[str]:
        known = {name: place for place, name in enumerate(ORDER)}
        return sorted(super().list_commands(ctx), key=lambda name: known.get(name, len(known)))


app = typer.Typer(
    name="srlab",
    cls=InOrder,
    help="Does this change make a super-resolution network better? Train the variants under one protocol "
    "and see.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=as_epilog(""),
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
        with _terminated_is_interrupted():
            code = app(prog_name="srlab", standalone_mode=False)
    except UserError as error:
        code = _fail(str(error))
    except OSError as error:
        from srlab.lab.scheduler import explain

        code = _fail(explain(error))
    except (KeyboardInterrupt, typer.Abort):
        code = 130
    except Exception as error:
        if not hasattr(error, "exit_code"):
            raise
        code = _fail_usage(error)  # click's own: a wrong option, a missing argument
    if code == 130:  # typer catches Ctrl-C itself, and only gives its code
        messages.print("srlab: interrupted", markup=False)
    sys.exit(code)


@contextmanager
def _terminated_is_interrupted() -> Iterator[None]:
    """SIGTERM ends a command as Ctrl-C does, so that it puts away what it has begun."""

    def interrupt(_signal: int, _frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _fail_usage(error: Any) -> int:
    """One line for what is wrong with the command, and where to read how it goes."""
    if type(error).__name__ == "NoArgsIsHelpError":  # no fault: the help is the answer
        error.show()
        return int(error.exit_code)
    message = " ".join(error.format_message().split())
    if message[1:2].islower():
        message = message[0].lower() + message[1:]
    command = error.ctx.command_path if getattr(error, "ctx", None) else "srlab"
    _fail(f"{message.rstrip('.')}{'' if message.endswith('?') else ';'} see `{command} --help`")
    return int(error.exit_code)


def _fail(message: str) -> int:
    say(f"srlab: {message}")
    return 2


from srlab.cli import (  # noqa: E402, F401 - each registers its commands
    compare,
    data,
    evaluate,
    exports,
    imports,
    leaderboard,
    models,
    networks,
    perceptual,
    profile,
    publish,
    report,
    reproduce,
    results,
    scores,
    serve,
    study,
    train,
    upscale,
    verdict,
)
