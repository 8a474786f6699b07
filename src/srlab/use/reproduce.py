"""Published numbers, measured again: claims as data, and what this machine's files allow of them.

A score is measured under the protocol of its table (`srlab.declare.published`). A claim holds if the
measured number is within its tolerance; what cannot be measured says what it needs.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import torch

from srlab.declare.protocol import EvaluationProtocol
from srlab.declare.published import (
    COSTS_FROM,
    MULTIPLY_ADDS,
    NUMBERS,
    PARAMETERS,
    PROTOCOLS,
    SIZES,
    SOURCES,
    VARIANTS,
    Mark,
)
from srlab.errors import UserError
from srlab.folder.checkpoints import LoadedWeights, is_weights_file, load_weights
from srlab.networks import build_network, fits_every_scale, num_parameters, preset
from srlab.networks.complexity import multiply_adds
from srlab.pixels.images import HRImage

# Of other people's code: VDSR's own weights are within 0.01 dB of its table, bicubic within 0.0008 of SSIM.
PSNR_TOLERANCE = 0.02
SSIM_TOLERANCE = 0.001
_COST_TOLERANCE = 0.01  # of the published multiply-adds

Kind = Literal["psnr_y", "ssim_y", "parameters", "multiply_adds"]
Outcome = Literal["pass", "fail", "needs"]


@dataclass(frozen=True, kw_only=True)
class Claim:
    """One published number: of which network, on which set, at which scale, under which protocol."""

    name: str
    network: str
    variant: str
    kind: Kind
    scale: int
    published: float
    tolerance: float
    source: str
    mark: Mark
    test_set: str = ""
    protocol: Literal["", "rgb", "luma"] = ""


@dataclass(frozen=True, kw_only=True)
class Result:
    """What came of a claim: the number measured here, or what it `needs`."""

    claim: Claim
    outcome: Outcome
    measured: float | None = None
    needs: str = ""
    weights: str = ""


def claims() -> tuple[Claim, ...]:
    """All of them: scores by set, network and scale, then costs."""
    return (*_scores(), *_costs())


def _scores() -> Iterator[Claim]:
    for test_set, networks in NUMBERS.items():
        for network, by_scale in networks.items():
            if network not in VARIANTS:
                continue  # a GAN: its trainings differ by 2 dB, so a number cannot be met
            source, mark = SOURCES[network]
            for scale, (psnr, ssim) in by_scale.items():
                stem = f"{_slug(network)}-{test_set}-x{scale}"
                numbers: Mapping[Kind, tuple[float | None, float]] = {
                    "psnr_y": (psnr, PSNR_TOLERANCE),
                    "ssim_y": (ssim, SSIM_TOLERANCE),
                }
                for kind, (value, tolerance) in numbers.items():
                    if value is not None:
                        yield Claim(
                            name=f"{stem}-{kind.removesuffix('_y')}",
                            network=network,
                            variant=VARIANTS[network],
                            kind=kind,
                            scale=scale,
                            published=value,
                            tolerance=tolerance,
                            source=source,
                            mark=mark,
                            test_set=test_set,
                            protocol=PROTOCOLS[network],
                        )


def _costs() -> Iterator[Claim]:
    for network, (written, parameters, tolerance, scale) in PARAMETERS.items():
        source, mark = COSTS_FROM[network]
        yield Claim(
            name=f"{_slug(network)}-parameters",
            network=network,
            variant=VARIANTS[network],
            kind="parameters",
            scale=scale,
            published=parameters,
            tolerance=tolerance,
            source=f"{written}: {source}",
            mark=mark,
        )
    for network, by_scale in MULTIPLY_ADDS.items():
        source, mark = COSTS_FROM[network]
        for scale, published in by_scale.items():
            yield Claim(
                name=f"{_slug(network)}-multiply-adds-x{scale}",
                network=network,
                variant=VARIANTS[network],
                kind="multiply_adds",
                scale=scale,
                published=published,
                tolerance=_COST_TOLERANCE * published,
                source=f"in G for an output of 1280 x 720: {source}",
                mark=mark,
            )


def _slug(network: str) -> str:
    return network.lower().replace(" ", "-")


def find_claims(wanted: Sequence[str]) -> tuple[Claim, ...]:
    """Those whose names begin with one of `wanted`, in their order.

    Raises:
        UserError: nothing begins so.
    """
    known = claims()
    for start in wanted:
        if not any(claim.name.startswith(start.lower()) for claim in known):
            raise UserError(
                f"no claim begins with {start!r}; `srlab reproduce` lists them, such as {known[0].name}"
            )
    starts = tuple(start.lower() for start in wanted)
    return tuple(claim for claim in known if claim.name.startswith(starts))


def reproduce(
    wanted: Sequence[Claim],
    *,
    images: Callable[[str], tuple[HRImage, ...]],
    weights: Sequence[Path] = (),
    device: torch.device | None = None,
    progress: Callable[[str], None] | None = None,
) -> Iterator[Result]:
    """Measure each claim, in turn; two numbers of the same pictures are measured once.

    Args:
        wanted: some of `claims`.
        images: the pictures of a test set by name, or a `UserError` that says how to get it.
        weights: files of srlab or of other programs, taken for the claims of their network and scale.
        device: where networks run; the CPU by default.
        progress: called with what is measured next.

    Raises:
        UserError: a file of `weights` cannot be read, or is of no network that has claims.
    """
    place = device or torch.device("cpu")
    with TemporaryDirectory() as folder:
        loaded = [
            (path, _load(path, Path(folder) / f"{number}.safetensors")) for number, path in enumerate(weights)
        ]
        means: dict[tuple[str, str, int], dict[str, float]] = {}
        for claim in wanted:
            if claim.kind in ("parameters", "multiply_adds"):
                yield _judged(claim, _cost(claim))
                continue
            source = next((one for one in loaded if _is_of(one[1], claim)), None)
            if source is None and claim.network != "bicubic":
                needs = f"weights of {claim.variant} (--weights FILE)"
                yield Result(claim=claim, outcome="needs", needs=needs)
                continue
            key = (claim.network, claim.test_set, claim.scale)
            if key not in means:
                try:
                    pictures = images(claim.test_set)
                except UserError as error:
                    yield Result(claim=claim, outcome="needs", needs=f"{claim.test_set}: {error}")
                    continue
                if len(pictures) != SIZES[claim.test_set]:
                    needs = f"{SIZES[claim.test_set]} pictures in {claim.test_set}; there are {len(pictures)}"
                    yield Result(claim=claim, outcome="needs", needs=needs)
                    continue
                if progress is not None:
                    progress(f"{claim.network} x{claim.scale} on {claim.test_set}, {len(pictures)} pictures")
                network = _network(claim, source[1] if source else None)
                means[key] = _means(claim, network, pictures, place)
            yield replace(_judged(claim, means[key][claim.kind]), weights=source[0].name if source else "")


def _load(path: Path, converted: Path) -> LoadedWeights:
    """Weights of srlab, or of another program, which are turned into such first."""
    from srlab.use.imports import import_weights

    if not is_weights_file(path):
        import_weights(path, converted, at_any_scale=True)  # `_network` builds it for each scale that it fits
    loaded = load_weights(path if is_weights_file(path) else converted)
    if not any(_is_of(loaded, claim) for claim in claims()):
        known = ", ".join(sorted(set(VARIANTS.values()) - {"bicubic"}))
        raise UserError(
            f"{path} is of {loaded.variant}, of which no published number is known; there are some of {known}"
        )
    return loaded


def _is_of(loaded: LoadedWeights, claim: Claim) -> bool:
    same = loaded.options == preset(claim.variant, scale=claim.scale)
    return same and (loaded.scale == claim.scale or fits_every_scale(loaded.options))


def _network(claim: Claim, weights: LoadedWeights | None) -> torch.nn.Module:
    """Bicubic, or the network of the weights, at the claim's scale."""
    options = weights.options if weights else preset(claim.variant, scale=claim.scale)
    network = build_network(options, scale=claim.scale).eval()
    if weights:
        network.load_state_dict(weights.network.state_dict(), strict=True)
    return network


def _means(
    claim: Claim, network: torch.nn.Module, pictures: tuple[HRImage, ...], device: torch.device
) -> dict[str, float]:
    from srlab.use.evaluation import evaluate_network

    assert claim.protocol
    rules = EvaluationProtocol(color=claim.protocol)
    scores = [one.scores for one in evaluate_network(network, pictures, protocol=rules, device=device)]
    return {kind: sum(each[kind] for each in scores) / len(scores) for kind in ("psnr_y", "ssim_y")}


def _cost(claim: Claim) -> float:
    options = preset(claim.variant, scale=claim.scale)
    if claim.kind == "parameters":
        return float(num_parameters(options, scale=claim.scale))
    return multiply_adds(options, scale=claim.scale) / 1e9


def _judged(claim: Claim, measured: float) -> Result:
    is_met = abs(measured - claim.published) <= claim.tolerance
    return Result(claim=claim, outcome="pass" if is_met else "fail", measured=measured)
