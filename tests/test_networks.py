"""What every network promises, whatever its architecture; and how large the named variants are."""

import json
from typing import Any

import pytest
import torch
from torch import Tensor

from srlab.errors import UserError
from srlab.networks import (
    NETWORKS,
    PRESETS,
    Activation,
    BatchNorm,
    BicubicOptions,
    Discriminator,
    DiscriminatorOptions,
    EDSROptions,
    NetworkOptions,
    RDNOptions,
    SRCNNOptions,
    SRResNetOptions,
    VDSROptions,
    build_network,
    edsr,
    fits_every_scale,
    num_parameters,
    num_running_statistics,
    options_from_dict,
    options_to_dict,
    preset,
    rdn,
    srcnn,
    srresnet,
    with_options,
)
from srlab.networks.srcnn import SRCNN
from srlab.networks.values import Initialization, Interpolation
from srlab.pixels.color import luma
from srlab.pixels.resize import resize

TINY: dict[str, NetworkOptions] = {
    "bicubic": BicubicOptions(),
    "srcnn": SRCNNOptions(num_features=(6, 4)),
    "srcnn-luma": SRCNNOptions(num_features=(6, 4), color="luma"),
    "srcnn-sub-pixel": SRCNNOptions(
        kernel_sizes=(3, 3, 3), num_features=(6, 4), enlargement="sub_pixel", padding="same", skip="bilinear"
    ),
    "vdsr": VDSROptions(num_features=(4, 6)),
    "vdsr-luma": VDSROptions(num_features=(4, 6), color="luma", gray_residual=False, skip="bicubic"),
    "vdsr-sub-pixel": VDSROptions(
        num_features=(4, 6), enlargement="sub_pixel", upsampler_activation=Activation("prelu", 0.1)
    ),
    "edsr": EDSROptions(num_blocks=2, num_features=4, mean_shift=True, residual_scale=0.5),
    "edsr-bilinear": EDSROptions(num_blocks=1, num_features=4, enlargement="bilinear", skip="bicubic"),
    "edsr-batch-norm": EDSROptions(
        num_blocks=2, num_features=4, batch_norm=BatchNorm(), activation=Activation("prelu", 0.1)
    ),
    "rdn": RDNOptions(num_blocks=2, num_layers=2, growth=4, num_features=6, upsampler_features=5),
    "rdn-bicubic": RDNOptions(
        num_blocks=2,
        num_layers=2,
        growth=4,
        num_features=6,
        upsampler_features=None,
        upsampler_activation=None,
        enlargement="bicubic",
        skip="bicubic",
    ),
    "srresnet": SRResNetOptions(num_blocks=2, num_features=4),
    "srresnet-linear": SRResNetOptions(
        num_blocks=1,
        num_features=4,
        output="linear",
        skip="bilinear",
        activation=Activation("prelu", 0.25, shared=True),
    ),
}

every_network = pytest.mark.parametrize("options", TINY.values(), ids=TINY)
every_trained_network = pytest.mark.parametrize(
    "options", [options for name, options in TINY.items() if name != "bicubic"], ids=list(TINY)[1:]
)
every_scale = pytest.mark.parametrize("scale", [2, 3, 4])


def test_every_architecture_is_tried_here() -> None:
    assert {type(options) for options in TINY.values()} == set(NETWORKS)


@every_network
@every_scale
@pytest.mark.parametrize("size", [(1, 1), (1, 9), (7, 5)])
def test_a_picture_of_any_size_becomes_scale_times_as_large(
    options: NetworkOptions, scale: int, size: tuple[int, int]
) -> None:
    network = build_network(options, scale=scale).eval()
    sr = network(torch.rand(2, 3, *size))
    assert sr.shape == (2, 3, scale * size[0], scale * size[1])
    assert sr.dtype == torch.float32
    assert sr.isfinite().all()
    assert network.scale == scale


@every_trained_network
@every_scale
def test_every_parameter_gets_a_gradient(options: NetworkOptions, scale: int) -> None:
    network = build_network(options, scale=scale)
    (network(torch.rand(2, 3, 8, 8)) - torch.rand(2, 3, 8 * scale, 8 * scale)).square().mean().backward()
    assert [name for name, p in network.named_parameters() if p.grad is None or not p.grad.any()] == []


@every_network
def test_everything_moves_to_another_device(options: NetworkOptions) -> None:
    network = build_network(options, scale=2).to("meta")
    assert network(torch.rand(2, 3, 8, 8, device="meta")).is_meta


