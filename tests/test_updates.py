"""What an update promises: one step of Adam down the declared loss, as far and in the precision it says."""

import copy
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from srlab.declare.protocol import TrainingProtocol
from srlab.errors import UserError
from srlab.networks import Luma, Network, SRCNNOptions, VDSROptions, build_network, preset
from srlab.training.device import ResolvedPrecision
from srlab.training.updates import PixelUpdate, make_update
from tiny_run import CPU, TINY, Noise, tiny_run

LR, HR = Noise().batch(0, seed=0)
BORDERED = preset("srcnn/paper_915", scale=2)


def under(**settings: Any) -> TrainingProtocol:
    """A protocol with these settings."""
    return TrainingProtocol(num_steps=1, **settings)


def weights(network: Network) -> Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in network.parameters()])


def test_an_update_is_a_step_of_adam_down_the_loss() -> None:
    network, twin = build_network(TINY, scale=2), build_network(TINY, scale=2)
    twin.load_state_dict(network.state_dict())
    update = PixelUpdate(network, loss="mse", protocol=under(adam_betas=(0.5, 0.9), adam_eps=1e-7))
    adam = torch.optim.Adam(twin.parameters(), lr=0.01, betas=(0.5, 0.9), eps=1e-7)
    for step in range(3):
        lr, hr = Noise().batch(step, seed=0)
        loss = ((twin(lr) - hr) ** 2).mean()
        adam.zero_grad()
        loss.backward()
        adam.step()
        assert update(lr, hr, learning_rate=0.01)["loss"].item() == pytest.approx(loss.item())
    torch.testing.assert_close(weights(network), weights(twin))


def test_the_protocol_reaches_the_update() -> None:
    protocol = TrainingProtocol(num_steps=1, adam_betas=(0.5, 0.9), adam_eps=1e-7, gradient_clip_norm=0.4)
    update = make_update(tiny_run(protocol, loss="mse"), build_network(TINY, scale=2), precision="bf16")
    assert isinstance(update, PixelUpdate)
    group = update.descent.optimizer.param_groups[0]
    assert (group["betas"], group["eps"]) == ((0.5, 0.9), 1e-7)
    assert update.descent.protocol is protocol
    assert ([term.name for term in update.terms], update.precision) == (["mse"], "bf16")


def test_the_rate_is_the_one_of_the_call() -> None:
    network = build_network(TINY, scale=2)
    update = PixelUpdate(network)
    before = weights(network)
    update(LR, HR, learning_rate=0.0)
    assert torch.equal(weights(network), before)
    update(LR, HR, learning_rate=0.01)
    assert (weights(network) - before).abs().max() == pytest.approx(0.01, rel=1e-3)


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_the_loss_is_fp32_in_every_precision(precision: ResolvedPrecision) -> None:
    update = PixelUpdate(build_network(TINY, scale=2), precision=precision)
    loss = update(LR, HR, learning_rate=1e-3)["loss"]
    assert loss.dtype == torch.float32
    assert not loss.requires_grad


def test_lower_precision_is_used_where_it_is_asked_for() -> None:
    network = build_network(TINY, scale=2)
    kinds = []
    network.get_submodule("head").register_forward_hook(
        lambda _module, _inputs, output: kinds.append(output.dtype)
    )
    for precision in ("fp32", "bf16", "fp16"):
        PixelUpdate(network, precision=precision)(LR, HR, learning_rate=1e-3)
    assert kinds == [torch.float32, torch.bfloat16, torch.float16]


def test_the_norm_of_the_whole_gradient_is_bounded() -> None:
    norms = []
    for clip in (None, 1e-3):
        torch.manual_seed(0)
        network = build_network(TINY, scale=2)
        PixelUpdate(network, protocol=under(gradient_clip_norm=clip))(LR, HR, learning_rate=1e-3)
        gradients = [parameter.grad for parameter in network.parameters() if parameter.grad is not None]
        norms.append(torch.cat([gradient.flatten() for gradient in gradients]).norm().item())
    assert norms[0] > 1e-2
    assert norms[1] == pytest.approx(1e-3, rel=1e-3)


def test_clipping_is_of_the_true_gradient_when_fp16_scales_it() -> None:
    network = build_network(TINY, scale=2)
    PixelUpdate(network, protocol=under(gradient_clip_norm=1e-3), precision="fp16")(
        LR, HR, learning_rate=1e-3
    )
    gradients = [parameter.grad for parameter in network.parameters() if parameter.grad is not None]
    assert torch.cat([gradient.flatten() for gradient in gradients]).norm() == pytest.approx(1e-3, rel=0.01)


