"""What strips promise: a network's own result, with few rows of it in memory."""

import pytest
import torch
from torch import nn

from same_picture import assert_same_floats
from srlab.networks import EDSROptions, build_network, preset
from srlab.networks.composed import Chain, SelfEnsemble
from srlab.networks.streaming import streaming, streams_of
from srlab.use.upscale import default_tile, tile_bytes, upscale_tensor
from test_upscale import TINY, lively

with_layers = pytest.mark.parametrize("name", [name for name in TINY if name != "bicubic"])


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("size", [(61, 23), (16, 40), (7, 9)])
@with_layers
def test_strips_give_what_the_network_gives_whole(name: str, size: tuple[int, int], scale: int) -> None:
    network = lively(TINY[name], scale=scale)
    lr = torch.rand(1, 3, *size)
    with torch.inference_mode():
        whole = network(lr)
        with streaming(streams_of(network)):
            in_strips = network(lr)
    assert_same_floats(in_strips, whole)
    assert "forward" not in vars(network)  # the network is as it was


@with_layers
def test_a_taller_image_takes_no_more_memory(name: str) -> None:
    network = lively(TINY[name])
    streams = streams_of(network)
    with torch.inference_mode(), streaming(streams):
        network(torch.rand(1, 3, 8, 8))
    (stream,) = streams.values()
    assert stream.num_bytes(4000, 50) <= 1.01 * stream.num_bytes(1000, 50)
    assert stream.num_bytes(1000, 100) > 1.9 * stream.num_bytes(1000, 50)


@with_layers
def test_large_tiles_in_strips_are_the_picture_without_them(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = lively(TINY[name])
    lr = torch.rand(1, 3, 70, 90)
    expected = upscale_tensor(network, lr, tile=128)
    monkeypatch.setattr("srlab.use.upscale.whole_pixels", lambda *_, **__: 100)
    assert_same_floats(upscale_tensor(network, lr, tile=48, in_strips=True), expected)


@pytest.mark.parametrize("name", ["edsr/baseline", "edsr/paper", "rdn/paper", "vdsr/paper"])
def test_a_tile_of_a_deep_network_takes_a_part_of_the_memory_for_a_large_picture(name: str) -> None:
    network = build_network(preset(name, scale=2), scale=2).eval()
    tile = default_tile(network, in_strips=True)
    assert tile >= 64
    assert tile_bytes(network, (tile, tile), in_strips=True) <= 0.5e9
    assert tile_bytes(network, (tile, tile)) > 0.7e9  # whole it would take more


def test_a_chain_and_a_self_ensemble_go_in_strips_too(monkeypatch: pytest.MonkeyPatch) -> None:
    networks = [lively(TINY["srcnn-same"]), lively(TINY["edsr"])]
    lr = torch.rand(1, 3, 40, 50)
    for network in (Chain(networks).eval(), SelfEnsemble(networks[1]).eval()):
        expected = upscale_tensor(network, lr)
        with monkeypatch.context() as patch:
            patch.setattr("srlab.use.upscale.whole_pixels", lambda *_, **__: 100)
            assert_same_floats(upscale_tensor(network, lr, tile=30, in_strips=True), expected)


@pytest.mark.parametrize(
    "convolution",
    [
        nn.Conv2d(4, 4, 3, padding=1, padding_mode="reflect"),
        nn.Conv2d(4, 4, 3, padding="same"),
        nn.Sequential(nn.Conv2d(4, 4, 2, padding=1), nn.Conv2d(4, 4, 2)),
    ],
)
def test_a_network_that_strips_do_not_know_goes_whole(
    convolution: nn.Module, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = lively(EDSROptions(num_blocks=1, num_features=4))
    network.body.append(convolution)  # type: ignore[operator, union-attr]
    lr = torch.rand(1, 3, 50, 40)
    with torch.inference_mode():
        expected = network.eval()(lr)
    before = default_tile(network)
    monkeypatch.setattr("srlab.use.upscale.whole_pixels", lambda *_, **__: 100)
    assert_same_floats(upscale_tensor(network, lr, tile=64, in_strips=True), expected)
    assert default_tile(network, in_strips=True) == before
    assert tile_bytes(network, (64, 64), in_strips=True) == tile_bytes(network, (64, 64))