@every_network
def test_a_network_can_be_made_without_its_numbers(options: NetworkOptions) -> None:
    with torch.device("meta"):
        network: Any = build_network(options, scale=3)
    assert all(tensor.is_meta for tensor in network.state_dict().values())
    assert network(torch.rand(2, 3, 8, 8, device="meta")).shape == (2, 3, 24, 24)


@every_network
def test_the_same_seed_gives_the_same_weights(options: NetworkOptions) -> None:
    def weights(seed: int) -> list[Tensor]:
        torch.manual_seed(seed)
        return [p.detach() for p in build_network(options, scale=2).parameters() if p.dim() > 1]

    assert all(torch.equal(a, b) for a, b in zip(weights(1), weights(1), strict=True))
    assert not any(torch.equal(a, b) for a, b in zip(weights(1), weights(2), strict=True))


@every_network
def test_options_survive_json(options: NetworkOptions) -> None:
    assert options_from_dict(json.loads(json.dumps(options_to_dict(options)))) == options


@every_trained_network
def test_bf16_autocast_stays_close_and_leaves_the_gradients_in_fp32(options: NetworkOptions) -> None:
    network: Any = build_network(options, scale=2)
    network.to(memory_format=torch.channels_last)
    lr = torch.rand(2, 3, 8, 8).contiguous(memory_format=torch.channels_last)
    network.eval()
    exact = network(lr)
    with torch.autocast("cpu", torch.bfloat16):
        sr = network(lr)
    sr.float().square().mean().backward()
    torch.testing.assert_close(sr.float(), exact, atol=0.05, rtol=0.05)
    assert all(p.grad is not None and p.grad.dtype == torch.float32 for p in network.parameters())


@pytest.mark.parametrize(
    "name", ["bicubic", "srcnn-luma", "srcnn-sub-pixel", "vdsr", "vdsr-luma", "edsr-bilinear", "rdn-bicubic"]
)
def test_bf16_autocast_leaves_interpolation_colour_and_skips_in_fp32(name: str) -> None:
    network: Any = build_network(TINY[name], scale=2).eval()
    with torch.autocast("cpu", torch.bfloat16):
        assert network(torch.rand(1, 3, 6, 6)).dtype == torch.float32


@every_network
def test_float64_is_computed_in_float64(options: NetworkOptions) -> None:
    network = build_network(options, scale=2).eval().double()
    assert network(torch.rand(1, 3, 6, 6, dtype=torch.float64)).dtype == torch.float64


@every_network
def test_one_picture_of_a_batch_does_not_change_another(options: NetworkOptions) -> None:
    network = build_network(options, scale=2).eval()
    lr = torch.rand(2, 3, 6, 7)
    torch.testing.assert_close(network(lr)[:1], network(lr[:1]))


@every_network
def test_weights_that_fit_every_scale_do(options: NetworkOptions) -> None:
    state = build_network(options, scale=2).state_dict()
    other = build_network(options, scale=4)
    fits = {name: t.shape for name, t in other.state_dict().items()} == {n: t.shape for n, t in state.items()}
    if fits_every_scale(options):
        assert fits
        other.load_state_dict(state)
    else:
        assert isinstance(options, SRCNNOptions | VDSROptions) or not fits


def test_bicubic_is_matlab_s() -> None:
    lr = torch.rand(1, 3, 5, 4)
    network: Any = build_network(BicubicOptions(), scale=3)
    assert torch.equal(network(lr), resize(lr, size=(15, 12)))
    assert torch.equal(network.forward_luma(lr[:, :1]), resize(lr[:, :1], size=(15, 12)))


def test_an_interpolated_skip_is_what_a_network_without_residual_gives() -> None:
    lr = torch.rand(1, 3, 5, 6)
    expectations: tuple[tuple[Interpolation, Tensor], ...] = (
        ("bicubic", resize(lr, size=(10, 12))),
        ("bilinear", torch.nn.functional.interpolate(lr, scale_factor=2, mode="bilinear")),
    )
    for skip, expected in expectations:
        options = EDSROptions(num_blocks=1, num_features=4, skip=skip, mean_shift=True)
        network: Any = build_network(options, scale=2)
        torch.nn.init.zeros_(network.tail[-1].weight)
        torch.testing.assert_close(network(lr), expected)


