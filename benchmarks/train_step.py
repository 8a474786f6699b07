"""How long does a training step take: as torch comes, tuned, and in srlab's own loop?

Run:  python benchmarks/train_step.py [--variants edsr/vanilla,...] [--rounds 3] [--threads 2]

- plain: a loop of five lines as anybody writes it: fp32, NCHW, glibc's allocator as it is, torch's PReLU, one
  batch again and again
- tuned: the same loop with what srlab does for speed: bf16 where the processor has it, channels last,
  allocator tuned
- srlab: `srlab.training.train.train` on patches cut from pictures, with a log in the measured steps

Each measurement is a process of its own; plain, tuned and srlab take turns, and each round begins with
another one. Printed are medians over the rounds of milliseconds a step, and of the ratios within a round.
The aims are tuned 1.9 times as fast as plain (SRCNN: 2.3 times) and srlab within 5 % of tuned. Eight
minutes on 2 cores with other work beside; for numbers to rely on the machine must be idle.
"""

import argparse
import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import torch
from torch import Tensor, nn

from srlab.data.patches import Patches
from srlab.declare.protocol import Precision, TrainingProtocol
from srlab.declare.study import Run, Variant
from srlab.errors import UserError
from srlab.folder.sessions import cpu_name
from srlab.networks import Luma, Network, NetworkOptions, build_network, preset
from srlab.networks.prelu import PReLU
from srlab.pixels.images import HRImage
from srlab.training.device import (
    autocast,
    default_threads,
    resolve_precision,
    to_device,
    tune_allocator,
    use_threads,
)
from srlab.training.losses import l1, without_border
from srlab.training.train import train

CPU = torch.device("cpu")
WARM_UP = 3  # steps

Way = Literal["plain", "tuned", "srlab"]
WAYS: tuple[Way, ...] = get_args(Way)


@dataclass(frozen=True, kw_only=True)
class Case:
    """The batch and patch that a variant is trained with, and how many steps take about three seconds."""

    scale: int
    batch_size: int
    lr_patch_size: int
    steps: int


CASES = {
    "srcnn/residual": Case(scale=2, batch_size=64, lr_patch_size=16, steps=40),  # HR 32 x 32
    "vdsr/paper": Case(scale=2, batch_size=64, lr_patch_size=20, steps=5),  # HR 40 x 40, not 41 x 41
    "edsr/vanilla": Case(scale=4, batch_size=16, lr_patch_size=24, steps=18),
    "rdn/vanilla": Case(scale=2, batch_size=16, lr_patch_size=32, steps=10),
    "srresnet/original": Case(scale=4, batch_size=16, lr_patch_size=24, steps=12),
}


def patches(case: Case, network: Network | None = None) -> Patches:
    """Batches for the case, of noise as large as photographs."""
    pixels = np.random.default_rng(0).integers(0, 256, (4, 480, 640, 3), dtype=np.uint8)
    return Patches(
        [HRImage(name=str(n), pixels=each, is_gray=False) for n, each in enumerate(pixels)],
        scale=case.scale,
        lr_patch_size=case.lr_patch_size,
        batch_size=case.batch_size,
        color="luma" if isinstance(network, Luma) else "rgb",
    )


def measure_bare(options: NetworkOptions, case: Case, *, is_tuned: bool, wanted: Precision) -> float:
    """Seconds a step in a loop of its own, with one batch."""
    torch.manual_seed(0)
    network = build_network(options, scale=case.scale).train()
    lr, hr = patches(case, network).batch(0, seed=0)
    precision = resolve_precision(wanted, CPU) if is_tuned else "fp32"
    if is_tuned:
        tune_allocator()
        network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        lr, hr = to_device(lr, CPU), to_device(hr, CPU)
    else:
        use_torch_prelu(network)
    forward = network.forward_luma if isinstance(network, Luma) else network
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-4)
    start = 0.0
    for step in range(WARM_UP + case.steps):
        if step == WARM_UP:
            start = time.perf_counter()
        with autocast(CPU, precision):
            sr = forward(lr)
        inside = [without_border(image, border=network.border) for image in (sr.float(), hr)]
        optimizer.zero_grad()
        l1(*inside).backward()
        optimizer.step()
    return (time.perf_counter() - start) / case.steps


def use_torch_prelu(network: nn.Module) -> None:
    """Put torch's own PReLU where srlab's faster one is."""
    for module in network.modules():
        for name, child in module.named_children():
            if isinstance(child, PReLU):
                stock = nn.PReLU(child.num_parameters)
                stock.weight = child.weight
                setattr(module, name, stock)


class EnoughError(Exception):
    """Ends a run that has been measured."""


