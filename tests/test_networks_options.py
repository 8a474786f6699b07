"""What options promise: each one counts, wrong ones are refused by name, and text and JSON are exact."""

from typing import Any

import pytest
import torch
from torch import Tensor

from srlab.errors import UserError
from srlab.networks import (
    PRESETS,
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
    options_from_dict,
    options_to_dict,
    with_options,
)

SUB_PIXEL_VDSR = VDSROptions(num_features=(4, 4), enlargement="sub_pixel", skip="bicubic")
SUB_PIXEL_SRCNN = SRCNNOptions(
    kernel_sizes=(3, 3, 3), num_features=(4, 4), enlargement="sub_pixel", padding="same"
)
RDN = RDNOptions(num_blocks=2, num_layers=2, growth=4, num_features=4, upsampler_features=4)
RDN_FIRST = RDNOptions(
    num_blocks=2,
    num_layers=2,
    growth=4,
    num_features=4,
    enlargement="bicubic",
    upsampler_features=None,
    upsampler_activation=None,
)
ACTIVATIONS = ("leaky_relu:0.1", "leaky_relu:0.2", "prelu:0.1", "prelu:0.2", "prelu:0.1:shared")
STARTS = ("glorot_uniform", "kaiming_normal", "gaussian", "pytorch")

# For each tiny network: every option it has, with values that all have to make a difference.
CHOICES = [
    (
        SRCNNOptions(num_features=(4, 4)),
        {
            "kernel_sizes": ("9,3,5", "9,5,5", "7,3,5"),
            "num_features": ("4,4", "4,5", "5,4"),
            "activation": ("relu", *ACTIVATIONS),
            "enlargement": ("bicubic", "bilinear"),
            "skip": ("none", "bicubic", "bilinear"),
            "padding": ("valid", "same"),
            "color": ("rgb", "luma"),
            "initialization": STARTS,
        },
    ),
    (
        SUB_PIXEL_SRCNN,
        {
            "kernel_sizes": ("3,3,3", "5,3,3", "3,3,5"),
            "num_features": ("4,4", "4,5"),
            "activation": ("relu", *ACTIVATIONS),
            "enlargement": ("sub_pixel", "bicubic", "bilinear"),
            "skip": ("none", "bicubic", "bilinear"),
            "padding": ("same",),
            "color": ("rgb", "luma"),
            "initialization": STARTS,
        },
    ),
    (
        VDSROptions(num_features=(4, 4)),
        {
            "num_features": ("4,4", "4x3", "5,4"),
            "activation": ("relu", *ACTIVATIONS),
            "enlargement": ("bilinear", "bicubic"),
            "skip": ("bilinear", "bicubic"),
            "gray_residual": ("true", "false"),
            "upsampler_activation": ("none",),
            "color": ("rgb",),
            "initialization": STARTS,
        },
    ),
    (
        SUB_PIXEL_VDSR,
        {
            "num_features": ("4,4", "4x3"),
            "activation": ("relu", *ACTIVATIONS),
            "enlargement": ("sub_pixel", "bilinear", "bicubic"),
            "skip": ("bilinear", "bicubic"),
            "gray_residual": ("true", "false"),
            "upsampler_activation": ("none", "relu", *ACTIVATIONS),
            "color": ("rgb",),
            "initialization": STARTS,
        },
    ),
    (
        EDSROptions(num_blocks=2, num_features=4),
        {
            "num_blocks": ("1", "2"),
            "num_features": ("4", "5"),
            "residual_scale": ("1", "0.1"),
            "activation": ("relu", *ACTIVATIONS),
            "activation_after_add": ("false", "true"),
            "batch_norm": ("none", "eps=0.001,momentum=0.1", "eps=0.1,momentum=0.1", "eps=0.1,momentum=0.5"),
            "mean_shift": ("false", "true"),
            "enlargement": ("sub_pixel", "bicubic", "bilinear"),
            "skip": ("none", "bicubic", "bilinear"),
            "initialization": STARTS,
        },
    ),
    (
        RDN,
        {
            "num_blocks": ("1", "2"),
            "num_layers": ("1", "2"),
            "growth": ("4", "5"),
            "num_features": ("4", "5"),
            "activation": ("relu", *ACTIVATIONS),
            "upsampler_features": ("4", "5"),
            "upsampler_activation": ("none", "relu", *ACTIVATIONS),
            "enlargement": ("sub_pixel",),
            "skip": ("none", "bicubic", "bilinear"),
            "initialization": STARTS,
        },
    ),
    (
        RDN_FIRST,
        {
            "num_blocks": ("1", "2"),
            "num_layers": ("1", "2"),
            "growth": ("4", "5"),
            "num_features": ("4", "5"),
            "activation": ("relu", *ACTIVATIONS),
            "upsampler_features": ("none",),
            "upsampler_activation": ("none",),
            "enlargement": ("bicubic", "bilinear"),
            "skip": ("none", "bicubic", "bilinear"),
            "initialization": STARTS,
        },
    ),
    (
        SRResNetOptions(num_blocks=1, num_features=4),
        {
            "num_blocks": ("1", "2"),
            "num_plain_blocks": ("0", "1", "2"),
            "num_dense_blocks": ("0", "1", "2"),
            "num_features": ("4", "5"),
            "activation": ("relu", *ACTIVATIONS),
            "batch_norm": ("none", "eps=0.001,momentum=0.1", "eps=0.1,momentum=0.1", "eps=0.1,momentum=0.5"),
            "trunk_conv": ("true", "false"),
            "trunk_batch_norm": ("none", "eps=0.001,momentum=0.1", "eps=0.1,momentum=0.1"),
            "output": ("tanh", "linear"),
            "enlargement": ("sub_pixel", "bicubic", "bilinear"),
            "skip": ("none", "bicubic", "bilinear"),
            "initialization": STARTS,
        },
    ),
]