def test_the_border_of_a_network_with_valid_convolutions_is_left_out_of_its_loss() -> None:
    lr, hr = torch.rand(1, 1, 12, 12), torch.rand(1, 1, 24, 24)
    spoilt = hr.clone()
    network = build_network(BORDERED, scale=2)
    border = network.border
    assert border > 0
    spoilt[..., :border, :] = spoilt[..., -border:, :] = spoilt[..., :, :border] = spoilt[
        ..., :, -border:
    ] = 9
    losses = [PixelUpdate(network)(lr, image, learning_rate=0.0)["loss"] for image in (hr, spoilt)]
    assert torch.equal(*losses)
    spoilt[..., border, border] = 9
    assert not torch.equal(losses[0], PixelUpdate(network)(lr, spoilt, learning_rate=0.0)["loss"])


@pytest.mark.parametrize(
    "options", [VDSROptions(num_features=(4, 4), color="luma", gray_residual=False), BORDERED]
)
def test_luma_networks_are_trained_from_y_to_y(options: VDSROptions | SRCNNOptions) -> None:
    network = build_network(options, scale=2)
    assert isinstance(network, Luma)
    lr, hr = torch.rand(2, 1, 12, 12), torch.rand(2, 1, 24, 24)
    before = weights(network)
    PixelUpdate(network)(lr, hr, learning_rate=1e-3)
    assert not torch.equal(weights(network), before)


def test_frozen_parameters_are_left_alone() -> None:
    network = build_network(TINY, scale=2)
    head = network.get_submodule("head").requires_grad_(False)
    weight = head.get_parameter("weight")
    before = weight.clone()
    update = PixelUpdate(network)
    update(LR, HR, learning_rate=0.1)
    assert torch.equal(weight, before)
    assert weight.grad is None
    trained = sum(parameter.requires_grad for parameter in network.parameters())
    assert len(update.state_dict()["optimizer"]) == trained


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_an_update_goes_on_from_its_state(precision: ResolvedPrecision) -> None:
    network, twin = build_network(TINY, scale=2), build_network(TINY, scale=2)
    update, resumed = (PixelUpdate(each, precision=precision) for each in (network, twin))
    update(LR, HR, learning_rate=0.01)
    twin.load_state_dict(network.state_dict())
    resumed.load_state_dict(copy.deepcopy(update.state_dict()))  # as from a file
    for each in (update, resumed):
        each(LR, HR, learning_rate=0.01)
    assert torch.equal(weights(network), weights(twin))


def test_the_scale_of_fp16_losses_is_part_of_the_state() -> None:
    update = PixelUpdate(build_network(TINY, scale=2), loss="mse", precision="fp16")
    update(LR, HR * float("inf"), learning_rate=0.01)  # overflows: the step is left out and the scale halved
    resumed = PixelUpdate(build_network(TINY, scale=2), precision="fp16")
    resumed.load_state_dict(update.state_dict())
    assert resumed.descent.scaler.get_scale() == update.descent.scaler.get_scale() == 2.0**15


def other(state: dict[str, Any], how: str) -> dict[str, Any]:
    optimizer = dict(state["optimizer"])
    if how == "fewer":
        del optimizer[0]
    elif how == "more":
        optimizer[99] = optimizer[0]
    elif how == "shape":
        optimizer[0] = optimizer[0] | {"exp_avg": torch.zeros(2, 2)}
    elif how == "dtype":
        optimizer[0] = optimizer[0] | {"exp_avg_sq": optimizer[0]["exp_avg_sq"].double()}
    elif how == "empty":
        optimizer = {0: {}}
    return state | {"optimizer": optimizer}


@pytest.mark.parametrize("how", ["fewer", "more", "shape", "dtype", "empty"])
def test_the_moments_of_another_network_are_refused(how: str) -> None:
    update = PixelUpdate(build_network(TINY, scale=2))
    update(LR, HR, learning_rate=0.01)
    with pytest.raises(UserError, match="is for another network"):
        update.load_state_dict(other(update.state_dict(), how))


def test_the_state_of_another_precision_is_refused() -> None:
    network = build_network(replace(TINY, num_features=5), scale=2).to(CPU)
    with pytest.raises(UserError, match="another precision"):
        PixelUpdate(network).load_state_dict(PixelUpdate(network, precision="fp16").state_dict())


def test_rates_and_betas_stay_the_runs_own_when_a_state_is_loaded() -> None:
    update = PixelUpdate(build_network(TINY, scale=2), protocol=under(adam_betas=(0.5, 0.9)))
    update.load_state_dict(PixelUpdate(build_network(TINY, scale=2)).state_dict())
    assert update.descent.optimizer.param_groups[0]["betas"] == (0.5, 0.9)


