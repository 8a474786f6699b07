"""What self-ensemble and networks in a row promise: plain means, and no seams between tiles."""

import itertools
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

import srlab
from srlab import Upscaler, UserError
from srlab.cli import main
from srlab.declare.protocol import EvaluationProtocol
from srlab.folder.checkpoints import load_weights, save_weights
from srlab.networks import EDSROptions, Network, SRCNNOptions, build_network, preset
from srlab.networks.complexity import receptive_radius
from srlab.networks.composed import ORIENTATIONS, Chain, SelfEnsemble, oriented, upright
from srlab.pixels.color import to_tensor
from srlab.pixels.images import read_hr_image
from srlab.use.evaluation import evaluate_network
from srlab.use.upscale import upscale_tensor
from tiny_study import write_pictures

TINY = EDSROptions(num_blocks=1, num_features=4)
LUMA = SRCNNOptions(num_features=(4, 4), color="luma")


def network(scale: int = 2) -> Network:
    return build_network(TINY, scale=scale).eval()


def image(*shape: int) -> Tensor:
    return torch.rand(1, 3, *shape)


def test_the_eight_orientations_are_all_there_are_and_come_back() -> None:
    lr = image(3, 5)
    turned = [oriented(lr, *orientation) for orientation in ORIENTATIONS]
    assert all(
        one.shape != other.shape or not torch.equal(one, other)
        for one, other in itertools.combinations(turned, 2)
    )
    for orientation, one in zip(ORIENTATIONS, turned, strict=True):
        assert torch.equal(upright(one, *orientation), lr)


def test_self_ensemble_is_the_plain_mean() -> None:
    """Against flips and quarter turns written out with NumPy."""
    one, lr = network(), image(7, 9)
    found = []
    with torch.no_grad():
        for mirrored, turns in itertools.product((False, True), range(4)):
            pixels = lr[0].numpy()
            pixels = pixels[:, :, ::-1] if mirrored else pixels
            turned = torch.from_numpy(np.rot90(pixels, turns, (1, 2)).copy())[None]
            back = np.rot90(one(turned)[0].numpy(), -turns, (1, 2))
            found.append(back[:, :, ::-1] if mirrored else back)
        ensemble = SelfEnsemble(one)(lr)
    np.testing.assert_allclose(ensemble[0].numpy(), np.mean(found, axis=0), atol=1e-5)
    assert not torch.allclose(ensemble, one(lr), atol=1e-4)


@pytest.mark.parametrize("orientation", ORIENTATIONS, ids=str)
def test_self_ensemble_makes_the_same_of_an_image_however_it_is_turned(
    orientation: tuple[int, bool],
) -> None:
    lr = image(6, 8)
    with torch.no_grad():
        one = SelfEnsemble(network())
        torch.testing.assert_close(
            one(oriented(lr, *orientation)), oriented(one(lr), *orientation), atol=1e-5, rtol=0
        )
        plain = one.network
        if orientation != (0, False):  # the network alone does not: the test can fail
            turned = plain(oriented(lr, *orientation))
            assert not torch.allclose(turned, oriented(plain(lr), *orientation), atol=1e-4)


def test_self_ensemble_of_a_network_on_luma_works_on_luma() -> None:
    one = build_network(LUMA, scale=2).eval()
    lr = torch.rand(1, 1, 6, 5)
    forward_luma: Any = one.forward_luma
    with torch.no_grad():
        found = upscale_tensor(SelfEnsemble(one), lr, luma=True)
        expected = torch.stack(
            [upright(forward_luma(oriented(lr, *orientation)), *orientation) for orientation in ORIENTATIONS]
        ).mean(dim=0)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)
    assert not hasattr(SelfEnsemble(network()), "forward_luma")


def test_self_ensemble_of_bicubic_is_refused() -> None:
    with pytest.raises(UserError, match="in every orientation"):
        SelfEnsemble(build_network(preset("bicubic", scale=2), scale=2))


def test_a_chain_is_one_network_after_the_other_clamped_between() -> None:
    first, second = network(2), network(4)
    lr = image(5, 4)
    with torch.no_grad():
        middle = first(lr)
        expected = second(middle.clamp(0, 1))
        chain = Chain([first, second])
        assert middle.min() < 0 or middle.max() > 1  # what is clamped is there
        torch.testing.assert_close(chain(lr), expected, atol=1e-5, rtol=0)
    assert (chain.scale, chain.color) == (8, "rgb")


def test_networks_on_luma_and_on_rgb_make_no_chain() -> None:
    with pytest.raises(UserError, match="the same colors"):
        Chain([network(), build_network(LUMA, scale=2)])


@pytest.mark.parametrize(
    "composed",
    [
        lambda: SelfEnsemble(network()),
        lambda: Chain([network(), network(), network()]),
        lambda: SelfEnsemble(Chain([network(), network(4)])),
    ],
    ids=["self-ensemble", "chain", "self-ensemble of a chain"],
)
def test_tiles_of_a_composed_network_have_no_seams(composed: object) -> None:
    one = composed()  # type: ignore[operator]
    lr = image(70, 45)
    with torch.no_grad():
        whole = one(lr)
    torch.testing.assert_close(upscale_tensor(one, lr, tile=24), whole, atol=1e-5, rtol=0)