@pytest.mark.parametrize("name", ["edsr", "edsr-batch-norm", "rdn", "srresnet-linear"])
def test_the_long_skip_leads_past_all_blocks(name: str) -> None:
    network: Any = build_network(with_options(TINY[name], {"skip": None}), scale=2).eval()
    last = network.fuse[-1] if name == "rdn" else network.body[-2 if name == "srresnet-linear" else -1]
    torch.nn.init.zeros_(last.weight)
    lr = torch.rand(1, 3, 6, 7)
    mean = 0 if name != "edsr" else network.mean
    torch.testing.assert_close(network(lr), network.tail(network.head(lr - mean)) + mean)


@pytest.mark.parametrize("name", ["edsr", "edsr-batch-norm", "rdn", "srresnet"])
def test_a_block_adds_to_what_it_is_given(name: str) -> None:
    network: Any = build_network(TINY[name], scale=2).eval()
    block = network.blocks[1] if name == "rdn" else network.body[1]
    torch.nn.init.zeros_(block.fuse.weight if name == "rdn" else block.residual.conv2.weight)
    x = torch.randn(1, 6 if name == "rdn" else 4, 5, 5)
    torch.testing.assert_close(block(x), x)


def test_the_mean_colour_is_taken_off_and_given_back() -> None:
    network: Any = build_network(EDSROptions(num_blocks=2, num_features=4, mean_shift=True), scale=2)
    lr = network.mean.expand(1, 3, 5, 5)  # all convolutions see 0, and their biases are 0
    torch.testing.assert_close(network(lr), network.mean.expand(1, 3, 10, 10))


@pytest.mark.parametrize("name", ["srcnn-luma", "vdsr-luma"])
def test_a_luma_network_works_on_y_and_takes_colour_from_bicubic(name: str) -> None:
    network: Any = build_network(TINY[name], scale=2)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    lr = torch.rand(1, 3, 6, 5)
    sr, bicubic = network(lr), resize(lr, size=(12, 10))
    torch.testing.assert_close(luma(sr), network.forward_luma(luma(lr)))
    y = luma(sr) - luma(bicubic)
    assert y.abs().max() > 0.01
    torch.testing.assert_close(
        sr - bicubic, (y * 255 / 219).expand_as(sr)
    )  # the same for R, G and B: no colour
    assert network.color == "luma"


def test_valid_convolutions_differ_from_padded_ones_at_the_border_only() -> None:
    valid: Any = build_network(SRCNNOptions(num_features=(6, 4)), scale=2)
    same: Any = build_network(SRCNNOptions(num_features=(6, 4), padding="same"), scale=2)
    same.layers.load_state_dict(
        {f"{int(n.split('.')[0]) - 1}.{n.split('.', 1)[1]}": t for n, t in valid.layers.state_dict().items()}
    )
    lr = torch.rand(1, 3, 12, 12)
    border = valid.border
    assert border == 9 // 2 + 3 // 2 + 5 // 2
    assert same.border == 0
    difference = (valid(lr) - same(lr)).abs()
    assert difference[..., border:-border, border:-border].max() < 1e-6
    assert difference[..., border - 1, :].max() > 1e-6


def test_valid_convolutions_see_the_edge_repeated() -> None:
    network: Any = build_network(SRCNNOptions(num_features=(6, 4)), scale=2)
    sr = network(torch.full((1, 3, 4, 4), 0.5))
    torch.testing.assert_close(sr, sr[..., :1, :1].expand_as(sr))


def test_pixel_shuffle_leaves_no_tanh_outside_zero_to_one() -> None:
    network = build_network(TINY["srresnet"], scale=2).eval()
    sr = network(100 * torch.randn(1, 3, 8, 8))
    assert 0 <= sr.min() < 0.1
    assert 0.9 < sr.max() <= 1


@pytest.mark.parametrize(
    ("how", "deviation"),
    [
        ("glorot_uniform", (6 / (9 * 128 + 9 * 64) / 3) ** 0.5),
        ("kaiming_normal", (2 / (9 * 128)) ** 0.5),
        ("gaussian", 0.001),
    ],
)
def test_weights_are_drawn_as_the_options_say(how: Initialization, deviation: float) -> None:
    network: Any = build_network(SRCNNOptions(initialization=how), scale=2)
    middle = network.layers[2].conv  # 3 x 3, 128 -> 64
    assert middle.weight.std().item() == pytest.approx(deviation, rel=0.02)
    is_bounded = middle.weight.abs().max() < 1.01 * 3**0.5 * deviation  # uniform, not normal
    assert is_bounded == (how == "glorot_uniform")
    assert not middle.bias.any()


