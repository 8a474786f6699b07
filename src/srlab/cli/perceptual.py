"""``srlab perceptual``: a perceptual number for the pictures that a study keeps."""

from pathlib import Path
from typing import Annotated

import typer

from srlab.cli import app
from srlab.cli.output import messages, print_json, results


@app.command()
def perceptual(
    study_dir: Annotated[
        Path,
        typer.Argument(metavar="STUDY_DIR", help="A study's folder, such as runs/srgan.", show_default=False),
    ],
    squeezenet: Annotated[
        Path | None,
        typer.Option(
            help="SqueezeNet 1.1's weights: torchvision's .pth, or Keras's .h5.",
            show_default="those of `srlab data get squeezenet`",
        ),
    ] = None,
    heads: Annotated[
        Path | None,
        typer.Option(
            help="LPIPS 0.1's heads for it.", show_default="those of `srlab data get lpips_squeeze`"
        ),
    ] = None,
    test: Annotated[
        str | None,
        typer.Option(
            "--test", help="Where the test sets are now: names or folders.", show_default="where they were"
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")] = False,
) -> None:
    """Score a study's SR pictures by LPIPS, beside PSNR and SSIM: lower is better.

    The same command again scores what is new. Leaderboards, verdicts and reports then show it.
    """
    from rich.progress import Progress

    from srlab.cli.parsing import parse_names
    from srlab.perceptual import UNCALIBRATED, load_distance, score_pictures

    distance = load_distance(squeezenet=squeezenet, heads=heads)
    if distance.name == UNCALIBRATED:
        messages.print(
            f"{UNCALIBRATED}, not LPIPS: its heads do not belong to these features",
            markup=False,
            soft_wrap=True,
        )
    with Progress(console=messages, transient=True, disable=not messages.is_terminal) as bars:
        tasks = {}

        def report(dataset: str, done: int, total: int) -> None:
            if dataset not in tasks:
                tasks[dataset] = bars.add_task(dataset, total=total)
            bars.update(tasks[dataset], completed=done)

        tests = () if test is None else parse_names(test, option="--test")
        written = score_pictures(study_dir, distance, tests=tests, report=report)
    if as_json:
        files = [str(path) for path in written]
        print_json({"metric": distance.name, "weights": distance.weights, "files": files})
        return
    for path in written:
        results.print(str(path), markup=False, soft_wrap=True)
    if not written:
        messages.print(f"every picture has its {distance.name}", markup=False)
