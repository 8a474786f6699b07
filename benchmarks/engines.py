"""How long a picture takes by each engine: seconds, and times as long as torch, in rounds of all engines.

    python benchmarks/engines.py [--variant edsr/baseline] [--scale 2] [--side 300] [--rounds 3] [--tile N]

Random weights; without --tile each engine takes its own tiles, as `srlab upscale` does. Rounds are
interleaved, so that what else the machine does is shared; the median of the rounds' ratios is told.
"""

import argparse
import time
from importlib.util import find_spec
from statistics import median
from typing import get_args

import numpy as np
import torch

from srlab.networks import build_network, preset
from srlab.training.device import tune_allocator
from srlab.use.engines import Engine, forward_of
from srlab.use.upscaler import Upscaler


def main() -> None:
    """Print a row for each engine that is installed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--variant", default="edsr/baseline")
    parser.add_argument("--scale", type=int, default=2)
    parser.add_argument("--side", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--tile", type=int)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    tune_allocator()
    network = build_network(preset(options.variant, scale=options.scale), scale=options.scale).eval()
    network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    upscalers = {}
    for engine in get_args(Engine):
        if find_spec(engine) is not None:
            forward = None if engine == "torch" else forward_of(network, engine, name=options.variant)
            upscalers[engine] = Upscaler(network, variant=options.variant, forward=forward, tile=options.tile)
    photo = np.random.default_rng(0).integers(0, 256, (options.side, options.side, 3)).astype(np.uint8)
    seconds: dict[str, list[float]] = {engine: [] for engine in upscalers}
    for number in range(options.rounds + 1):  # the first round is not counted
        for engine, upscaler in upscalers.items():
            start = time.perf_counter()
            upscaler.upscale(photo)
            if number:
                seconds[engine].append(time.perf_counter() - start)
    print(f"{options.variant} x{options.scale}, {options.side} x {options.side}, {options.threads} thread(s)")
    for engine, found in seconds.items():
        ratios = [one / torch_ for one, torch_ in zip(found, seconds["torch"], strict=True)]
        print(
            f"{engine:12} tile {upscalers[engine].tile:5}  {median(found):7.2f} s  "
            f"{median(ratios):5.2f} times torch ({min(ratios):.2f} to {max(ratios):.2f})"
        )


if __name__ == "__main__":
    main()