def trace_of(options: NetworkOptions) -> Tensor:
    """What a network makes of a picture once its weights and statistics have moved from their start."""
    torch.manual_seed(0)
    network = build_network(options, scale=4)
    lr = torch.rand(2, 3, 6, 6, generator=torch.Generator().manual_seed(1)) - 0.2
    for parameter in network.parameters():  # biases too, as after some training
        parameter.data += 0.02 * torch.randn(parameter.shape)
    network(lr)
    return network.eval()(lr).detach()


@pytest.mark.parametrize(
    ("options", "choices"), CHOICES, ids=lambda value: getattr(type(value), "__name__", "")
)
def test_every_value_of_every_option_makes_a_difference(
    options: NetworkOptions, choices: dict[str, tuple[str, ...]]
) -> None:
    assert set(choices) == set(options_to_dict(options)) - {"architecture"}
    for name, values in choices.items():
        results = [trace_of(with_options(options, {name: value})) for value in values]
        for i, result in enumerate(results):
            for j, other in enumerate(results[:i]):
                assert not torch.equal(result, other), f"{name}: {values[i]} and {values[j]} are the same"


REFUSED = [
    (SRCNNOptions(), {"enlargement": "sub_pixel"}, "padding=valid needs enlargement"),
    (SRCNNOptions(), {"kernel_sizes": "9,5"}, "got 2 widths and 2 sizes"),
    (SRCNNOptions(), {"kernel_sizes": "9,4,5"}, "must be odd"),
    (SRCNNOptions(), {"kernel_sizes": "1,1,1"}, "padding=valid has no effect"),
    (SRCNNOptions(), {"skip": "nearest"}, "skip must be one of bilinear, bicubic or none, not 'nearest'"),
    (SRCNNOptions(), {"num_features": "64,0"}, "num_features must be at least 1"),
    (SRCNNOptions(), {"num_features": "64,many"}, "num_features must be whole numbers"),
    (SRCNNOptions(), {"num_blocks": "4"}, "SRCNN has no option 'num_blocks'.*it has kernel_sizes"),
    (VDSROptions(), {"color": "luma"}, "gray_residual=true has no effect with color=luma"),
    (VDSROptions(), {"skip": "none"}, "gray_residual=true needs a skip"),
    (
        VDSROptions(),
        {"upsampler_activation": "prelu"},
        "upsampler_activation=prelu:0.0 needs enlargement=sub_pixel",
    ),
    (SUB_PIXEL_VDSR, {"num_features": "4", "activation": "prelu"}, "activation"),
    (EDSROptions(), {"numblocks": "4"}, "EDSR has no option 'numblocks'; did you mean num_blocks"),
    (EDSROptions(), {"num_blocks": "0"}, "num_blocks must be at least 1, not 0"),
    (EDSROptions(), {"num_blocks": "4.5"}, "num_blocks must be a whole number, not '4.5'"),
    (EDSROptions(), {"num_blocks": 4.5}, "num_blocks must be a whole number, not 4.5"),
    (EDSROptions(), {"num_blocks": True}, "num_blocks must be a whole number, not True"),
    (EDSROptions(), {"residual_scale": "0"}, "residual_scale must not be 0"),
    (EDSROptions(), {"residual_scale": "nan"}, "residual_scale must be a number"),
    (
        SRCNNOptions(),
        {"num_features": "64x999999999"},
        "64x9; .* 999,999,999 times; 1 to 1,000 times are",
    ),
    (EDSROptions(), {"mean_shift": "maybe"}, "mean_shift must be true or false, not 'maybe'"),
    (EDSROptions(), {"activation": "gelu"}, "'gelu' is not an activation"),
    (EDSROptions(), {"activation": "relu:0.2"}, "relu has no slope"),
    (EDSROptions(), {"activation": "leaky_relu:0"}, "between 0"),
    (EDSROptions(), {"activation": "leaky_relu:0.2:shared"}, "only prelu"),
    (EDSROptions(), {"batch_norm": "yes"}, "'yes' is not a batch normalization"),
    (EDSROptions(), {"batch_norm": "eps=0,momentum=0.1"}, "eps of batch normalization"),
    (RDN, {"enlargement": "bicubic"}, "upsampler_features=4 needs enlargement=sub_pixel"),
    (RDN, {"upsampler_features": "none"}, "needs upsampler_features"),
    (RDN_FIRST, {"upsampler_activation": "relu"}, "upsampler_activation=relu needs enlargement=sub_pixel"),
    (SRResNetOptions(), {"output": "sigmoid"}, "output must be one of tanh, linear"),
    (BicubicOptions(), {"num_blocks": "4"}, "Bicubic has no options, so 'num_blocks' cannot be set"),
]