class Timed:
    """Patches that note when the measured steps begin and end."""

    def __init__(self, batches: Patches, case: Case) -> None:
        self.batches = batches
        self.case = case
        self.start = 0.0
        self.seconds = 0.0

    def batch(self, step: int, *, seed: int) -> tuple[Tensor, Tensor]:
        if step == WARM_UP:
            self.start = time.perf_counter()
        if step == WARM_UP + self.case.steps:
            self.seconds = time.perf_counter() - self.start
            raise EnoughError
        return self.batches.batch(step, seed=seed)


def measure_srlab(variant: str, options: NetworkOptions, case: Case, *, wanted: Precision) -> float:
    """Seconds a step of srlab's loop, of a run long enough to log once in the measured steps."""
    batches = Timed(patches(case, build_network(options, scale=case.scale)), case)
    for step in range(WARM_UP):  # makes LR of the pictures
        batches.batches.batch(step, seed=0)
    run = Run(
        variant=Variant(name=variant, network=options),
        scale=case.scale,
        learning_rate=1e-4,
        seed=0,
        protocol=TrainingProtocol(
            num_steps=100 * case.steps, batch_size=case.batch_size, lr_patch_size=case.lr_patch_size
        ),
    )
    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(EnoughError):
        train(
            run,
            batches=batches,
            validate=None,
            preview=None,
            folder=Path(folder),
            device=CPU,
            precision=resolve_precision(wanted, CPU),
            report=lambda _: None,
        )
    return batches.seconds / case.steps


def measure(variant: str, way: Way, *, wanted: Precision) -> float:
    """Seconds a step, in this process."""
    case = CASES[variant]
    options = preset(variant, scale=case.scale)
    if way == "srlab":
        return measure_srlab(variant, options, case, wanted=wanted)
    return measure_bare(options, case, is_tuned=way == "tuned", wanted=wanted)


def measure_apart(variant: str, way: Way, *, threads: int, wanted: Precision) -> float:
    """Milliseconds a step, in a process of its own."""
    command = [sys.executable, __file__, "--measure", way, "--variants", variant, "--threads", str(threads)]
    command += ["--precision", wanted]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return 1000 * float(done.stdout)


def compare(variant: str, *, rounds: int, threads: int, wanted: Precision) -> None:
    """Measure the three ways in turns and print the variant's line."""
    times: dict[Way, list[float]] = {way: [] for way in WAYS}
    for number in range(rounds):
        for place in range(len(WAYS)):
            way = WAYS[(number + place) % len(WAYS)]
            times[way].append(measure_apart(variant, way, threads=threads, wanted=wanted))
    plain, tuned, whole = (statistics.median(times[way]) for way in WAYS)
    gain = statistics.median(a / b for a, b in zip(times["plain"], times["tuned"], strict=True))
    cost = statistics.median(a / b for a, b in zip(times["srlab"], times["tuned"], strict=True))
    case = CASES[variant]
    size = f"x{case.scale} {case.batch_size} x {case.lr_patch_size}"
    print(
        f"{variant:<18}{size:>12}{plain:>9.1f}{tuned:>9.1f}{whole:>9.1f}{gain:>14.2f}{cost:>14.3f}",
        flush=True,
    )


def main() -> None:
    """Read the arguments; measure one way if asked by `measure_apart`, else compare all."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--variants", default=",".join(CASES), help="comma separated; default: all five")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=default_threads())
    parser.add_argument("--precision", choices=("auto", "fp32"), default="auto", help="of tuned and srlab")
    parser.add_argument("--measure", choices=WAYS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    variants = arguments.variants.split(",")
    if unknown := [variant for variant in variants if variant not in CASES]:
        parser.error(f"unknown variant {unknown[0]!r}; measured are {', '.join(CASES)}")
    try:
        use_threads(arguments.threads)
    except UserError as error:
        parser.error(str(error))
    if arguments.measure:
        print(measure(variants[0], arguments.measure, wanted=arguments.precision))
        return
    precision = resolve_precision(arguments.precision, CPU)
    load = os.getloadavg()[0]
    print(f"{cpu_name()}, {arguments.threads} threads, load {load:.1f}, torch {torch.__version__}")
    print(f"milliseconds a step, tuned and srlab in {precision}; medians of {arguments.rounds} rounds\n")
    print(
        f"{'variant':<18}{'LR batch':>12}{'plain':>9}{'tuned':>9}{'srlab':>9}"
        f"{'plain/tuned':>14}{'srlab/tuned':>14}"
    )
    for variant in variants:
        compare(variant, rounds=arguments.rounds, threads=arguments.threads, wanted=arguments.precision)


if __name__ == "__main__":
    main()
