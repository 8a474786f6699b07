"""How far do SR and HR look apart? LPIPS, and its uncalibrated form, beside PSNR, which cannot judge a GAN.

Zhang, Isola, Efros, Shechtman and Wang, "The Unreasonable Effectiveness of Deep Features as a Perceptual
Metric", CVPR 2018. https://arxiv.org/abs/1801.03924

Features of seven layers of SqueezeNet are normalized to unit length over the channels at each place; the
squared differences are summed over the channels, averaged over the places and summed over the layers. Which
number that is depends on the weights, and so does its name:

- ``lpips_squeeze`` is LPIPS 0.1 with the backbone SqueezeNet: torchvision's features, and channels weighted
  by the published heads, which were fitted to people's judgements.
- ``squeezenet_distance`` is the same without heads (every channel weighs 1), on features of the Keras file.

The heads are not used with the Keras file, since they were not fitted to it: together they give 0.160 and
0.153 for the two pairs of noise of torchmetrics 1.9's documentation, where LPIPS is 0.1024 and 0.0938. Both
numbers are lower for pictures more alike and 0 for equal ones; one is never compared with the other.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from srlab import store
from srlab.color import to_tensor
from srlab.data.datasets import ImageSet, load_sets
from srlab.data.weights import absent, weights_file
from srlab.errors import UserError
from srlab.images import crop_to_multiple, read_hr_image
from srlab.networks.pth import read_tensors
from srlab.networks.squeezenet import WIDTHS, SqueezeNet, load_squeezenet
from srlab.protocol import EvaluationProtocol
from srlab.records import picture_path, stored_scores
from srlab.scores import Score, save_scores

LPIPS = "lpips_squeeze"
UNCALIBRATED = "squeezenet_distance"
EPS = 1e-10  # LPIPS's, added to the length by which features are divided
SMALLEST = 17  # pixels on a side, that SqueezeNet's last features are there

Report = Callable[[str, int, int], None]  # a test set's name, how many of its images are done, of how many


class PerceptualDistance:
    """A distance of two pictures; `name` says which, `weights` the SHA-256 of the files it is made with.

    `heads` are seven vectors with a weight of at least 0 for each channel.
    """

    def __init__(
        self, network: SqueezeNet, heads: list[Tensor] | None, *, weights: Mapping[str, str] | None = None
    ) -> None:
        self.network = network
        self.heads = [torch.ones(width) for width in WIDTHS] if heads is None else heads
        self.name = UNCALIBRATED if heads is None else LPIPS
        self.weights = dict(weights or {})

    def __call__(self, sr: Tensor, hr: Tensor) -> Tensor:
        """SR and HR [N, 3, H, W] in [0, 1] -> their distances [N]; computed in float32."""
        return self.between(self.features(sr), self.features(hr))

    def features(self, image: Tensor) -> list[Tensor]:
        """What is compared of images [N, 3, H, W] in [0, 1]: unit vectors at each place of seven layers."""
        with torch.no_grad():
            found = self.network(2 * image.float() - 1)
            return [layer / (layer.square().sum(1, keepdim=True).sqrt() + EPS) for layer in found]

    def between(self, ours: Iterable[Tensor], theirs: Iterable[Tensor]) -> Tensor:
        """The distances [N] of images of which `features` are given."""
        total = torch.zeros(())
        for a, b, head in zip(ours, theirs, self.heads, strict=True):
            total = total + ((a - b).square() * head[:, None, None]).sum(1).mean((1, 2))
        return total


def load_distance(*, squeezenet: Path | None = None, heads: Path | None = None) -> PerceptualDistance:
    """LPIPS of the files named, or of those that `srlab data get` fetches; uncalibrated of an ``.h5``.

    Raises:
        UserError: a file is not there, damaged or of another network, or heads are named that do not belong
            to the features.
    """
    features = squeezenet or _fetched("squeezenet")
    network = load_squeezenet(features)
    if network.trained_as == "caffe":
        if heads is not None:
            raise UserError(
                f"{heads} was fitted to torchvision's SqueezeNet, not to the one in {features}; name "
                f"that one, or leave the heads out, which gives {UNCALIBRATED}"
            )
        return PerceptualDistance(network, None, weights={"squeezenet": _sha256(features)})
    fitted = heads or _fetched("lpips_squeeze")
    return PerceptualDistance(
        network, _load_heads(fitted), weights={"squeezenet": _sha256(features), "heads": _sha256(fitted)}
    )


def _fetched(name: str) -> Path:
    path = weights_file(name)
    if not path.is_file():
        option = {"squeezenet": "--squeezenet", "lpips_squeeze": "--heads"}[name]
        raise absent(name, hint=f"; or give a copy's place with {option} PATH")
    return path


def _load_heads(path: Path) -> list[Tensor]:
    """LPIPS 0.1's seven heads: one weight for each channel."""
    weights = read_tensors(path, what="heads of LPIPS")
    expected = {f"lin{layer}.model.1.weight": width for layer, width in enumerate(WIDTHS)}
    for name, width in expected.items():
        if name not in weights or weights[name].shape != (1, width, 1, 1):
            raise UserError(
                f"{path} holds no heads of LPIPS for SqueezeNet: {name!r} is not [1, {width}, 1, 1]"
            )
        if not bool(((weights[name] >= 0) & weights[name].isfinite()).all()):
            raise UserError(f"{path} is damaged: {name!r} holds other than numbers of at least 0")
    if unknown := sorted(set(weights) - set(expected)):
        raise UserError(f"{path} holds no heads of LPIPS for SqueezeNet: it has {unknown[0]!r}")
    return [weights[name].flatten().float() for name in expected]


