"""What a CUDA GPU promises: the same patches, scores as on the CPU, and steps that a graph repeats.

These need a GPU, and skip without one.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from srlab.data.patches import Patches
from srlab.declare.objectives import AdversarialObjective
from srlab.declare.protocol import EvaluationProtocol
from srlab.declare.study import Run, Variant
from srlab.networks import EDSROptions, Network, NetworkOptions, SRCNNOptions, build_network
from srlab.networks.values import KERAS_PRELU
from srlab.pixels.degradations import degrade
from srlab.pixels.images import HRImage
from srlab.pixels.metrics import ssim_rgb
from srlab.training.steps import WARM_UP, GraphedSteps, Steps, make_steps, stream_of_its_own
from srlab.training.train import CHECKPOINT, train
from srlab.training.updates import make_update
from srlab.use.evaluation import evaluate_network
from tiny_run import PROTOCOL, TINY, TINY_BATCH_NORM

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")

CUDA, CPU = torch.device("cuda"), torch.device("cpu")
SIDE = 8
NUM_STEPS = 9


def image(seed: int) -> HRImage:
    pixels = np.random.default_rng(seed).integers(0, 256, (47, 61, 3), np.uint8)
    return HRImage(name=f"image{seed}", pixels=pixels, is_gray=False)


def patches() -> Patches:
    return Patches([image(0), image(1)], scale=2, lr_patch_size=SIDE, batch_size=4)


def run_of(network: NetworkOptions, **changes: object) -> Run:
    protocol = replace(PROTOCOL, num_steps=NUM_STEPS, lr_patch_size=SIDE, batch_size=4, **changes)  # type: ignore[arg-type]
    variant = Variant(name="tiny/gpu", network=network)
    return Run(variant=variant, scale=2, learning_rate=1e-3, seed=5, protocol=protocol)


def taken(run: Run, kind: type[Steps], *, precision: str = "fp32") -> tuple[Tensor, list[float], Steps]:
    """All weights after `NUM_STEPS` steps, the losses on the way, and the steps."""
    torch.manual_seed(0)
    with stream_of_its_own(CUDA):
        network = build_network(run.variant.network, scale=2).to(CUDA).train()
        steps = kind(make_update(run, network, precision=precision), patches(), seed=5, device=CUDA)  # type: ignore[arg-type]
        losses = [steps(step, learning_rate=1e-3 / (1 + step))["loss"].item() for step in range(NUM_STEPS)]
    return torch.cat([value.float().flatten() for value in network.state_dict().values()]), losses, steps


@pytest.mark.parametrize("color", ["rgb", "luma"])
def test_the_gpu_cuts_the_hosts_patches(color: str) -> None:
    here = Patches([image(0), image(1)], scale=2, lr_patch_size=SIDE, batch_size=16, color=color)  # type: ignore[arg-type]
    there = here.on(CUDA)
    for step in (0, 1, 200):
        for expected, found in zip(here.batch(step, seed=3), there.batch(step, seed=3), strict=True):
            assert found.device.type == "cuda"
            assert torch.equal(found.cpu(), expected)


def test_the_gpu_makes_the_same_lr_to_the_bit() -> None:
    hr = image(3).pixels[:44, :60]
    for scale in (2, 4):
        assert np.array_equal(degrade(hr, scale=scale, device=CUDA), degrade(hr, scale=scale))


def test_scores_are_the_same_on_both() -> None:
    network = build_network(SRCNNOptions(), scale=2).eval()
    (there,) = evaluate_network(network, [image(1)], protocol=EvaluationProtocol(), device=CUDA)
    (here,) = evaluate_network(network, [image(1)], protocol=EvaluationProtocol(), device=CPU)
    assert there.scores == pytest.approx(here.scores, abs=1e-3)  # a pixel may differ by a level
    assert ssim_rgb(there.sr, here.sr, border=2, device=CUDA) == pytest.approx(
        ssim_rgb(there.sr, here.sr, border=2), abs=1e-12
    )


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize(
    "network",
    [
        TINY,
        TINY_BATCH_NORM,
        EDSROptions(num_blocks=1, num_features=4, activation=KERAS_PRELU),
        SRCNNOptions(num_features=(8, 4)),
    ],
    ids=["edsr", "batch_norm", "prelu", "srcnn"],
)
def test_a_recorded_step_does_what_a_called_one_does(network: NetworkOptions, precision: str) -> None:
    called, called_losses, _ = taken(run_of(network), Steps, precision=precision)
    recorded, recorded_losses, steps = taken(run_of(network), GraphedSteps, precision=precision)
    assert isinstance(steps, GraphedSteps)
    assert steps.graph is not None
    assert NUM_STEPS > WARM_UP + 1
    assert recorded_losses == pytest.approx(called_losses, rel=1e-3)
    assert torch.allclose(recorded, called, atol=1e-4)


def test_a_gans_step_is_recorded() -> None:
    objective = AdversarialObjective(content="pixels")
    run = run_of(TINY)
    run = replace(
        run,
        variant=replace(run.variant, objective=objective),
        protocol=replace(run.protocol, lr_patch_size=16),
    )
    torch.manual_seed(0)
    with stream_of_its_own(CUDA):
        network = build_network(TINY, scale=2).to(CUDA).train()
        update = make_update(run, network, precision="fp32")
        made = Patches([image(0)], scale=2, lr_patch_size=16, batch_size=2)
        steps = make_steps(update, made, seed=5, device=CUDA, is_ours=True)
        losses = [steps(step, learning_rate=1e-4)["discriminator"].item() for step in range(NUM_STEPS)]
    assert isinstance(steps, GraphedSteps)
    assert steps.graph is not None
    assert len(set(losses)) == NUM_STEPS


class Waiting:
    """An update that looks at its loss, for which the host has to wait: no graph can hold that."""

    is_capturable = True
    networks: Mapping[str, nn.Module] = {}

    def __init__(self, update: object) -> None:
        self.update = update
        self.seen: list[float] = []

    def __call__(self, lr: Tensor, hr: Tensor, *, learning_rate: float | Tensor) -> dict[str, Tensor]:
        losses: dict[str, Tensor] = self.update(lr, hr, learning_rate=learning_rate)  # type: ignore[operator]
        self.seen.append(losses["loss"].item())
        return losses


def test_what_cannot_be_recorded_is_called() -> None:
    run = run_of(TINY)
    expected, _, _ = taken(run, Steps)
    torch.manual_seed(0)
    with stream_of_its_own(CUDA):
        network = build_network(TINY, scale=2).to(CUDA).train()
        update = Waiting(make_update(run, network, precision="fp32"))
        steps = GraphedSteps(update, patches(), seed=5, device=CUDA)  # type: ignore[arg-type]
        for step in range(NUM_STEPS):
            steps(step, learning_rate=1e-3 / (1 + step))
    assert steps.graph is None
    assert len(update.seen) == NUM_STEPS
    found = torch.cat([value.float().flatten() for value in network.state_dict().values()])
    assert torch.allclose(found, expected, atol=1e-4)


def test_a_network_of_the_users_own_is_called() -> None:
    run = run_of(TINY)
    network = build_network(TINY, scale=2).to(CUDA)
    update = make_update(run, network, precision="fp32")
    assert type(make_steps(update, patches(), seed=0, device=CUDA, is_ours=False)) is Steps
    assert type(make_steps(update, patches(), seed=0, device=CUDA, is_ours=True)) is GraphedSteps


def test_a_run_on_a_gpu_goes_on_from_its_checkpoint(tmp_path: Path) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    for folder in (whole, cut):
        folder.mkdir()
    run = run_of(TINY_BATCH_NORM, validate_every=3, checkpoint_every=3)

    def go(folder: Path, validate: object = None) -> dict[str, Tensor]:
        from safetensors.torch import load_file

        train(
            run,
            batches=patches(),
            validate=validate,  # type: ignore[arg-type]
            preview=None,
            folder=folder,
            device=CUDA,
            precision="fp32",
            report=lambda _: None,
        )
        return load_file(folder / "weights.safetensors")

    expected = go(whole)
    seen: list[int] = []

    def dies_at_the_second(_: Network) -> dict[str, float]:
        seen.append(1)
        if len(seen) == 2:
            raise KeyboardInterrupt
        return {"psnr_y": 1.0}

    with pytest.raises(KeyboardInterrupt):
        go(cut, dies_at_the_second)
    assert (cut / CHECKPOINT).is_file()
    found = go(cut)
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert torch.allclose(found[name], value, atol=1e-4), name