@pytest.mark.parametrize(
    ("settings", "optimizer"),
    [
        ({"optimizer": "adamw", "weight_decay": 0.1}, torch.optim.AdamW),
        ({"optimizer": "sgd", "momentum": 0.9, "weight_decay": 0.1}, torch.optim.SGD),
        ({"optimizer": "sgd"}, torch.optim.SGD),
        ({"weight_decay": 0.1}, torch.optim.Adam),
    ],
)
def test_an_update_is_a_step_of_the_protocols_optimizer(settings: dict[str, Any], optimizer: Any) -> None:
    network, twin = build_network(TINY, scale=2), build_network(TINY, scale=2)
    twin.load_state_dict(network.state_dict())
    update = PixelUpdate(network, loss="mse", protocol=under(**settings))
    keywords = {name: value for name, value in settings.items() if name != "optimizer"}
    reference = optimizer(twin.parameters(), lr=0.01, **keywords)
    for step in range(3):
        lr, hr = Noise().batch(step, seed=0)
        reference.zero_grad()
        ((twin(lr) - hr) ** 2).mean().backward()
        reference.step()
        update(lr, hr, learning_rate=0.01)
    torch.testing.assert_close(weights(network), weights(twin))


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_sgd_goes_on_from_its_state(momentum: float) -> None:
    protocol = under(optimizer="sgd", momentum=momentum)
    network, twin = build_network(TINY, scale=2), build_network(TINY, scale=2)
    update, resumed = (PixelUpdate(each, protocol=protocol) for each in (network, twin))
    update(LR, HR, learning_rate=0.01)
    twin.load_state_dict(network.state_dict())
    resumed.load_state_dict(copy.deepcopy(update.state_dict()))
    for each in (update, resumed):
        each(LR, HR, learning_rate=0.01)
    assert torch.equal(weights(network), weights(twin))


def test_the_state_of_another_optimizer_is_refused() -> None:
    network = build_network(TINY, scale=2)
    adam, sgd = PixelUpdate(network), PixelUpdate(network, protocol=under(optimizer="sgd", momentum=0.9))
    adam(LR, HR, learning_rate=0.01)
    with pytest.raises(UserError, match="momentum_buffer"):
        sgd.load_state_dict(adam.state_dict())


@pytest.mark.parametrize("rate", [0.1, 0.01])
def test_adjustable_clipping_bounds_each_number_of_the_gradient_by_the_bound_over_the_rate(
    rate: float,
) -> None:
    network = build_network(TINY, scale=2)
    PixelUpdate(network, protocol=under(optimizer="sgd", adjustable_clip=1e-4))(LR, HR, learning_rate=rate)
    gradients = [parameter.grad for parameter in network.parameters() if parameter.grad is not None]
    largest = max(gradient.abs().max().item() for gradient in gradients)
    assert largest == pytest.approx(1e-4 / rate, rel=1e-5)


def test_the_norm_of_the_gradient_is_told_as_it_was_before_it_was_bounded() -> None:
    norms = []
    for clip in (None, 1e-3):
        torch.manual_seed(0)
        network = build_network(TINY, scale=2)
        update = PixelUpdate(network, protocol=under(gradient_clip_norm=clip))
        norms.append(update(LR, HR, learning_rate=1e-3)["gradient_norm"].item())
    assert norms[0] == norms[1] > 1e-2


TERMS = "l1+0.1*perceptual:random+0.05*gradient"
PATCHES = torch.rand(2, 3, 8, 8), torch.rand(2, 3, 16, 16)


def test_a_weighted_sum_is_descended_and_each_part_logged() -> None:
    values = PixelUpdate(build_network(TINY, scale=2), loss=TERMS)(*PATCHES, learning_rate=1e-3)
    assert set(values) == {"loss", "l1", "perceptual_random", "gradient", "gradient_norm"}
    total = values["l1"] + 0.1 * values["perceptual_random"] + 0.05 * values["gradient"]
    torch.testing.assert_close(values["loss"], total)
    assert all(values[name] > 0 for name in values)


def test_each_part_of_a_sum_reaches_the_weights() -> None:
    torch.manual_seed(0)
    network = build_network(TINY, scale=2)
    state = copy.deepcopy(network.state_dict())
    norms = {}
    for loss in ("l1", "l1+perceptual:random", "l1+gradient"):
        network.load_state_dict(state)
        norms[loss] = PixelUpdate(network, loss=loss)(*PATCHES, learning_rate=0.0)["gradient_norm"].item()
    assert len({round(norm, 6) for norm in norms.values()}) == 3


def test_a_simple_loss_is_logged_once() -> None:
    values = PixelUpdate(build_network(TINY, scale=2), loss="mse")(LR, HR, learning_rate=1e-3)
    assert set(values) == {"loss", "gradient_norm"}


def test_a_weight_alone_scales_the_loss() -> None:
    network = build_network(TINY, scale=2)
    plain, scaled = (PixelUpdate(network, loss=loss)(LR, HR, learning_rate=0.0) for loss in ("l1", "3*l1"))
    torch.testing.assert_close(scaled["loss"], 3 * plain["loss"])
    torch.testing.assert_close(scaled["l1"], plain["loss"])
