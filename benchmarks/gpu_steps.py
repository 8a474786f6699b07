"""How long a training step takes on a GPU: called, and as a CUDA graph; alone, and beside others.

Run:       python benchmarks/gpu_steps.py [--processes 12] [--device cuda]

Prints milliseconds a step: `Steps`, in which Python calls every operation, and `GraphedSteps`, which replays
one graph. With ``--processes`` so many processes train at once, and steps a second of all together are
printed. Without NVIDIA's MPS (``nvidia-cuda-mps-control -d``) the processes take turns on the GPU. On a CPU
there are only called steps.
"""

import argparse
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import torch

from srlab import TrainingProtocol
from srlab.data.patches import Patches
from srlab.declare.study import Run, Variant
from srlab.networks import build_network, preset
from srlab.pixels.images import HRImage
from srlab.training.steps import GraphedSteps, Steps, stream_of_its_own
from srlab.training.updates import make_update

CASES = {  # variant: scale, LR patch
    "srcnn/vanilla": (2, 20),
    "srcnn/pixel_shuffle_residual_leaky_relu": (2, 20),
    "vdsr/vanilla": (2, 20),
    "edsr/vanilla": (4, 16),
    "edsr/srresnet_block": (4, 16),
    "rdn/vanilla": (2, 20),
    "srresnet/original": (4, 16),
    "srresnet/transfer_dense": (4, 16),
}
PROTOCOL = TrainingProtocol(num_steps=1, batch_size=16, adam_eps=1e-7)


def made(name: str, kind: type[Steps], device: torch.device) -> Steps:
    """Steps of a variant on pictures of noise, in bf16 on a GPU."""
    scale, side = CASES[name]
    rng = np.random.default_rng(0)
    pictures = [
        HRImage(name=str(i), pixels=rng.integers(0, 256, (321, 481, 3), np.uint8), is_gray=False)
        for i in range(20)
    ]
    run = Run(
        variant=Variant(name=name, network=preset(name, scale=scale)),
        scale=scale,
        learning_rate=1e-5,
        seed=0,
        protocol=replace(PROTOCOL, lr_patch_size=side),
    )
    network = build_network(run.variant.network, scale=scale)
    network = network.to(device, memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    patches = Patches(pictures, scale=scale, lr_patch_size=side, batch_size=16)
    return kind(
        make_update(run, network, precision="bf16" if device.type == "cuda" else "fp32"),
        patches,
        seed=0,
        device=device,
    )


def steps_in(steps: Steps, seconds: float) -> float:
    """Steps a second, after some that do not count."""
    warm_up, at_once = (8, 20) if steps.device.type == "cuda" else (1, 1)
    for step in range(warm_up):
        losses = steps(step, learning_rate=1e-5)
    losses["loss"].item()
    begun, step = time.perf_counter(), warm_up
    while step == warm_up or time.perf_counter() - begun < seconds:
        for _ in range(at_once):
            losses = steps(step, learning_rate=1e-5)
            step += 1
        losses["loss"].item()  # waits for the GPU
    return (step - warm_up) / (time.perf_counter() - begun)


def alone(seconds: float, device: torch.device) -> None:
    """One process: called and, on a GPU, recorded."""
    kinds = {"called": Steps, **({"recorded": GraphedSteps} if device.type == "cuda" else {})}
    with stream_of_its_own(device):
        for name in CASES:
            times = {word: 1e3 / steps_in(made(name, kind, device), seconds) for word, kind in kinds.items()}
            told = ", ".join(f"{word} {milliseconds:.2f} ms" for word, milliseconds in times.items())
            sys.stdout.write(f"{name:42} {told}\n")


def together(processes: int, seconds: float) -> None:
    """Several processes, each with the same variant; all are ready before one begins to count."""
    for name in CASES:
        at = time.time() + 30
        workers = [
            subprocess.Popen(
                [sys.executable, __file__, "--worker", name, str(at), "--seconds", str(seconds)],
                stdout=subprocess.PIPE,
                text=True,
            )
            for _ in range(processes)
        ]
        rates = [float(worker.communicate()[0]) for worker in workers]
        sys.stdout.write(f"{name:42} {processes} processes: {sum(rates):6.0f} steps a second\n")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--only", choices=CASES, help="one variant alone")
    parser.add_argument("--worker", nargs=2, metavar=("VARIANT", "TIME"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    device = torch.device(options.device)
    if device.type == "cuda" and not torch.cuda.is_available():
        sys.exit("there is no CUDA GPU; --device cpu measures called steps")
    for name in set(CASES) - {options.only or name for name in CASES}:
        del CASES[name]
    torch.set_num_threads(1)
    if options.worker:
        name, at = options.worker
        with stream_of_its_own(device):
            steps = made(name, GraphedSteps, device)
            for step in range(8):
                steps(step, learning_rate=1e-5)
            time.sleep(max(0.0, float(at) - time.time()))
            sys.stdout.write(f"{steps_in(steps, options.seconds)}\n")
    elif options.processes > 1:
        together(options.processes, options.seconds)
    else:
        alone(options.seconds, device)


if __name__ == "__main__":
    main()
