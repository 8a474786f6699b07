"""What the adversarial update promises: SRGAN's two steps, each network down its own loss and no other."""

import copy
import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from killed_adversarial import RUN
from srlab.declare.objectives import AdversarialObjective
from srlab.declare.protocol import TrainingProtocol
from srlab.declare.study import Run
from srlab.errors import UserError
from srlab.networks import SRCNNOptions, build_network
from srlab.networks.vgg import random_vgg
from srlab.training.adversarial import AdversarialUpdate
from srlab.training.content import FeatureDistance, pixel_content
from srlab.training.device import ResolvedPrecision
from srlab.training.updates import DEFAULT_PROTOCOL, make_update
from tiny_run import CPU, TINY, TINY_BATCH_NORM

LR, HR = torch.rand(3, 3, 8, 8), torch.rand(3, 3, 16, 16)


class Judge(nn.Sequential):
    """A discriminator of a few weights, with batch normalization, for patches of any size."""

    def __init__(self) -> None:
        super().__init__(
            nn.Conv2d(3, 4, 3, stride=2),
            nn.BatchNorm2d(4),
            nn.LeakyReLU(0.2),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(4, 1),
        )


def update_of(
    generator: nn.Module,
    judge: nn.Module,
    *,
    precision: ResolvedPrecision = "fp32",
    protocol: TrainingProtocol = DEFAULT_PROTOCOL,
    **options: float,
) -> AdversarialUpdate:
    return AdversarialUpdate(
        generator,  # type: ignore[arg-type]
        discriminator=judge,
        content=pixel_content,
        protocol=protocol,
        precision=precision,
        **options,  # type: ignore[arg-type]
    )


def pair() -> tuple[nn.Module, nn.Module]:
    return build_network(TINY_BATCH_NORM, scale=2).train(), Judge().train()


def same(one: nn.Module, other: nn.Module) -> bool:
    states = one.state_dict(), other.state_dict()
    return all(torch.equal(tensor, states[1][name]) for name, tensor in states[0].items())


def test_an_update_is_the_seeds_step_with_means_of_losses_on_logits() -> None:
    """B1 and B2: content has its network, and all losses are scalars."""
    (generator, judge), (g, d) = (models := pair()), copy.deepcopy(models)
    losses = update_of(generator, judge, adversarial_weight=0.1)(LR, HR, learning_rate=0.01)

    sr = g(LR)
    real, fake = d(HR), d(sr)
    bce, ones, zeros = F.binary_cross_entropy_with_logits, torch.ones(3, 1), torch.zeros(3, 1)
    content, adversarial = 4 * F.mse_loss(sr, HR), bce(fake, ones)
    whole = content + 0.1 * adversarial
    judgement = bce(real, ones) + bce(fake, zeros)
    for loss, network in ((judgement, d), (whole, g)):
        for parameter, gradient in zip(
            network.parameters(),
            torch.autograd.grad(loss, list(network.parameters()), retain_graph=True),
            strict=True,
        ):
            parameter.grad = gradient
    for network in (g, d):
        torch.optim.Adam(network.parameters(), lr=0.01).step()

    for name, expected in (
        ("loss", whole),
        ("content", content),
        ("adversarial", adversarial),
        ("discriminator", judgement),
        ("discriminator_real", torch.sigmoid(real).mean()),
        ("discriminator_fake", torch.sigmoid(fake).mean()),
    ):
        assert losses[name].shape == ()
        assert losses[name].item() == pytest.approx(expected.item(), rel=1e-5), name
    for ours, theirs in ((generator, g), (judge, d)):
        for one, other in zip(ours.parameters(), theirs.parameters(), strict=True):
            assert one.grad is not None
            assert other.grad is not None
            assert torch.allclose(one.grad, other.grad, atol=1e-6)
            # A bias before batch normalization has a gradient of rounding alone, whose sign Adam follows.
            sure = other.grad.abs() > 1e-5
            assert torch.allclose(one[sure], other[sure], atol=1e-6)
        for ran, expected_run in zip(ours.buffers(), theirs.buffers(), strict=True):
            assert torch.allclose(ran, expected_run, atol=1e-6)