def test_the_reach_of_a_chain_is_what_changes_when_a_pixel_changes() -> None:
    chain = Chain([network(), network()])
    radius = receptive_radius(chain)
    assert radius > receptive_radius(network())
    side = 2 * radius + 9
    lr = image(side, side)
    changed = lr.clone()
    changed[..., side // 2, side // 2] = 1 - changed[..., side // 2, side // 2]
    with torch.no_grad():
        difference = (chain(changed) - chain(lr)).abs().amax(dim=(0, 1))
    rows = difference.amax(dim=1).nonzero().flatten() // chain.scale
    assert side // 2 - radius <= rows.min()
    assert rows.max() <= side // 2 + radius


def test_an_upscaler_takes_a_composed_network_as_any_other() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (9, 7, 4)).astype(np.uint8)
    one = Upscaler(Chain([network(), network(4)]), variant="edsr/tiny")
    assert one.upscale(pixels).shape == (72, 56, 4)
    ensemble = Upscaler(SelfEnsemble(network()), variant="edsr/tiny+")
    assert ensemble.upscale(pixels).shape == (18, 14, 4)


# By path and by name


@pytest.fixture
def weights(tmp_path: Path) -> Callable[[int], Path]:
    """A weights file of a tiny network for a scale."""

    def save(scale: int) -> Path:
        path = tmp_path / f"x{scale}.safetensors"
        save_weights(path, network(scale), variant="edsr/tiny", options=TINY, scale=scale)
        return path

    return save


PIXELS = np.random.default_rng(0).integers(0, 256, (9, 7, 3)).astype(np.uint8)


def test_x8_is_a_network_for_x2_three_times(weights: Callable[[int], Path]) -> None:
    path = weights(2)
    upscaler = srlab.load(path, scale=8)
    assert upscaler.scale == 8
    assert upscaler.source.startswith("a chain, x2 then x2 then x2: the weights file")
    alone = load_weights(path).network
    with torch.no_grad():
        image = to_tensor(PIXELS)[None]
        for _ in range(3):
            image = alone(image.clamp(0, 1))
    found = upscaler.upscale(PIXELS).astype(float)
    assert np.abs(found - 255 * image[0].clamp(0, 1).permute(1, 2, 0).numpy()).max() < 0.501


def test_a_network_for_x4_alone_gives_no_x8(weights: Callable[[int], Path]) -> None:
    with pytest.raises(UserError, match="enlarges by 4; x8 applies a network for x2"):
        srlab.load(weights(4), scale=8)


def test_without_a_name_x8_is_made_of_the_included_networks() -> None:
    upscaler = srlab.load(scale=8)
    assert upscaler.source.startswith("a chain, x2 then x")
    assert upscaler.upscale(PIXELS).shape == (72, 56, 3)


def test_self_ensemble_is_asked_for_and_named_with_a_plus(weights: Callable[[int], Path]) -> None:
    path = weights(2)
    plain, ensemble = srlab.load(path), srlab.load(path, self_ensemble=True)
    assert (plain.variant, ensemble.variant) == ("edsr/tiny", "edsr/tiny+")
    assert "self-ensemble: the mean over eight orientations" in ensemble.source
    turned = np.ascontiguousarray(np.rot90(PIXELS))
    difference = ensemble.upscale(turned).astype(int) - np.rot90(ensemble.upscale(PIXELS)).astype(int)
    assert np.abs(difference).max() <= 1  # a level where the float lies on a boundary
    assert (ensemble.upscale(PIXELS) != plain.upscale(PIXELS)).any()


def run(monkeypatch: pytest.MonkeyPatch, *words: object, code: int = 0) -> None:
    monkeypatch.setattr(sys, "argv", ["srlab", *map(str, words)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert (ended.value.code or 0) == code


def test_upscale_has_options_for_both(
    weights: Callable[[int], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = weights(2)
    Image.fromarray(PIXELS).save(tmp_path / "in.png")
    run(
        monkeypatch,
        *("upscale", tmp_path / "in.png", tmp_path / "out.png", "--model", path),
        *("--scale", 8, "--self-ensemble"),
    )
    with Image.open(tmp_path / "out.png") as image:
        assert image.size == (56, 72)
        found = np.asarray(image)
    expected = srlab.load(path, scale=8, self_ensemble=True).upscale(PIXELS)
    assert np.abs(found.astype(int) - expected).max() <= 1
    err = " ".join(capsys.readouterr().err.split())
    assert "x8 with a chain, x2 then x2 then x2: " in err
    assert "self-ensemble" in err


def test_evaluate_scores_self_ensemble_under_a_name_of_its_own(
    weights: Callable[[int], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path, data = weights(2), write_pictures(tmp_path / "set", 2, seed=1)
    found = {}
    for option in ((), ("--self-ensemble",)):
        run(monkeypatch, "evaluate", path, "--data", data, "--json", *option)
        values = json.loads(capsys.readouterr().out)
        found[values["model"]] = values["psnr_y"]
    assert list(found) == ["edsr/tiny", "edsr/tiny+"]
    assert found["edsr/tiny"] != found["edsr/tiny+"]
    images = [read_hr_image(file) for file in sorted(Path(data).glob("*.png"))]
    scores = [
        evaluation.scores["psnr_y"]
        for evaluation in evaluate_network(
            SelfEnsemble(load_weights(path).network),
            images,
            protocol=EvaluationProtocol(),
            device=torch.device("cpu"),
        )
    ]
    assert found["edsr/tiny+"] == pytest.approx(np.mean(scores), abs=1e-5)
    for words, message in (
        (("bicubic", "--scale", 2), "in every orientation"),
        ((data, "--scale", 2), "is a folder of pictures, and --self-ensemble needs a network"),
    ):
        run(monkeypatch, "evaluate", *words, "--data", data, "--self-ensemble", code=2)
        assert message in " ".join(capsys.readouterr().err.split())
