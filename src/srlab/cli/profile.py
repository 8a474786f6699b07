"""``srlab profile``: what each variant costs, measured here."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from srlab.cli import app
from srlab.cli.options import Trust
from srlab.cli.output import messages, print_json
from srlab.cli.parsing import of_option, parse_device
from srlab.errors import UserError

if TYPE_CHECKING:
    from srlab.folder.profile_store import Profile, Setting, Size
    from srlab.use.profiling.measuring import Listener
    from srlab.use.profiling.targets import Target


@app.command()
def profile(
    what: Annotated[
        str,
        typer.Argument(
            metavar="WHAT",
            help="A study's folder (all its variants), a run's folder, a weights file, or a variant such as "
            "edsr/baseline.",
            show_default=False,
        ),
    ],
    scale: Annotated[
        int | None,
        typer.Option(
            help="Scale factor, for a variant: 2, 3 or 4.",
            show_default="the variant's only one, or the study's",
        ),
    ] = None,
    device: Annotated[
        str | None, typer.Option(help="auto (a GPU if there is one), cpu, cuda, cuda:1.", show_default="auto")
    ] = None,
    threads: Annotated[
        int | None, typer.Option(min=1, max=1024, help="Number of CPU threads.", show_default="all")
    ] = None,
    precision: Annotated[
        Literal["fp32", "bf16"] | None,
        typer.Option(help="Precision of enlarging: fp32 or bf16.", show_default="fp32"),
    ] = None,
    size: Annotated[
        list[str] | None,
        typer.Option(
            metavar="WxH",
            help="Size of an SR picture to time, WIDTHxHEIGHT; repeatable.",
            show_default="1280x720, 320x180",
        ),
    ] = None,
    limit: Annotated[
        float | None,
        typer.Option(
            min=0.001,
            help="Limit in seconds; a pass that takes longer is timed only once.",
            show_default="20",
        ),
    ] = None,
    again: Annotated[bool, typer.Option("--again", help="Measure again, also what is stored.")] = False,
    _trust: Trust = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object to standard output.")
    ] = False,
) -> None:
    """Measure what variants cost: parameters, multiply-adds, latency, memory, training step.

    A study keeps its numbers. Without options, the command shows those that it has, and measures nothing.
    """
    from srlab.folder import store
    from srlab.folder.profile_store import load_profiles

    sizes = None if size is None else tuple(map(_parse_size, size))
    asks = (device, threads, precision, sizes, limit)
    if store.is_study(Path(what)) and not again and asks == (None,) * len(asks):
        if scale not in (None, study_scale := store.load_study(Path(what)).scale):
            raise UserError(f"{what} enlarges by {study_scale}, not by {scale}; leave the scale out")
        if stored := load_profiles(Path(what)):
            _show(Path(what), stored, as_json=as_json)
            return
    _measure(
        what,
        scale=scale,
        device=device,
        threads=threads,
        precision=precision or "fp32",
        sizes=sizes,
        limit=limit,
        again=again,
        as_json=as_json,
    )


def _measure(
    what: str,
    *,
    scale: int | None,
    device: str | None,
    threads: int | None,
    precision: Literal["fp32", "bf16"],
    sizes: "tuple[Size, ...] | None",
    limit: float | None,
    again: bool,
    as_json: bool,
) -> None:
    from srlab.folder.profile_store import add_profile, load_profiles
    from srlab.training.device import default_threads
    from srlab.training.machine import Machine
    from srlab.use.profiling.measuring import LIMIT, SIZES, check_size, profile, setting
    from srlab.use.profiling.targets import find_target

    target = find_target(what, scale=scale)
    with of_option("--size"):
        for size in sizes or ():
            check_size(size, scale=target.study.scale)
    machine = Machine(device=str(parse_device(device)), threads=threads or default_threads())
    here = setting(machine, precision=precision)
    if target.folder is not None and not again:
        for stored in load_profiles(target.folder):
            if stored.setting == here and set(sizes or ()) <= set(stored.sizes):
                _show(target.folder, [stored], as_json=as_json)
                return
    with _Bar(target, here) as bar:
        found = profile(
            target,
            machine,
            sizes=sizes or SIZES,
            precision=precision,
            limit=limit or LIMIT,
            listener=bar.listener,
        )
    if target.folder is not None:
        add_profile(target.folder, found)
    _show(target.folder, [found], as_json=as_json, title=target.title)


def _show(
    folder: Path | None, profiles: "list[Profile] | tuple[Profile, ...]", *, as_json: bool, title: str = ""
) -> None:
    from srlab.cli.profile_tables import as_json_values, show_profiles

    if as_json:
        print_json(as_json_values(folder, profiles))
    else:
        show_profiles(folder, profiles, title=title)


class _Bar:
    """What will be measured, then a bar; on standard error."""

    def __init__(self, target: "Target", here: "Setting") -> None:
        from rich.progress import Progress

        self._target = target
        self._here = here
        self._progress = Progress(console=messages, transient=True, disable=not messages.is_terminal)
        self._task = self._progress.add_task("", total=None)

    def __enter__(self) -> "_Bar":
        self._progress.start()
        return self

    def __exit__(self, kind: object, value: object, trace: object) -> None:
        self._progress.stop()

    @property
    def listener(self) -> "Listener":
        from srlab.use.profiling.measuring import Listener
        from srlab.words import duration, plural

        def begin(forecast: Any) -> None:
            kept = f"; it goes to {self._target.folder}" if self._target.folder else ""
            messages.print(
                f"{self._target.title}: {plural(forecast.variants - 1, 'variant')} and bicubic on "
                f"{self._here.device_name} ({self._here.label}), about {duration(forecast.seconds)} "
                f"with the machine as it is now{kept}",
                markup=False,
                soft_wrap=True,
            )

        def progress(done: int, total: int, what: str) -> None:
            self._progress.update(self._task, completed=done, total=total, description=what)

        return Listener(begin=begin, progress=progress)


def _parse_size(text: str) -> "Size":
    width, _, height = text.lower().partition("x")
    if not (width.isdecimal() and height.isdecimal()):
        raise UserError(f"--size must be width x height of an SR picture, such as 1280x720; got {text!r}")
    return int(width), int(height)