def test_the_discriminators_loss_does_not_reach_the_generator() -> None:
    generator, judge = pair()
    twin = copy.deepcopy(generator)
    update_of(generator, judge, adversarial_weight=0.0)(LR, HR, learning_rate=0.01)
    other = copy.deepcopy(judge)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.mul_(-3)
    update_of(twin, other, adversarial_weight=0.0)(LR, HR, learning_rate=0.01)
    assert same(generator, twin)


def test_the_generators_loss_does_not_reach_the_discriminator() -> None:
    generator, judge = pair()
    twins = copy.deepcopy((generator, judge))
    update_of(generator, judge, adversarial_weight=1e-3)(LR, HR, learning_rate=0.01)
    update_of(*twins, adversarial_weight=1e3)(LR, HR, learning_rate=0.01)
    assert same(judge, twins[1])
    assert not same(generator, twins[0])


def test_the_discriminator_has_a_rate_of_its_own_under_the_same_schedule() -> None:
    generator, judge = pair()
    still = copy.deepcopy(judge)
    update = update_of(generator, judge, discriminator_rate=3.0)
    update(LR, HR, learning_rate=0.02)
    rates = {name: side.optimizer.param_groups[0]["lr"] for name, side in update.sides.items()}
    assert rates == {"generator": 0.02, "discriminator": pytest.approx(0.06)}
    assert not same(judge, still)


def test_the_pixel_term_is_added_with_its_weight() -> None:
    losses = update_of(*pair(), pixel_weight=0.5, adversarial_weight=0.25)(LR, HR, learning_rate=0.01)
    parts = losses["content"] + 0.25 * losses["adversarial"] + 0.5 * losses["pixel"]
    assert losses["loss"].item() == pytest.approx(parts.item())
    assert "pixel" not in update_of(*pair())(LR, HR, learning_rate=0.01)


def test_gradient_norms_are_told_as_they_were_before_they_are_bounded() -> None:
    models = pair()
    free = update_of(*copy.deepcopy(models))(LR, HR, learning_rate=0.01)
    update = update_of(*models, protocol=TrainingProtocol(num_steps=1, gradient_clip_norm=1e-3))
    bounded = update(LR, HR, learning_rate=0.01)
    for name, side in update.sides.items():
        assert bounded[f"{name}_gradient_norm"].item() == pytest.approx(
            free[f"{name}_gradient_norm"].item(), rel=1e-5
        )
        gradients = torch.cat([p.grad.flatten() for p in side.parameters if p.grad is not None])
        assert gradients.norm().item() == pytest.approx(1e-3, rel=1e-3)


def test_frozen_parameters_of_the_generator_are_left_alone() -> None:
    generator, judge = pair()
    generator.get_submodule("head").requires_grad_(False)
    weight = generator.get_parameter("head.weight")
    before = weight.clone()
    update = update_of(generator, judge)
    update(LR, HR, learning_rate=0.1)
    assert torch.equal(weight, before)
    assert weight.grad is None
    trained = sum(parameter.requires_grad for parameter in generator.parameters())
    assert len(update.state_dict()["generator_optimizer"]) == trained


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_an_update_goes_on_from_its_state(precision: ResolvedPrecision) -> None:
    models = pair()
    update = update_of(*models, precision=precision)
    update(LR, HR, learning_rate=0.01)
    twins = copy.deepcopy(models[0]), Judge().train()
    resumed = update_of(*twins, precision=precision)
    resumed.load_state_dict(copy.deepcopy(update.state_dict()))  # as from a file
    results = [each(LR, HR, learning_rate=0.01) for each in (update, resumed)]
    assert same(models[0], twins[0])
    assert same(models[1], twins[1])
    assert all(torch.equal(value, results[1][name]) for name, value in results[0].items())


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_low_precision_losses_are_close_to_those_in_full(precision: ResolvedPrecision) -> None:
    models = pair()
    full = update_of(*copy.deepcopy(models))(LR, HR, learning_rate=0.01)
    low = update_of(*models, precision=precision)(LR, HR, learning_rate=0.01)
    for name, value in full.items():
        assert low[name].dtype == torch.float32
        if precision == "fp16" and name.endswith("_norm"):
            continue  # the first steps overflow, until the losses' scale is small enough
        assert low[name].item() == pytest.approx(value.item(), rel=0.1, abs=0.01), name