@pytest.mark.parametrize(("options", "changes", "message"), REFUSED, ids=lambda value: str(value)[:50])
def test_what_makes_no_sense_is_refused_by_name(
    options: NetworkOptions, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        with_options(options, changes)


def test_options_are_changed_by_text() -> None:
    options = with_options(
        EDSROptions(),
        {
            "num_blocks": "8",
            "activation": "prelu:0.25:shared",
            "skip": "bicubic",
            "batch_norm": "none",
            "mean_shift": "True",
        },
    )
    assert options == EDSROptions(
        num_blocks=8, activation=Activation("prelu", 0.25, shared=True), skip="bicubic", mean_shift=True
    )
    assert with_options(VDSROptions(), {"num_features": "64x3,32"}).num_features == (64, 64, 64, 32)
    assert with_options(VDSROptions(), {"skip": "bicubic"}).skip == "bicubic"


@pytest.mark.parametrize(
    "text", ["relu", "leaky_relu:0.3", "leaky_relu:0.01", "prelu:0.0", "prelu:0.25:shared"]
)
def test_an_activation_is_its_text(text: str) -> None:
    assert str(Activation.parse(text)) == text


def test_a_slope_left_out_is_keras_s() -> None:
    assert Activation.parse("leaky_relu") == Activation("leaky_relu", 0.3)
    assert Activation.parse("prelu") == Activation("prelu", 0.0)


def test_a_batch_norm_is_its_text() -> None:
    assert BatchNorm.parse(str(BatchNorm(eps=1e-3, momentum=0.2))) == BatchNorm(eps=1e-3, momentum=0.2)


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_survives_json(name: str) -> None:
    assert options_from_dict(options_to_dict(PRESETS[name].options)) == PRESETS[name].options


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"architecture": "ESPCN"}, "unknown architecture 'ESPCN'; known: .*EDSR"),
        ({"architecture": ["EDSR"]}, "unknown architecture"),
        ({"colour": "rgb"}, "no option 'colour'"),
        ({"num_blocks": "16"}, "num_blocks must be a whole number, not '16'"),
        ({"num_blocks": None}, "num_blocks must be a whole number, not None"),
        ({"skip": "nearest"}, "skip must be one of"),
        ({"activation": 3}, "activation must be an activation"),
        ({"activation": {"kind": "relu"}}, "activation must be an activation"),
        ({"residual_scale": [1]}, "residual_scale must be a number"),
        ({"mean_shift": 1}, "mean_shift must be true or false"),
    ],
    ids=str,
)
def test_json_that_is_not_ours_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        options_from_dict(options_to_dict(EDSROptions()) | change)


def test_an_option_that_came_later_is_stored_only_where_it_is_set_and_older_files_are_read() -> None:
    old = options_to_dict(SRResNetOptions())
    assert "trunk_activation" not in old
    assert options_from_dict(old) == SRResNetOptions()
    new = SRResNetOptions(trunk_activation=Activation("prelu", 0.25, shared=True))
    assert options_from_dict(options_to_dict(new)) == new


def test_json_that_lacks_an_option_is_refused() -> None:
    values = options_to_dict(EDSROptions())
    del values["num_blocks"], values["skip"]
    with pytest.raises(UserError, match="have no num_blocks, skip"):
        options_from_dict(values)


@pytest.mark.parametrize("value", ["10001", "1000000000", "99999999999999999999"])
@pytest.mark.parametrize("option", ["num_blocks", "num_features"])
def test_sizes_that_no_machine_could_hold_are_refused(option: str, value: str) -> None:
    with pytest.raises(UserError, match=rf"EDSR: {option} must be at most 10000, not {value}"):
        with_options(EDSROptions(), {option: value})
