"""What upscaling in tiles promises: the whole image's picture, for any tile, size and memory.

`tests/same_picture.py` says what "the same picture" means. Here are networks whose seams would show.
"""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from same_picture import assert_same_floats, assert_same_pixels
from srlab.errors import UserError
from srlab.networks import (
    NETWORKS,
    BatchNorm,
    BicubicOptions,
    EDSROptions,
    Network,
    NetworkOptions,
    RDNOptions,
    SRCNNOptions,
    SRResNetOptions,
    VDSROptions,
    build_network,
)
from srlab.networks.complexity import receptive_radius
from srlab.pixels.color import to_uint8
from srlab.use.upscale import default_tile, grid, upscale_tensor

TINY: dict[str, NetworkOptions] = {
    "bicubic": BicubicOptions(),
    "srcnn-valid": SRCNNOptions(num_features=(6, 4)),
    "srcnn-luma": SRCNNOptions(num_features=(6, 4), color="luma"),
    "srcnn-same": SRCNNOptions(num_features=(6, 4), padding="same", skip="bilinear", enlargement="bilinear"),
    "vdsr": VDSROptions(num_features=(6,) * 3),
    "vdsr-luma": VDSROptions(num_features=(6,) * 3, color="luma", gray_residual=False),
    "edsr": EDSROptions(num_blocks=2, num_features=8),
    "edsr-batch-norm": EDSROptions(num_blocks=2, num_features=8, batch_norm=BatchNorm()),
    "rdn": RDNOptions(num_blocks=2, num_layers=2, growth=4, num_features=6, upsampler_features=4),
    "srresnet": SRResNetOptions(num_blocks=2, num_features=6),
}

every_network = pytest.mark.parametrize("name", TINY)


def lively(options: NetworkOptions, *, scale: int = 2) -> Network:
    """A random network whose batch norm has statistics of its own, as after training."""
    network = build_network(options, scale=scale)
    with torch.no_grad():
        for statistic_name, statistic in network.named_buffers():
            if statistic_name.endswith("running_mean"):
                statistic.uniform_(-0.1, 0.1)
            if statistic_name.endswith("running_var"):
                statistic.uniform_(0.5, 1.5)
    return network.eval()


def test_every_architecture_is_tried_here() -> None:
    assert {type(options) for options in TINY.values()} == set(NETWORKS)


def levels_of(sr: Tensor) -> NDArray[np.float32]:
    """SR [1, C, H, W] -> the values [H, W, C] that are rounded to levels, where 1 is white."""
    return np.asarray(sr[0].permute(1, 2, 0).clamp(0, 1).numpy())


def assert_same_picture(found: Tensor, expected: Tensor) -> None:
    """Both are SR [1, C, H, W], as floats and once rounded to uint8."""
    assert_same_floats(found, expected)
    assert_same_pixels(to_uint8(found[0]), to_uint8(expected[0]), values=levels_of(expected))


@every_network
@pytest.mark.parametrize("tile", [5, 16, 64])
def test_tiles_join_without_seams(name: str, tile: int) -> None:
    network = lively(TINY[name])
    lr = torch.rand(1, 3, 37, 23)
    assert_same_picture(upscale_tensor(network, lr, tile=tile), network(lr).detach())


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("tile", [7, 20, 33])
def test_exact_halves_of_bicubic_differ_by_one_level_at_most(scale: int, tile: int) -> None:
    """From whole levels bicubic often gives a level and a half, where the last bit decides."""
    network = lively(TINY["bicubic"], scale=scale)
    lr = torch.randint(0, 256, (1, 3, 90, 70)) / 255
    assert_same_picture(upscale_tensor(network, lr, tile=tile), upscale_tensor(network, lr, tile=1000))


@every_network
@pytest.mark.parametrize("size", [(1, 1), (1, 9), (7, 1), (2, 3)])
def test_any_size_goes_down_to_one_pixel(name: str, size: tuple[int, int]) -> None:
    network = lively(TINY[name], scale=3)
    sr = upscale_tensor(network, torch.rand(1, 3, *size), tile=2)
    assert sr.shape == (1, 3, 3 * size[0], 3 * size[1])
    assert torch.isfinite(sr).all()