def test_pytorch_s_own_start_is_left_alone() -> None:
    torch.manual_seed(3)
    network: Any = build_network(EDSROptions(num_blocks=1, num_features=4, initialization="pytorch"), scale=2)
    torch.manual_seed(3)
    assert torch.equal(network.head.weight, torch.nn.Conv2d(3, 4, 3, padding=1).weight)


PARAMETERS = {
    "srcnn/vanilla": {2: 109_827},
    "srcnn/leaky_relu": {2: 109_827},
    "srcnn/residual": {2: 109_827},
    "srcnn/residual_leaky_relu": {2: 109_827},
    "srcnn/residual_bicubic": {2: 109_827},
    "srcnn/pixel_shuffle_leaky_relu": {2: 965_443},
    "srcnn/pixel_shuffle_residual_leaky_relu": {2: 81_123},
    "vdsr/vanilla": {2: 297_793},
    "vdsr/leaky_relu": {2: 297_793},
    "vdsr/vanilla_rgb": {2: 298_947},
    "vdsr/pixel_shuffle": {2: 315_521},
    "vdsr/pixel_shuffle_rgb": {2: 371_971},
    "edsr/vanilla": {4: 1_517_571},
    "edsr/leaky_relu": {4: 1_517_571},
    "edsr/relu_after_add": {4: 1_517_571},
    "edsr/batch_norm": {4: 1_521_667},
    "edsr/batch_norm_relu": {4: 1_521_667},
    "edsr/srresnet_block": {4: 1_522_691},
    "rdn/vanilla": {2: 838_835},
    "rdn/leaky_relu": {2: 838_835},
    "rdn/prelu": {2: 839_411},
    "srresnet/original": {4: 1_550_659},
    "srcnn/paper_915": {2: 8_129, 3: 8_129, 4: 8_129},
    "srcnn/paper_935": {2: 24_513, 3: 24_513, 4: 24_513},
    "srcnn/paper_955": {2: 57_281, 3: 57_281, 4: 57_281},
    "vdsr/paper": {2: 665_921, 3: 665_921, 4: 665_921},
    "edsr/baseline": {2: 1_369_859, 3: 1_554_499, 4: 1_517_571},
    "edsr/paper": {2: 40_729_603, 3: 43_680_003, 4: 43_089_923},
    "rdn/paper": {2: 22_123_395, 3: 22_308_035, 4: 22_271_107},
    "rdn/paper_small": {2: 5_616_515, 3: 5_801_155, 4: 5_764_227},
    "srresnet/paper": {4: 1_549_462},
    "srresnet/transfer_vanilla": {4: 1_587_907},
    "srresnet/transfer_no_batch_norm": {4: 1_585_859},
    "srresnet/transfer_dense": {4: 2_733_187},
    "srresnet/transfer_wide": {4: 2_768_579},
    "srresnet/dense": {4: 2_733_187},
    "bicubic": {2: 0, 3: 0, 4: 0},
}
RUNNING_STATISTICS = {
    "edsr/batch_norm": 4_096,
    "edsr/batch_norm_relu": 4_096,
    "edsr/srresnet_block": 4_096,
    "srresnet/original": 4_224,
    "srresnet/paper": 4_224,
    "srresnet/transfer_vanilla": 4_480,
    "srresnet/transfer_no_batch_norm": 2_432,
    "srresnet/transfer_dense": 2_432,
    "srresnet/transfer_wide": 2_432,
    "srresnet/dense": 2_432,
}


def test_every_preset_has_its_number_here() -> None:
    assert {name: set(counts) for name, counts in PARAMETERS.items()} == {
        name: set(known.scales) for name, known in PRESETS.items()
    }


@pytest.mark.parametrize(("name", "counts"), PARAMETERS.items(), ids=PARAMETERS)
def test_a_preset_has_the_published_number_of_parameters(name: str, counts: dict[int, int]) -> None:
    for scale, count in counts.items():
        assert num_parameters(preset(name, scale=scale), scale=scale) == count
        statistics = num_running_statistics(preset(name, scale=scale), scale=scale)
        assert statistics == RUNNING_STATISTICS.get(name, 0)


