"""``srlab perceptual``: a perceptual number for the pictures that a study keeps."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from srlab.cli import app
from srlab.cli.options import MaxPixels, Trust
from srlab.cli.output import messages, print_json, say, show_path
from srlab.errors import UserError

if TYPE_CHECKING:
    from srlab.use.perceptual import PerceptualDistance

LpipsName = Literal["alex", "vgg", "squeeze"]


@app.command()
def perceptual(
    study_dir: Annotated[
        Path,
        typer.Argument(metavar="STUDY_DIR", help="A study's folder, such as runs/srgan.", show_default=False),
    ],
    lpips: Annotated[
        LpipsName | None,
        typer.Option(
            help="Network of LPIPS: AlexNet, VGG16 or SqueezeNet.",
            show_default="the first one that is installed (see `srlab data list`)",
        ),
    ] = None,
    dists: Annotated[bool, typer.Option("--dists", help="DISTS, by VGG16, instead of LPIPS.")] = False,
    alexnet: Annotated[
        Path | None,
        typer.Option(
            help="File with AlexNet's weights: torchvision's .pth.", show_default="the fetched file"
        ),
    ] = None,
    vgg16: Annotated[
        Path | None,
        typer.Option(help="File with VGG16's weights: torchvision's .pth.", show_default="the fetched file"),
    ] = None,
    squeezenet: Annotated[
        Path | None,
        typer.Option(
            help="File with SqueezeNet 1.1's weights: torchvision's .pth or Keras's .h5.",
            show_default="the fetched file",
        ),
    ] = None,
    other_weights: Annotated[
        bool,
        typer.Option(
            "--other-weights",
            help="Accept a file that is not the official one. The result is then not called LPIPS.",
        ),
    ] = False,
    test: Annotated[
        str | None,
        typer.Option(
            "--test",
            help="Test sets of the study: names, or folders if they were moved.",
            show_default="where they were",
        ),
    ] = None,
    validate: Annotated[
        str | None,
        typer.Option(
            "--validate",
            help="Validation images of the study: names, or folders if they were moved.",
            show_default="where they were",
        ),
    ] = None,
    _max_pixels: MaxPixels = None,
    _trust: Trust = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object to standard output.")
    ] = False,
) -> None:
    """Score a study's SR pictures by LPIPS, DISTS, or GMSD alone, beside PSNR and SSIM: lower is better.

    In a study with a discriminator the validation images are scored too, and choose its winner. The same
    command again scores what is new. Leaderboards, verdicts and reports then show it.
    """
    from rich.progress import Progress

    from srlab.cli.parsing import parse_names
    from srlab.lab.perceptual_scores import score_study

    distance = _distance(
        lpips,
        is_dists=dists,
        alexnet=alexnet,
        vgg16=vgg16,
        squeezenet=squeezenet,
        other_weights=other_weights,
    )
    if distance is None:
        say(
            "GMSD only, because no network for LPIPS is installed; the smallest has 5 MB: `srlab data get "
            "squeezenet`"
        )
    elif not distance.is_calibrated:
        say(f"{distance.name}, not LPIPS: LPIPS' heads were fitted to other weights")
    with Progress(console=messages, transient=True, disable=not messages.is_terminal) as bars:
        tasks = {}

        def report(dataset: str, done: int, total: int) -> None:
            if dataset not in tasks:
                tasks[dataset] = bars.add_task(dataset, total=total)
            bars.update(tasks[dataset], completed=done)

        written = score_study(
            study_dir,
            distance,
            tests=() if test is None else parse_names(test, option="--test"),
            validate=() if validate is None else parse_names(validate, option="--validate"),
            report=report,
        )
    metric = "gmsd_y" if distance is None else distance.name
    if as_json:
        weights = {} if distance is None else distance.weights
        print_json({"metric": metric, "weights": weights, "files": [str(path) for path in written]})
        return
    for path in written:
        show_path(path)
    if not written:
        say(f"every picture already has {metric}")


def _distance(
    lpips: LpipsName | None,
    *,
    is_dists: bool,
    alexnet: Path | None,
    vgg16: Path | None,
    squeezenet: Path | None,
    other_weights: bool,
) -> "PerceptualDistance | None":
    """What the options ask for; None if they ask for nothing and no network was fetched."""
    from srlab.use.dists import load_dists
    from srlab.use.perceptual import Name, fetched_distance, load_distance

    names: dict[LpipsName, Name] = {"alex": "alexnet", "vgg": "vgg16", "squeeze": "squeezenet"}
    files: dict[Name, Path | None] = {"alexnet": alexnet, "vgg16": vgg16, "squeezenet": squeezenet}
    given = [name for name, path in files.items() if path is not None]
    if is_dists:
        wrong = [f"--{name}" for name in given if name != "vgg16"]
        wrong += ["--lpips"] * (lpips is not None) + ["--other-weights"] * other_weights
        if wrong:
            raise UserError(
                f"--dists does not go with {wrong[0]}: DISTS was fitted to VGG16's official file; give "
                "--vgg16 PATH, or nothing if `srlab data get vgg16` fetched it"
            )
        return load_dists(vgg16)
    if len(given) > 1 or (given and lpips is not None and names[lpips] != given[0]):
        options = [*(f"--{name}" for name in given), *(["--lpips"] if lpips is not None else [])]
        raise UserError(f"{' and '.join(options)} name different networks; give one")
    if other_weights and not given:
        raise UserError("--other-weights needs a file: --alexnet, --vgg16 or --squeezenet PATH")
    if given:
        return load_distance(given[0], path=files[given[0]], is_other=other_weights)
    return fetched_distance() if lpips is None else load_distance(names[lpips])