@pytest.mark.parametrize("name", ["srcnn-luma", "vdsr-luma", "bicubic"])
def test_luma_goes_from_y_to_y(name: str) -> None:
    network = lively(TINY[name])
    forward: Callable[[Tensor], Tensor] = network.forward_luma  # type: ignore[assignment]
    y = torch.rand(1, 1, 19, 33)
    assert_same_picture(upscale_tensor(network, y, tile=8, luma=True), forward(y).detach())


class FarSighted(Network):
    """Each pixel is the mean of the two that are `reach` pixels away along the two diagonals."""

    def __init__(self, reach: int) -> None:
        super().__init__(scale=2, enlargement="sub_pixel", skip=None)
        convolutions = [nn.Conv2d(6, 6, 3, padding=1, groups=6, bias=False) for _ in range(reach)]
        self.split = nn.Conv2d(3, 6, 1, bias=False)
        self.body = nn.Sequential(*convolutions)
        self.join = nn.Conv2d(6, 12, 1, bias=False)
        self.larger = nn.PixelShuffle(2)
        with torch.no_grad():
            self.split.weight.copy_(torch.eye(3).repeat(2, 1)[:, :, None, None])
            for convolution in convolutions:
                convolution.weight.zero_()
                convolution.weight[:3, 0, 0, 0] = 1
                convolution.weight[3:, 0, 2, 2] = 1
            self.join.weight.copy_(torch.eye(3).repeat_interleave(4, 0).repeat(1, 2)[:, :, None, None] / 2)

    def forward(self, lr: Tensor) -> Tensor:
        larger: Tensor = self.larger(self.join(self.body(self.split(lr))))
        return larger


@pytest.mark.parametrize("reach", [3, 21, 30])
@pytest.mark.parametrize("tile", [5, 20, 33])
def test_a_network_that_sees_only_what_is_far_away_has_no_seams(reach: int, tile: int) -> None:
    network = FarSighted(reach)
    lr = torch.rand(1, 3, 70, 90)
    assert receptive_radius(network) == reach
    assert_same_picture(upscale_tensor(network, lr, tile=tile), network(lr).detach())