def test_a_step_whose_gradient_overflows_fp16_is_left_out() -> None:
    generator, judge = pair()
    before = copy.deepcopy(generator)
    update = update_of(generator, judge, precision="fp16")
    losses = update(LR, HR * 3e4, learning_rate=0.01)
    assert all(math.isfinite(value.item()) for value in losses.values())
    assert losses["generator_gradient_norm"].item() == 0
    assert all(map(torch.equal, generator.parameters(), before.parameters()))
    assert update.sides["generator"].scaler.get_scale() == 2.0**15


def test_the_state_of_another_discriminator_or_precision_is_refused() -> None:
    update = update_of(*pair())
    update(LR, HR, learning_rate=0.01)
    state = update.state_dict()
    with pytest.raises(UserError, match="discriminator is for another network"):
        update_of(pair()[0], nn.Linear(2, 2)).load_state_dict(state)
    with pytest.raises(UserError, match="generator optimizer is for another network"):
        update_of(build_network(TINY, scale=2), Judge()).load_state_dict(state)
    with pytest.raises(UserError, match="another precision"):
        update_of(*pair(), precision="fp16").load_state_dict(state)


def test_networks_that_work_on_luma_are_refused() -> None:
    network = build_network(SRCNNOptions(num_features=(4, 4), color="luma"), scale=2)
    with pytest.raises(UserError, match="works on luma"):
        update_of(network, Judge())


def run_of(objective: AdversarialObjective) -> Run:
    from dataclasses import replace

    return replace(RUN, variant=replace(RUN.variant, objective=objective))


def test_the_runs_objective_makes_the_update() -> None:
    objective = AdversarialObjective(
        content="pixels", adversarial_weight=0.5, pixel_weight=2, discriminator_learning_rate=4e-3
    )
    network = build_network(TINY, scale=4)
    update = make_update(run_of(objective), network, precision="fp32")
    assert isinstance(update, AdversarialUpdate)
    assert (update.adversarial_weight, update.pixel_weight, update.discriminator_rate) == (0.5, 2, 4.0)
    hr = torch.rand(2, 3, 96, 96)
    assert math.isfinite(update(F.avg_pool2d(hr, 4), hr, learning_rate=1e-4)["loss"].item())


def test_random_content_is_the_same_whatever_was_drawn_before() -> None:
    networks = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        networks.append(random_vgg())
    assert same(*networks)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_features_are_compared_in_fp32_and_get_no_gradient(precision: ResolvedPrecision) -> None:
    content = FeatureDistance(random_vgg(), device=CPU, precision=precision)
    sr = torch.rand(1, 3, 24, 24, requires_grad=True)
    hr = torch.rand(1, 3, 24, 24)
    loss = content(sr, hr)
    (gradient,) = torch.autograd.grad(loss, sr)
    assert loss.dtype == gradient.dtype == torch.float32
    assert gradient.abs().sum() > 0
    assert not any(parameter.requires_grad for parameter in content.network.parameters())
    exact = FeatureDistance(random_vgg(), device=CPU, precision="fp32")(sr, hr)
    assert loss.item() == pytest.approx(exact.item(), rel=0.02)
    assert content(hr, hr).item() == 0
