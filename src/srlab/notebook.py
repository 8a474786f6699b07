"""For Jupyter notebooks: a study's data, networks, training, standings and pictures.

Everything that is shown is also in the study's folder; ``srlab study`` makes the same there.
"""

import io
import time
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from PIL import Image

from srlab.errors import UserError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from srlab.declare.study import Study
    from srlab.lab.execution import Event
    from srlab.lab.planning import Plan
    from srlab.lab.scheduler import Failure
    from srlab.show.draw.curves import Panel

_DPI = 96
_COLORS = 256  # of diagrams and curves: less than half of the bytes, and nothing to be seen of it
_WIDEST = 960  # pixels, as shown
_DRAWING_SHARE = 0.05  # of the time, at most, goes into drawing
_LEAST_SECONDS = 1.0  # between two drawings

_DISCRIMINATOR = {"discriminator_real": "on HR", "discriminator_fake": "on SR"}


def show_data(study: "Study", *, count: int = 6) -> None:
    """Show the first patches that every run of the study trains on: LR above, HR below."""
    from srlab.data.datasets import split
    from srlab.lab.execution import TrainingImages
    from srlab.show.draw.patches import draw_pairs

    run = next(study.runs())
    images = split(train=study.train, validate=study.validate, test=study.test)
    lr, hr = TrainingImages(images, study).patches(run).batch(0, seed=run.seed)
    tested = sum(len(found.images) for found in images.test)
    figure = draw_pairs(
        *(batch[:count].permute(0, 2, 3, 1).numpy() for batch in (lr, hr)),
        title=f"The first {min(count, len(lr))} of {len(lr)} patches of step 1, seed {run.seed}",
        caption=f"{len(images.train)} pictures to train on, {len(images.validation)} to validate, "
        f"{tested} to test",
    )
    _show_picture(_png(figure, is_photo=True), words="LR and HR patches")


def show_network(study: "Study", variant: str) -> None:
    """Show a variant's layers as a table and as a diagram, with what it takes from another one marked."""
    from srlab.networks.diagram import plot
    from srlab.networks.summary import summary

    found = study.with_variants([variant]).variants[0]
    frozen = found.start.keep if found.start is not None and found.start.freeze else ()
    _show({"text/plain": summary(found.network, scale=study.scale, frozen=frozen)})
    with TemporaryDirectory() as folder:
        path = Path(folder) / "diagram.png"
        plot(found.network, path, scale=study.scale, title=found.name, frozen=frozen)
        _show_picture(_with_few_colors(path.read_bytes()), words=f"{found.name}, drawn")


def run_study(
    study: "Study",
    folder: str | Path,
    *,
    question: str,
    device: str | None = None,
    threads: int | None = None,
) -> None:
    """Run what is left of `study` in `folder`, with curves that grow while it trains.

    If it was interrupted, call it again: it continues where it stopped. A complete study is not run again.

    Raises:
        UserError: there is no notebook, the question has no question mark, the study has changed since it
            began in `folder`, or a run failed for a cause that you can set right.
        RuntimeError: a run failed for another cause.
    """
    from srlab.data.datasets import split
    from srlab.lab.comparison import compare
    from srlab.lab.stages import carry_out_stages
    from srlab.training.machine import resolve_machine

    if not question.endswith("?"):
        raise UserError(f"the question of a study must end with a question mark; got {question!r}")
    machine = resolve_machine(study, device=device, threads=threads)
    images = split(train=study.train, validate=study.validate, test=study.test)

    def carry_out(study: "Study", folder: Path, is_tested: bool) -> "list[Failure]":
        live = _Live(folder)
        failures = compare(
            study,
            folder,
            machine,
            question=question,
            announce=live.announce,
            report=live.report,
            images=images if is_tested else replace(images, test=()),
        )
        live.end()
        return failures

    _, failures = carry_out_stages(study, Path(folder), carry_out, say=print)
    for failure in failures:
        message = f"{failure.name} failed: {failure.reason}"
        raise UserError(message) if failure.kind == "user" else RuntimeError(failure.traceback or message)


def show_leaderboard(folder: str | Path) -> None:
    """Show the standings of the study in `folder`, the verdict, and the notes on how to read them."""
    from srlab.show.leaderboard import leaderboard
    from srlab.show.tables.board import board_as_markdown

    text = board_as_markdown(leaderboard(Path(folder)))
    _show({"text/markdown": text.replace("# ", "#### ", 1), "text/plain": text})


def show_pictures(folder: str | Path) -> None:
    """Show, for each test set, the crop in which the variants of the study in `folder` differ most.

    Raises:
        UserError: no variant has test pictures yet, or there is no notebook.
    """
    from srlab.show.draw.panel import draw_narrow
    from srlab.show.pictures import scenes

    found = scenes(Path(folder))
    if not found:
        raise UserError(f"no variant of {folder} has test pictures yet; run the study to its end first")
    for scene in found:
        figure = draw_narrow(scene.shown, crop=scene.crop, title=scene.title)
        _show_picture(_png(figure, is_photo=True), words=scene.title)


