"""How much faster is a step when part of the network is frozen?

Run:   python benchmarks/frozen_step.py [--rounds 9] [--precision auto]
Takes: about 40 s with one thread

Trains each transfer network of SRResNet on random patches with its head and first 9 blocks frozen and with
nothing frozen, in turns within one process, and prints the median step of each and their ratio. The backward
pass ends where the frozen part begins.
"""

import argparse
import statistics
import time
from dataclasses import dataclass

import torch
from torch import Tensor

from srlab.declare.protocol import TrainingProtocol
from srlab.declare.study import Run, Variant
from srlab.networks import build_network, preset
from srlab.networks.parts import freeze
from srlab.networks.srresnet import KEPT
from srlab.training.device import default_threads, resolve_precision, tune_allocator, use_threads
from srlab.training.updates import Update, make_update

NETWORKS = ("vanilla", "no_batch_norm", "dense", "wide")
SCALE, BATCH_SIZE, PATCH_SIZE = 4, 16, 24


@dataclass
class Timed:
    """An update and how long its steps took, in seconds."""

    update: Update
    times: list[float]

    def step(self, lr: Tensor, hr: Tensor) -> None:
        started = time.perf_counter()
        self.update(lr, hr, learning_rate=1e-5)["loss"].item()
        self.times.append(time.perf_counter() - started)

    @property
    def milliseconds(self) -> float:
        return 1000 * statistics.median(self.times[1:])  # the first one warms up


def timed(name: str, *, is_frozen: bool, precision: str) -> Timed:
    """A transfer network, ready to be trained."""
    variant = Variant(name=name, network=preset(f"srresnet/transfer_{name}", scale=SCALE))
    protocol = TrainingProtocol(num_steps=1, precision=precision)  # type: ignore[arg-type]  # it checks
    run = Run(variant=variant, scale=SCALE, learning_rate=1e-5, seed=0, protocol=protocol)
    network = build_network(variant.network, scale=SCALE).to(memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    if is_frozen:
        freeze(network, KEPT)
    resolved = resolve_precision(protocol.precision, torch.device("cpu"))
    return Timed(make_update(run, network, precision=resolved), [])


def main() -> None:
    """Read the arguments, take turns, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=default_threads())
    parser.add_argument("--precision", default="auto", choices=("auto", "fp32", "bf16"))
    arguments = parser.parse_args()
    use_threads(arguments.threads)
    tune_allocator()
    lr = torch.rand(BATCH_SIZE, 3, PATCH_SIZE, PATCH_SIZE).contiguous(memory_format=torch.channels_last)
    hr = torch.rand(BATCH_SIZE, 3, SCALE * PATCH_SIZE, SCALE * PATCH_SIZE)
    hr = hr.contiguous(memory_format=torch.channels_last)
    print(f"batches of {BATCH_SIZE} LR patches of {PATCH_SIZE}, x{SCALE}, {arguments.threads} threads")
    print(f"\n{'network':16}{'frozen ms':>11}{'whole ms':>10}{'ratio':>7}")
    for name in NETWORKS:
        pair = [
            timed(name, is_frozen=is_frozen, precision=arguments.precision) for is_frozen in (True, False)
        ]
        for _ in range(arguments.rounds + 1):
            for one in pair:
                one.step(lr, hr)
        frozen, whole = (one.milliseconds for one in pair)
        print(f"{name:16}{frozen:>11.0f}{whole:>10.0f}{whole / frozen:>7.2f}", flush=True)


if __name__ == "__main__":
    main()