def test_no_two_presets_are_the_same_network() -> None:
    networks = [(known.options, known.frozen) for known in PRESETS.values()]
    assert len(set(networks)) == len(networks)


def test_seed_variants_keep_the_seed_s_constants() -> None:
    assert edsr.LEAKY_RELU.activation == Activation("leaky_relu", 0.3)
    assert rdn.PRELU.activation == Activation("prelu", 0.0)
    assert edsr.BATCH_NORM.batch_norm == BatchNorm(eps=1e-3, momentum=0.01)
    assert srresnet.ORIGINAL.batch_norm == BatchNorm(eps=1e-3, momentum=0.2)
    assert srresnet.ORIGINAL.trunk_batch_norm == BatchNorm(eps=1e-3, momentum=0.01)
    assert srcnn.RESIDUAL.skip == "bilinear"
    network: Any = build_network(srresnet.ORIGINAL, scale=4)
    assert network.body[0].residual.norm1.momentum == 0.2
    assert network.body[0].residual.norm1.eps == 1e-3
    assert network.body[-1].momentum == 0.01
    assert not network.head.activation.weight.any()


def test_a_paper_s_mean_is_div2k_s() -> None:
    network: Any = build_network(TINY["edsr"], scale=2)
    assert network.mean.flatten().tolist() == pytest.approx([0.4488, 0.4371, 0.4040])
    assert "mean" not in network.state_dict()


def test_a_preset_exists_at_its_scales_only() -> None:
    with pytest.raises(UserError, match=r"srcnn/vanilla exists at x2, not at x4"):
        preset("srcnn/vanilla", scale=4)
    with pytest.raises(UserError, match=r"2, 3 or 4, not 5"):
        preset("edsr/paper", scale=5)
    with pytest.raises(UserError, match=r"2, 3 or 4, not 8"):
        build_network(TINY["edsr"], scale=8)


def test_an_unknown_preset_names_the_nearest() -> None:
    with pytest.raises(UserError, match="did you mean edsr/batch_norm"):
        preset("edsr/batchnorm", scale=4)
    with pytest.raises(UserError, match="srlab networks"):
        preset("zzz", scale=4)


def test_the_discriminator_is_the_seed_s() -> None:
    with torch.device("meta"):
        network = Discriminator()
    assert sum(p.numel() for p in network.parameters()) == 23_565_505
    statistics = [b.numel() for name, b in network.named_buffers() if "running" in name]
    assert sum(statistics) == 3_712
    assert network(torch.rand(2, 3, 96, 96, device="meta")).shape == (2, 1)


def test_the_discriminator_says_what_patches_it_needs() -> None:
    with pytest.raises(UserError, match="at least 16 x 16, since its 8 convolutions halve them 4 times"):
        Discriminator(hr_patch_size=15)
    with torch.device("meta"):
        network = Discriminator()
    with pytest.raises(UserError, match=r"patches of 96 x 96.* not of 96 x 48"):
        network(torch.rand(1, 3, 96, 48, device="meta"))


@pytest.mark.parametrize(
    ("options", "side", "parameters"),
    [
        (DiscriminatorOptions(), 64, 23_565_505 - (36 - 16) * 512 * 1024),
        (DiscriminatorOptions(num_features=(4, 6), dense_features=8), 20, 112 + 222 + 12 + 4808 + 9),
        (DiscriminatorOptions(num_features=(4, 6), dense_features=8), 19, 112 + 222 + 12 + 4808 + 9),
        (DiscriminatorOptions(num_features=(4,), dense_features=2), 5, 112 + 202 + 3),
    ],
)
def test_width_depth_and_patch_size_of_the_discriminator_are_options(
    options: DiscriminatorOptions, side: int, parameters: int
) -> None:
    with torch.device("meta"):
        network = Discriminator(options, hr_patch_size=side)
    assert sum(p.numel() for p in network.parameters()) == parameters
    assert network(torch.rand(2, 3, side, side, device="meta")).shape == (2, 1)


def test_a_discriminator_without_convolutions_is_refused() -> None:
    for widths in ((), (0,), (4.5,)):
        with pytest.raises(UserError, match="Discriminator: num_features"):
            DiscriminatorOptions(num_features=widths)  # type: ignore[arg-type]


def test_options_are_values() -> None:
    assert len(set(TINY.values())) == len(TINY)


def test_networks_are_found_by_their_options() -> None:
    assert isinstance(build_network(SRCNNOptions(num_features=(4, 4)), scale=2), SRCNN)