def score_pictures(
    study: Path, distance: PerceptualDistance, *, tests: Iterable[str] = (), report: Report | None = None
) -> list[Path]:
    """Score every SR picture that the study in the folder `study` keeps, bicubic's too; the files written.

    Each goes to ``test/perceptual.json`` beside the pictures, in the format of ``test/scores.json``. As many
    pixels as the scale are left out along each edge; a gray picture is three equal channels. Test sets that
    have been scored with the same weights are left as they are. HR is read from the sets that the study was
    tested on, or from `tests` where they have moved, and must be the same pictures.

    Raises:
        UserError: `study` is no study's folder; a set is missing or has other pictures than it had; an SR
            picture is missing or has another size than it should.
    """
    declared = store.load_study(study)
    scale, protocol = int(declared["scale"]), EvaluationProtocol(**declared["evaluation"])
    folders = [study / name for name in (store.BASELINE, *(run["name"] for run in declared["runs"]))]
    scores = {folder: _stored(folder, distance, protocol) for folder in folders}
    lacking = {
        folder: missing
        for folder in folders
        if (missing := _tested(folder, protocol) - {score.dataset for score in scores[folder]})
    }
    wanted = set().union(*lacking.values())
    if not wanted:
        return []
    sets = load_sets(tuple(tests) or tuple(declared["test"]), role="test")
    _check_images(study, declared, sets, wanted)
    for tested in sets:
        concerned = [folder for folder in lacking if tested.name in lacking[folder]]
        for count, image in enumerate(tested.images if concerned else (), start=1):
            hr = crop_to_multiple(image.pixels, scale)
            theirs = distance.features(_batch(hr, border=scale, name=image.name))
            for folder in concerned:
                path = picture_path(folder, dataset=tested.name, image=image.name)
                ours = distance.features(_batch(_read_sr(path, hr), border=scale, name=image.name))
                value = float(distance.between(ours, theirs))
                scores[folder].append(
                    Score(dataset=tested.name, image=image.name, metric=distance.name, value=value)
                )
            if report is not None:
                report(tested.name, count, len(tested.images))
    written = []
    for folder in lacking:
        path = folder / store.PERCEPTUAL_SCORES
        save_scores(path, scores[folder], protocol=protocol, scale=scale, weights=distance.weights)
        written.append(path)
    return written


def _stored(folder: Path, distance: PerceptualDistance, protocol: EvaluationProtocol) -> list[Score]:
    """The scores that stay: those made with the same weights."""
    path = folder / store.PERCEPTUAL_SCORES
    stored = stored_scores(path, protocol=protocol)
    if stored is None or store.load_object(path).get("weights") != distance.weights:
        return []
    return list(stored.scores)


def _tested(folder: Path, protocol: EvaluationProtocol) -> set[str]:
    """The test sets of which there are pictures: their scores are written after them."""
    stored = stored_scores(folder / store.TEST_SCORES, protocol=protocol)
    return {score.dataset for score in stored.scores} if stored else set()


def _check_images(
    study: Path, declared: Mapping[str, Any], sets: tuple[ImageSet, ...], wanted: set[str]
) -> None:
    """That the sets are there, with the pictures that the study was tested on."""
    if missing := sorted(wanted - {tested.name for tested in sets}):
        raise UserError(f"{study} was tested on {', '.join(missing)} too; name all its test sets with --test")
    for tested in sets:
        known = {
            image["name"]: image["sha256"]
            for image in declared["images"]["test"]
            if image["set"] == tested.name
        }
        found = {image.name: image.sha256 for image in tested.images}
        if tested.name in wanted and found != known:
            odd = sorted(name for name in known.keys() | found.keys() if known.get(name) != found.get(name))
            raise UserError(
                f"the test set {tested.name} is not the one that {study} was tested on: {odd[0]} is missing, "
                "new or changed; name the folder with those pictures with --test"
            )


def _read_sr(path: Path, hr: NDArray[np.uint8]) -> NDArray[np.uint8]:
    if not path.is_file():
        raise UserError(f"the picture {path} is missing, which was scored; remove the scores beside it")
    sr: NDArray[np.uint8] = read_hr_image(path).pixels
    if sr.shape != hr.shape:
        raise UserError(
            f"{path} has {sr.shape[1]}x{sr.shape[0]} pixels; {hr.shape[1]}x{hr.shape[0]} were expected"
        )
    return sr


def _batch(pixels: NDArray[np.uint8], *, border: int, name: str) -> Tensor:
    """uint8 [H, W, 3] -> [1, 3, H - 2 border, W - 2 border] in [0, 1]."""
    inner = pixels[border:-border, border:-border]
    if min(inner.shape[:2]) < SMALLEST:
        raise UserError(
            f"{name} is too small for a perceptual distance: {inner.shape[1]}x{inner.shape[0]} pixels are "
            f"left without {border} along each edge, and {SMALLEST}x{SMALLEST} are needed"
        )
    return to_tensor(inner)[None].float()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
