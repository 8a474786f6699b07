"""What multiply-adds and receptive radius promise: the published numbers, and what the network shows."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from srlab.networks import (
    Activation,
    BatchNorm,
    BicubicOptions,
    EDSROptions,
    NetworkOptions,
    RDNOptions,
    SRCNNOptions,
    SRResNetOptions,
    VDSROptions,
    build_network,
    preset,
)
from srlab.networks.blocks import Network
from srlab.networks.complexity import multiply_adds, receptive_radius

PUBLISHED = {  # G multiply-adds at x2, x3 and x4, for SR of 1280 x 720 pixels
    "srcnn/paper_915": (7.4, 7.4, 7.4),
    "srcnn/paper_935": (22.5, 22.5, 22.5),
    "srcnn/paper_955": (52.7, 52.7, 52.7),
    "vdsr/paper": (612.6, 612.6, 612.6),
    "edsr/baseline": (316.2, 160.3, 114.2),
    "edsr/paper": (9384.7, 4476.5, 2894.5),
    "rdn/paper": (5096.2, 2284.7, 1309.2),
    "rdn/paper_small": (1293.9, 594.8, 358.7),
}

TINY: dict[str, NetworkOptions] = {
    "bicubic": BicubicOptions(),
    "srcnn": SRCNNOptions(num_features=(4, 4)),
    "srcnn-bilinear": SRCNNOptions(num_features=(4, 4), enlargement="bilinear", padding="same"),
    "srcnn-luma": SRCNNOptions(kernel_sizes=(5, 1, 3), num_features=(4, 4), color="luma"),
    "srcnn-sub-pixel": SRCNNOptions(
        kernel_sizes=(3, 3, 5), num_features=(4, 4), enlargement="sub_pixel", padding="same", skip="bilinear"
    ),
    "vdsr": VDSROptions(num_features=(4,) * 4),
    "edsr": EDSROptions(num_blocks=2, num_features=4, mean_shift=True, residual_scale=0.5),
    "edsr-bicubic": EDSROptions(num_blocks=1, num_features=4, enlargement="bicubic", skip="bilinear"),
    "rdn": RDNOptions(num_blocks=2, num_layers=2, growth=4, num_features=4, upsampler_features=4),
    "srresnet": SRResNetOptions(
        num_blocks=1, num_features=4, batch_norm=BatchNorm(), output="linear", skip="bicubic"
    ),
}
every_network = pytest.mark.parametrize("options", TINY.values(), ids=TINY)
every_scale = pytest.mark.parametrize("scale", [2, 3, 4])


@pytest.mark.parametrize(("name", "billions"), PUBLISHED.items(), ids=PUBLISHED)
def test_multiply_adds_are_the_published_ones(name: str, billions: tuple[float, ...]) -> None:
    counted = [multiply_adds(preset(name, scale=scale), scale=scale) for scale in (2, 3, 4)]
    assert [round(count / 1e9, 1) for count in counted] == list(billions)


def test_srresnet_s_multiply_adds_are_the_published_ones() -> None:
    assert round(multiply_adds(preset("srresnet/paper", scale=4), scale=4) / 1e9, 1) == 127.8


def test_bicubic_costs_nothing() -> None:
    assert multiply_adds(BicubicOptions(), scale=2) == 0


@every_network
@every_scale
def test_multiply_adds_are_what_the_convolutions_do(options: NetworkOptions, scale: int) -> None:
    """Counted once more, by watching a picture of 24 x 24 pass; exact where no convolution is "valid"."""
    options = replace(options, padding="same") if isinstance(options, SRCNNOptions) else options
    counted = 0

    def count(layer: nn.Module, _: object, result: Tensor) -> None:
        assert isinstance(layer, nn.Conv2d)
        nonlocal counted
        counted += layer.weight.numel() * result.shape[-2] * result.shape[-1]

    with torch.device("meta"):
        network = build_network(options, scale=scale)
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            layer.register_forward_hook(count)
    network(torch.rand(1, 3, 24, 24, device="meta"))
    assert multiply_adds(options, scale=scale) * (24 * scale) ** 2 == counted * 1280 * 720


def test_valid_convolutions_cost_as_much_as_padded_ones() -> None:
    options = SRCNNOptions(num_features=(4, 4))
    assert multiply_adds(options, scale=2) == multiply_adds(replace(options, padding="same"), scale=2)


@every_network
@every_scale
def test_nothing_beyond_the_radius_is_seen_and_little_within_is_not(
    options: NetworkOptions, scale: int
) -> None:
    network = build_network(options, scale=scale).double().eval()
    for parameter in network.parameters():
        nn.init.uniform_(parameter, 0.05, 0.1)  # nothing cancels, no ReLU is dead
    radius = receptive_radius(network)
    size, center = 2 * radius + 5, radius + 2
    lr = torch.rand(1, 3, size, size, dtype=torch.float64)
    changed = lr.clone()
    changed[..., center, center] += 0.1
    seen = (network(changed) - network(lr)).abs().amax(dim=(0, 1))
    blocks = seen.reshape(size, scale, size, scale).amax(dim=(1, 3)) > 0  # of the SR pixels of each LR pixel
    rows, columns = blocks.nonzero(as_tuple=True)
    reached = max((rows - center).abs().max().item(), (columns - center).abs().max().item())
    assert radius - 2 <= reached <= radius


def test_the_radius_does_not_depend_on_width_or_weights() -> None:
    wide = build_network(EDSROptions(num_blocks=2, num_features=8), scale=4)
    narrow = build_network(EDSROptions(num_blocks=2, num_features=2), scale=4)
    assert receptive_radius(wide) == receptive_radius(narrow) == 8


def test_a_layer_that_is_not_known_is_an_error_and_not_a_guess() -> None:
    class Blurred(Network):
        def __init__(self) -> None:
            super().__init__(scale=2, enlargement="bicubic", skip=None)
            self.blur = nn.AvgPool2d(3, stride=1, padding=1)

        def forward(self, lr: Tensor) -> Tensor:
            return self.blur(self.enlarged(lr))

    with pytest.raises(TypeError, match="does not know AvgPool2d"):
        receptive_radius(Blurred())


def _with(layer: nn.Module) -> Network:
    """A network that is one layer."""

    class One(Network):
        def __init__(self) -> None:
            super().__init__(scale=2, enlargement="sub_pixel", skip=None)
            self.layer = layer

        def forward(self, lr: Tensor) -> Tensor:
            known: Tensor = self.layer(lr)
            return known

    return One()


def test_batch_norm_of_the_image_s_own_mean_is_an_error() -> None:
    with pytest.raises(TypeError, match="does not know BatchNorm2d"):
        receptive_radius(_with(nn.BatchNorm2d(3, track_running_stats=False)))


def test_the_radius_is_that_of_the_longer_side_of_a_kernel() -> None:
    assert receptive_radius(_with(nn.Conv2d(3, 3, (1, 61), padding=(0, 30)))) == 30


def test_activations_cost_nothing() -> None:
    plain = EDSROptions(num_blocks=2, num_features=4)
    assert multiply_adds(plain, scale=2) == multiply_adds(
        replace(plain, activation=Activation("prelu", 0.1), batch_norm=BatchNorm()), scale=2
    )
