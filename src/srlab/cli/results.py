"""``srlab pictures`` and ``srlab tensorboard``: a study's results to look at."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from srlab.cli import app
from srlab.cli.options import MaxPixels, Trust
from srlab.cli.output import messages, print_json, say, show, show_grid, show_path
from srlab.cli.parsing import parse_device
from srlab.errors import UserError

if TYPE_CHECKING:
    from srlab.show.ranking_on_image import ImageRanking

StudyDir = Annotated[
    Path,
    typer.Argument(metavar="STUDY_DIR", help="A study's folder, such as runs/srcnn.", show_default=False),
]


@app.command()
def pictures(
    study_dir: StudyDir,
    image: Annotated[
        Path | None,
        typer.Option(help="Your own picture: every model is applied to it and ranked.", show_default=False),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="File or folder to write.", show_default="STUDY_DIR/pictures")
    ] = None,
    every_run: Annotated[
        bool,
        typer.Option(
            "--all", help="With --image: use all finished runs, not only those at the chosen learning rates."
        ),
    ] = False,
    device: Annotated[
        str | None,
        typer.Option(
            help="With --image: auto (a GPU if there is one), cpu, cuda, cuda:1.", show_default="auto"
        ),
    ] = None,
    _max_pixels: MaxPixels = None,
    _trust: Trust = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object to standard output.")] = False,
) -> None:
    """Draw a study: all runs as bars, and the best variants side by side on one crop."""
    if image is not None:
        _pictures_of_image(study_dir, image, out, every_run=every_run, device=device, json=json)
        return
    if every_run or device is not None:
        raise UserError(
            f"{'--all' if every_run else '--device'} works only together with --image; add --image, or "
            "leave it out"
        )
    from srlab.show.pictures import write_pictures

    paths = write_pictures(study_dir, out)
    if not any(path.name.startswith("panel-") for path in paths):
        say("no panel yet: no variant has SR pictures of all images of a test set")
    _tell(paths, {}, json=json)


def _pictures_of_image(
    study_dir: Path, image: Path, out: Path | None, *, every_run: bool, device: str | None, json: bool
) -> None:
    from rich.progress import Progress

    from srlab.show.ranking_on_image import rank_on_image, write_ranking

    place = parse_device(device)
    with Progress(console=messages, transient=True, disable=not messages.is_terminal) as progress:
        task = progress.add_task("models", total=None)
        ranking = rank_on_image(
            study_dir,
            image,
            every_run=every_run,
            device=place,
            progress=lambda done, total: progress.update(task, completed=done, total=total),
        )
    paths = write_ranking(ranking, out or study_dir / "pictures")
    if not json:
        _show(ranking)
    _tell(paths, ranking.as_json(), json=json)


def _show(ranking: "ImageRanking") -> None:
    from srlab.show.tables.one_image import ranking_grid

    height, width = ranking.hr.shape[:2]
    show(f"{ranking.image}, {width}x{height}, x{ranking.scale}")
    show_grid(ranking_grid(ranking))
    show(str(ranking.protocol), indent="  ")
    if ranking.distance is not None:
        show(
            f"a variant was trained with a discriminator: ordered by {ranking.distance}, lowest first",
            indent="  ",
        )
    show("this is one picture; another picture may give another order", indent="  ")


def _tell(paths: list[Path], values: dict[str, object], *, json: bool) -> None:
    if json:
        print_json({**values, "pictures": [str(path) for path in paths]})
    else:
        for path in paths:
            show_path(path)


@app.command()
def tensorboard(
    study_dir: StudyDir,
    top: Annotated[
        int, typer.Option(min=1, help="Number of runs to show, best validation psnr_y first.")
    ] = 6,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to use; 0 takes any free port.")] = 6006,
    host: Annotated[
        str, typer.Option(help="Address to listen on; 0.0.0.0 lets other machines connect.")
    ] = "localhost",
) -> None:
    """Open the logs of a study's best runs, finished or not, in TensorBoard; Ctrl-C ends it."""
    from srlab.training.tensorboard_logs import best_logs, serve

    logs = best_logs(study_dir, top=top)
    for log in logs:
        score = "no validation score yet" if log.psnr_y is None else f"validation psnr_y {log.psnr_y:.2f} dB"
        state = "" if log.is_finished else f", {log.status}"
        say(f"{log.name}: {score}{state}")

    def tell(address: str) -> None:
        say(f"TensorBoard is at {address} (Ctrl-C ends it)")

    serve(logs, host=host, port=port, tell=tell)