class _Live:
    """The curves of a study that is running, drawn again now and then in the same place."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._plan: Plan | None = None
        self._place: Any = None
        self._next = 0.0

    def announce(self, plan: "Plan") -> None:
        self._plan = plan
        self._draw("begins")

    def report(self, event: "Event") -> None:
        if time.monotonic() < self._next:
            return
        status = f"{event.name}: {event.phase}"
        if event.progress is not None:
            status += f", step {event.progress.step:,} of {event.progress.num_steps:,}"
        self._draw(status)

    def end(self) -> None:
        """Draw what came of it all."""
        from srlab.folder.records import read_runs

        runs = read_runs(self.folder)
        finished = [run for run in runs if run.status == "finished"]
        seconds = sum(run.seconds or 0.0 for run in finished)
        self._draw(f"{len(finished)} of {len(runs)} runs finished, {seconds:,.0f} s of training")

    def _draw(self, status: str) -> None:
        from srlab.show.draw.curves import draw_training

        begun = time.monotonic()
        assert self._plan is not None
        study = self._plan.study
        figure = draw_training(
            list(_panels(self.folder)), title=f"{study.name}, x{study.scale}", status=status
        )
        self._place = _show_picture(_png(figure), words=status, place=self._place)
        now = time.monotonic()
        self._next = now + max(_LEAST_SECONDS, (now - begun) / _DRAWING_SHARE)


def _panels(folder: Path) -> Iterator["Panel"]:
    """What the runs in the study's folder have logged so far: loss, validation, and a GAN's discriminator."""
    from srlab.folder.records import StudyFolder, logged_values
    from srlab.show.draw.curves import Line, Panel
    from srlab.words import rate

    study = StudyFolder(folder)
    runs = study.runs
    rates: dict[str, set[float]] = {}
    for run in runs:
        rates.setdefault(run.variant, set()).add(run.learning_rate)

    numbers = {variant.name: number for number, variant in enumerate(study.study.variants)}
    drawn: dict[str, dict[str, int]] = {}  # the labels of a variant, each with dashes of its own

    def lines(name: str, ending: str = "") -> tuple[Line, ...]:
        found = []
        for run in runs:
            if points := logged_values(run.log, name):
                parts = [
                    run.variant,
                    f"rate {rate(run.learning_rate)}" if len(rates[run.variant]) > 1 else "",
                ]
                label = ", ".join(part for part in (*parts, ending) if part)
                labels = drawn.setdefault(run.variant, {})
                dashes = labels.setdefault(label, len(labels))
                number = numbers[run.variant]
                found.append(Line(label=label, number=number, points=points, dashes=dashes))
        return tuple(found)

    bicubic = study.bicubic
    yield Panel(title="loss in training", lines=lines("loss"), is_loss=True)
    yield Panel(
        title="psnr_y in dB on validation images",
        lines=lines("psnr_y"),
        bicubic=bicubic["psnr_y"] if bicubic else None,
    )
    judged = [line for name, ending in _DISCRIMINATOR.items() for line in lines(name, ending)]
    if judged:
        yield Panel(title="discriminator: share taken for HR", lines=tuple(judged))


def _png(figure: "Figure", *, is_photo: bool = False) -> bytes:
    from srlab.show.draw.canvas import plain_style

    file = io.BytesIO()
    with plain_style():
        figure.savefig(file, format="png", dpi=_DPI)
    return file.getvalue() if is_photo else _with_few_colors(file.getvalue())


def _with_few_colors(png: bytes) -> bytes:
    file = io.BytesIO()
    Image.open(io.BytesIO(png)).convert("RGB").quantize(_COLORS).save(file, format="PNG", optimize=True)
    return file.getvalue()


def _show_picture(png: bytes, *, words: str, place: Any = None) -> Any:
    """Show a picture as PNG, which every viewer of notebooks shows (GitHub's shows no SVG); its place."""
    width = min(_WIDEST, Image.open(io.BytesIO(png)).width)
    bundle = {"image/png": b64encode(png).decode(), "text/plain": words}
    return _show(bundle, metadata={"image/png": {"width": width}}, place=place)


def _show(bundle: dict[str, str], *, metadata: dict[str, Any] | None = None, place: Any = None) -> Any:
    """Show something, given by media types, below the cell that runs or in `place` of what was there."""
    try:
        from IPython import get_ipython
        from IPython.display import display
    except ImportError:
        is_notebook = False
    else:
        is_notebook = get_ipython() is not None
    if not is_notebook:
        raise UserError(
            "srlab.notebook works in Jupyter notebooks only; elsewhere use `srlab study`, which writes "
            "pictures and the leaderboard to the study's folder"
        )
    if place is None:
        return display(bundle, raw=True, metadata=metadata, display_id=True)
    place.update(bundle, raw=True, metadata=metadata)
    return place
