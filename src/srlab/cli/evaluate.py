"""``srlab evaluate``: scores of bicubic, of a trained network, or of pictures that any other tool made."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from srlab.cli import app
from srlab.cli.options import AnyDevice, AnyEngine, MaxPixels, Trust
from srlab.cli.output import messages, print_json, printable, say, show, show_grid
from srlab.cli.parsing import parse_engine
from srlab.errors import UserError

if TYPE_CHECKING:
    from srlab.data.datasets import ImageSet
    from srlab.declare.protocol import EvaluationProtocol
    from srlab.networks import Network
    from srlab.use.engines import Engine
    from srlab.use.evaluation import Evaluation
    from srlab.use.upscale import Forward


@app.command()
def evaluate(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="bicubic, a name of `srlab models`, a run's folder, a weights file, a study's folder (its "
            "winner by validation), or a folder of SR pictures.",
            show_default=False,
        ),
    ],
    data: Annotated[
        str, typer.Option(help="The HR pictures: the name of a data set, or a folder.", show_default=False)
    ],
    scale: Annotated[
        int | None, typer.Option(help="Scale factor: 2, 3 or 4.", show_default="a trained network's own")
    ] = None,
    protocol: Annotated[
        Literal["rgb", "luma"],
        typer.Option(help="Compare RGB or luma pictures; also decides how SR is rounded."),
    ] = "rgb",
    border: Annotated[
        Literal["replicate", "symmetric"],
        typer.Option(help="How HR is padded when LR is made: the edge repeated, or mirrored."),
    ] = "replicate",
    _max_pixels: MaxPixels = None,
    _trust: Trust = None,
    device: AnyDevice = "auto",
    self_ensemble: Annotated[
        bool,
        typer.Option(
            "--self-ensemble",
            help="Average over the eight flips and quarter turns of each image; the name gets a plus, as in "
            "the papers.",
        ),
    ] = False,
    engine: AnyEngine = "torch",
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object to standard output, unrounded.")
    ] = False,
) -> None:
    """Print PSNR and SSIM of each image and their means, with the protocol they were counted under."""
    _check_exists(model)  # before torch is loaded: a wrong path is told at once
    from srlab.data.datasets import load_sets
    from srlab.declare.protocol import EvaluationProtocol
    from srlab.use.evaluation import check_memory, check_scorable, evaluate_folder, evaluate_network

    place = parse_engine(engine, device)
    rules = EvaluationProtocol(color=protocol, border=border)
    chosen = _find(model, scale)
    if self_ensemble:
        chosen = _averaged(chosen)
    (tested,) = load_sets([data], role="test")
    check_scorable(tested.images, scale=chosen.scale)
    check_memory(tested.images)
    forward = None
    if engine != "torch":
        chosen, forward = _translated(chosen, engine, protocol)
    if chosen.network is None:
        evaluations = evaluate_folder(Path(model), tested.images, protocol=rules, scale=chosen.scale)
    else:
        evaluations = evaluate_network(
            chosen.network, tested.images, protocol=rules, device=place, forward=forward
        )
    scores = {evaluation.image: evaluation.scores for evaluation in _shown(evaluations, len(tested.images))}
    for remark in chosen.remarks:
        say(remark)
    if as_json:
        print_json(_as_dict(chosen, tested, scores, rules))
    else:
        _print_table(chosen, tested, scores, rules)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Model:
    """What is scored, at which scale; `network` is None if the pictures are there already."""

    name: str
    network: "Network | None"
    scale: int
    remarks: tuple[str, ...] = ()


def _check_exists(model: str) -> None:
    if model == "bicubic" or Path(model).exists():
        return
    from srlab.networks import PRESETS
    from srlab.use.models import is_included

    if is_included(model):
        return

    if model in PRESETS:
        raise UserError(
            f"{model} is the name of an untrained variant, and only trained weights can be scored. Train "
            f"it with `srlab train {model}`, then name the run's folder here"
        )
    raise UserError(
        f"{model} does not exist; name bicubic, a name of `srlab models`, a run's folder, a weights file, "
        "a study's folder, or a folder of SR pictures"
    )


def _find(model: str, scale: int | None) -> _Model:
    from srlab.cli.parsing import of_option
    from srlab.folder import store
    from srlab.networks import build_network, preset
    from srlab.networks.blocks import check_scale

    if scale is not None:
        with of_option("--scale"):
            check_scale(scale)
    path = Path(model)
    is_network = not path.exists() or path.is_file() or store.is_study(path) or (path / store.RUN).is_file()
    if model != "bicubic" and (is_network or (path / store.WEIGHTS).is_file()):
        return _trained(model, scale)
    if scale is None:
        raise UserError(f"give the scale factor of {model}: --scale 2, 3 or 4")
    if model == "bicubic":
        network = build_network(preset("bicubic", scale=scale), scale=scale).eval()
        return _Model(name="bicubic", network=network, scale=scale)
    return _Model(name=model, network=None, scale=scale, remarks=(f"SR: the pictures in {model}",))


def _trained(model: str, scale: int | None) -> _Model:
    from srlab.folder.checkpoints import load_weights
    from srlab.networks import PRESETS, build_network, fits_every_scale
    from srlab.use.models import find_model

    found = find_model(model, scale=scale)
    weights = load_weights(found.weights)
    remarks = [f"SR: {weights.variant} x{weights.scale}, {found.why}"]
    if scale is None or scale == weights.scale:
        return _Model(
            name=weights.variant, network=weights.network, scale=weights.scale, remarks=tuple(remarks)
        )
    known = PRESETS.get(weights.variant)
    is_known = known is not None and known.options == weights.options
    if known is None or not is_known or scale not in known.scales or not fits_every_scale(weights.options):
        raise UserError(
            f"{found.weights} enlarges by {weights.scale}, not by {scale}; leave --scale out, or name "
            f"weights trained for x{scale}"
        )
    network = build_network(weights.options, scale=scale).eval()
    network.load_state_dict(weights.network.state_dict(), strict=True)
    remarks.append(f"trained at x{weights.scale}, scored at x{scale}: {weights.variant} works at both scales")
    return _Model(name=weights.variant, network=network, scale=scale, remarks=tuple(remarks))


def _averaged(chosen: _Model) -> _Model:
    """The same network as self-ensemble, under a name of its own."""
    if chosen.network is None:
        raise UserError(
            f"{chosen.name} is a folder of pictures, and --self-ensemble needs a network; leave "
            "--self-ensemble out"
        )
    from srlab.networks.composed import SelfEnsemble

    return _Model(
        name=f"{chosen.name}+",
        network=SelfEnsemble(chosen.network),
        scale=chosen.scale,
        remarks=(*chosen.remarks, "self-ensemble: the mean over eight orientations of each image"),
    )


def _translated(
    chosen: _Model, engine: "Engine", protocol: Literal["rgb", "luma"]
) -> "tuple[_Model, Forward | None]":
    """What computes by the engine, and a remark on it."""
    from srlab.networks import Bicubic
    from srlab.use.engines import forward_of

    if chosen.network is None or isinstance(chosen.network, Bicubic):
        raise UserError(
            f"{chosen.name} has no network to be translated for {engine}; leave --engine out, or name a "
            "network"
        )
    luma = protocol == "luma"
    if luma and not hasattr(chosen.network, "forward_luma"):
        return chosen, None  # scoring it is refused
    forward = forward_of(chosen.network, engine, name=chosen.name, luma=luma)
    return replace(chosen, remarks=(*chosen.remarks, f"computed by {engine}")), forward


def _shown(evaluations: "Iterator[Evaluation]", total: int) -> "Iterator[Evaluation]":
    from rich.progress import track

    disable = total < 2 or not messages.is_terminal
    yield from track(evaluations, "scoring", total=total, console=messages, transient=True, disable=disable)


def _means(scores: dict[str, dict[str, float]]) -> dict[str, float]:
    from srlab.declare.metrics import OF_PIXELS

    found = list(scores.values())
    return {
        metric: sum(values[metric] for values in found) / len(found)
        for metric in OF_PIXELS
        if metric in found[0]
    }


def _as_dict(
    chosen: _Model,
    tested: "ImageSet",
    scores: dict[str, dict[str, float]],
    protocol: "EvaluationProtocol",
) -> dict[str, Any]:
    return {
        "protocol": protocol.color,
        "border": protocol.border,
        "protocol_description": str(protocol),
        "scale": chosen.scale,
        "dataset": tested.name,
        "model": chosen.name,
        **_for_json(_means(scores)),
        "images": [{"name": name, **_for_json(values)} for name, values in scores.items()],
        "remarks": [*chosen.remarks, *([tested.note] if tested.note else [])],
    }


def _for_json(values: dict[str, float]) -> dict[str, float | str | None]:
    """All metrics, null where the protocol does not have one, "inf" for the PSNR of equal pictures."""
    from srlab.declare.metrics import OF_PIXELS
    from srlab.folder.schema import as_json

    return {metric: as_json(values.get(metric)) for metric in OF_PIXELS}


def _print_table(
    chosen: _Model,
    tested: "ImageSet",
    scores: dict[str, dict[str, float]],
    protocol: "EvaluationProtocol",
) -> None:
    from srlab.show.grid import Cell, Column, Grid, GridRow
    from srlab.show.tables.cells import score_cell
    from srlab.verdicts import metric_of

    means = _means(scores)
    show(f"{chosen.name} on {tested.name}, x{chosen.scale}")

    def row(name: str, values: Mapping[str, float], kind: str = "") -> GridRow:
        cells = (score_cell(values[metric], None, metric_of(metric)) for metric in means)
        return GridRow(cells=(Cell(text=printable(name)), *cells), kind=kind)

    columns = (Column(key=metric, heading=metric) for metric in means)
    rows = (row(name, values) for name, values in scores.items())
    show_grid(
        Grid(
            name="images",
            columns=(Column(key="image", heading="image", is_text=True, is_name=True), *columns),
            rows=(*rows, row("mean", means, "mean")),
        )
    )
    summary = " / ".join(metric_of(metric).text(means[metric]) for metric in ("psnr_y", "ssim_y"))
    show(f"psnr_y / ssim_y: {summary}")
    show(f"protocol {protocol}", indent="  ")
    if tested.note:
        show(tested.note, indent="  ")
