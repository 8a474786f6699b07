"""How long a training step of a variant takes here."""

import time

import torch

from srlab.declare.objectives import PixelObjective
from srlab.declare.study import Study, Variant
from srlab.networks import build_network, num_parameters
from srlab.networks.complexity import multiply_adds
from srlab.networks.parts import freeze
from srlab.training.average import Average
from srlab.training.device import tune_allocator, use_threads
from srlab.training.machine import Machine, precision_of
from srlab.training.updates import make_update

_FLOP_PER_MULTIPLY_ADD = 6  # two in the forward pass, four in the backward one
_MEASURED_FLOP = {"cpu": 12e9, "cuda": 2e12}  # of one measured step at most: well under a second


def measure_step(study: Study, variant: Variant, machine: Machine, *, seconds: float) -> float | None:
    """Seconds that a training step of `variant` takes here, from a few steps on random tensors.
    Where a whole batch would take long, a part of it is timed, at last of one smaller patch, and scaled up.
    At least two steps are timed after one to warm up, then as many as fit in `seconds`. None for a network
    without parameters.
    """
    if num_parameters(variant.network, scale=study.scale) == 0:
        return None
    protocol, scale = study.protocol_of(variant), study.scale
    batch_size, patch_size = _affordable(study, variant, torch.device(machine.device))
    run = study.run(variant, learning_rate=study.rates_of(variant)[0], seed=0)
    device = torch.device(machine.device)
    use_threads(machine.threads)
    tune_allocator()
    generator = torch.Generator().manual_seed(0)
    with torch.random.fork_rng(devices=[]):
        network = build_network(variant.network, scale=scale)
    network = network.to(device, memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    if variant.start is not None and variant.start.freeze:
        freeze(network, variant.start.keep)
    channels = 1 if network.color == "luma" else 3
    lr = torch.rand(batch_size, channels, patch_size, patch_size, generator=generator)
    hr = torch.rand(batch_size, channels, scale * patch_size, scale * patch_size, generator=generator)
    lr, hr = (images.to(device, memory_format=torch.channels_last) for images in (lr, hr))
    update = make_update(run, network, precision=precision_of(study, machine))
    average = None if protocol.ema is None else Average(network, run, decay=protocol.ema)

    times: list[float] = []
    begun = time.perf_counter()
    while len(times) < 3 or (time.perf_counter() - begun < seconds and len(times) < 20):
        started = time.perf_counter()
        loss = update(lr, hr, learning_rate=1e-6)["loss"]
        if average is not None:
            average.update(network, step=len(times) + 1)
        loss.item()  # waits for a GPU
        times.append(time.perf_counter() - started)
    measured = sorted(times[1:])[(len(times) - 1) // 2]
    whole = protocol.batch_size * protocol.lr_patch_size**2
    return measured * whole / (batch_size * patch_size**2)


def _affordable(study: Study, variant: Variant, device: torch.device) -> tuple[int, int]:
    """The batch and the LR patch size whose step is short enough to be timed."""
    protocol, options = study.protocol_of(variant), variant.network
    lr_pixels = 1280 * 720 / study.scale**2  # what multiply-adds are counted for
    flop = _FLOP_PER_MULTIPLY_ADD * multiply_adds(options, scale=study.scale) / lr_pixels
    most = _MEASURED_FLOP.get(device.type, _MEASURED_FLOP["cpu"])
    patch_size = protocol.lr_patch_size
    # A discriminator has one size of patch, and a loss of a user's own was tried with no other.
    may_shrink = isinstance(variant.objective, PixelObjective) and not variant.objective.own
    while may_shrink and patch_size > 16 and flop * patch_size**2 > most:
        patch_size = max(16, patch_size // 2)
    return max(1, min(protocol.batch_size, int(most / (flop * patch_size**2)))), patch_size