def test_a_margin_that_is_one_pixel_too_narrow_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or the tests with `FarSighted` would prove nothing."""
    network = FarSighted(21)
    lr = torch.rand(1, 3, 70, 90)
    whole = network(lr).detach()
    monkeypatch.setattr("srlab.use.upscale.receptive_radius", lambda _: 20)
    tiled = upscale_tensor(network, lr, tile=33)
    with pytest.raises(AssertionError):
        assert_same_floats(tiled, whole)
    with pytest.raises(AssertionError, match="levels"):
        assert_same_pixels(to_uint8(tiled[0]), to_uint8(whole[0]), values=levels_of(whole))


def test_a_level_of_difference_is_allowed_at_a_rounding_boundary_alone() -> None:
    values = np.array([100.5 / 255 - 0.9e-5, 100.5 / 255 - 1.1e-5, 0.1])
    expected = np.array([100, 100, 26], np.uint8)
    assert_same_pixels(np.array([101, 100, 26], np.uint8), expected, values=values)
    with pytest.raises(AssertionError, match="1 of 3 pixels differ far from a rounding boundary"):
        assert_same_pixels(np.array([101, 101, 26], np.uint8), expected, values=values)
    with pytest.raises(AssertionError, match="up to 2 levels"):
        assert_same_pixels(np.array([102, 100, 26], np.uint8), expected, values=values)


def test_the_grid_covers_each_pixel_once_and_no_tile_is_larger_than_asked() -> None:
    seen = torch.zeros(23, 41)
    for top, left, bottom, right in grid((23, 41), 10):
        assert bottom - top <= 10
        assert right - left <= 10
        seen[top:bottom, left:right] += 1
    assert (seen == 1).all()


def test_the_default_tile_depends_on_the_network_alone_and_is_smaller_for_a_wider_one() -> None:
    small = default_tile(build_network(EDSROptions(num_blocks=1, num_features=16), scale=4))
    large = default_tile(build_network(EDSROptions(num_blocks=1, num_features=256), scale=4))
    assert 64 <= large < small <= 1024
    deep = build_network(EDSROptions(num_blocks=40, num_features=256), scale=4)
    assert default_tile(deep) >= receptive_radius(deep)


def test_the_network_keeps_the_mode_of_each_module_and_is_evaluated_as_in_eval() -> None:
    network = lively(TINY["edsr-batch-norm"]).train()
    frozen = next(module for module in network.modules() if isinstance(module, nn.BatchNorm2d))
    frozen.eval()
    modes = [module.training for module in network.modules()]
    lr = torch.rand(1, 3, 9, 9)
    sr = upscale_tensor(network, lr)
    assert [module.training for module in network.modules()] == modes
    assert torch.equal(sr, upscale_tensor(network.eval(), lr))


class Starved(Network):
    """A network on a device that holds `limit` pixels."""

    def __init__(self, network: Network, limit: int, error: type[Exception]) -> None:
        super().__init__(scale=2, enlargement="sub_pixel", skip=None)
        self.network = network
        self.limit = limit
        self.error = error
        self.areas: list[int] = []

    def forward(self, lr: Tensor) -> Tensor:
        self.areas.append(lr.shape[2] * lr.shape[3])
        if self.areas[-1] > self.limit:
            raise self.error("DefaultCPUAllocator: can't allocate memory: you tried to allocate too much")
        sr: Tensor = self.network(lr)
        return sr


@pytest.mark.parametrize("error", [torch.OutOfMemoryError, RuntimeError, MemoryError])
def test_out_of_memory_makes_the_tiles_smaller_and_the_picture_the_same(
    error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    network = lively(TINY["edsr"])
    radius = receptive_radius(network)
    monkeypatch.setattr("srlab.use.upscale.receptive_radius", lambda _: radius)
    lr = torch.rand(1, 3, 70, 90)
    starved = Starved(network, limit=(32 + 2 * radius) ** 2, error=error)
    tiled = upscale_tensor(starved, lr)
    assert_same_picture(tiled, upscale_tensor(network, lr))
    refused = sum(area > starved.limit for area in starved.areas)
    assert refused <= 4  # a size that was refused once is not tried again for each tile


def test_out_of_memory_for_the_smallest_tile_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("srlab.use.upscale.receptive_radius", lambda _: 3)
    starved = Starved(lively(TINY["edsr"]), limit=0, error=torch.OutOfMemoryError)
    with pytest.raises(UserError, match="too little free memory"):
        upscale_tensor(starved, torch.rand(1, 3, 40, 40))


def test_another_error_is_not_taken_for_missing_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("srlab.use.upscale.receptive_radius", lambda _: 3)

    def broken(_: Tensor) -> Tensor:
        raise RuntimeError("shapes do not fit")

    network = lively(TINY["edsr"])
    monkeypatch.setattr(network, "forward", broken)
    with pytest.raises(RuntimeError, match="shapes do not fit"):
        upscale_tensor(network, torch.rand(1, 3, 40, 40))


def test_bf16_is_close_and_comes_back_as_float32() -> None:
    network = lively(TINY["edsr"])
    lr = torch.rand(1, 3, 20, 20)
    exact, coarse = upscale_tensor(network, lr), upscale_tensor(network, lr, precision="bf16")
    assert coarse.dtype == torch.float32
    assert 0 < (coarse - exact).abs().max() < 0.05


@pytest.mark.parametrize("lr", [torch.rand(2, 3, 4, 4), torch.rand(3, 4, 4), torch.zeros(1, 3, 4, 4).byte()])
def test_anything_but_one_float_image_is_a_programming_error(lr: Tensor) -> None:
    with pytest.raises(ValueError, match="one float image"):
        upscale_tensor(lively(TINY["edsr"]), lr)


def test_a_tile_has_at_least_one_pixel() -> None:
    with pytest.raises(UserError, match="at least 1 pixel"):
        upscale_tensor(lively(TINY["edsr"]), torch.rand(1, 3, 4, 4), tile=0)


def test_no_tile_is_so_small_that_its_sums_are_added_up_in_another_order() -> None:
    """Some kernels do so for small pictures; the last bit that differs would tip one rounding in 100,000."""
    network = lively(TINY["srcnn-same"])
    sides: list[int] = []
    network.register_forward_hook(lambda _, inputs, __: sides.extend(inputs[0].shape[-2:]))
    upscale_tensor(network, torch.rand(1, 3, 50, 60), tile=1)
    assert min(sides) == 21  # in a corner
    assert max(sides) == 41
