"""How long resize takes beside torch's own antialiased bicubic, which has the wrong border.

    python benchmarks/resize.py [--threads 2] [--rounds 15] [--device cpu]

Interleaved, so that a change of the machine's mood meets all alike; medians in ms. The last column is to stay
below 1.5.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from srlab.pixels.resize import resize, resize_uint8

CASES = [  # images [N, C, H, W] and the new size
    ((1, 3, 1024, 1024), (512, 512)),
    ((1, 3, 1024, 1024), (341, 341)),
    ((1, 3, 1024, 1024), (256, 256)),
    ((1, 3, 512, 512), (1024, 1024)),
    ((1, 3, 512, 512), (1536, 1536)),
    ((1, 3, 512, 512), (2048, 2048)),
    ((16, 3, 24, 24), (48, 48)),
    ((16, 3, 24, 24), (96, 96)),
    ((64, 1, 41, 41), (82, 82)),
]


def interpolate(images: Tensor, size: tuple[int, int]) -> Tensor:
    """Torch's own, antialiased: a = -0.5."""
    return F.interpolate(images, size=size, mode="bicubic", antialias=True, align_corners=False)


def medians(actions: dict[str, Callable[[], object]], rounds: int, device: torch.device) -> dict[str, float]:
    """Milliseconds of each, by turns."""
    times: dict[str, list[float]] = {name: [] for name in actions}
    for round_ in range(rounds + 2):
        for name, action in actions.items():
            started = time.perf_counter()
            action()
            if device.type == "cuda":
                torch.cuda.synchronize()
            if round_ >= 2:  # the first two warm up
                times[name].append(1e3 * (time.perf_counter() - started))
    return {name: statistics.median(found) for name, found in times.items()}


def backward(function: Callable[[], Tensor], images: Tensor) -> Callable[[], object]:
    """The forward and the backward pass."""

    def run() -> None:
        images.grad = None
        function().sum().backward()

    return run


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Time resize beside torch's interpolate.")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    device = torch.device(options.device)
    print(f"torch {torch.__version__}, {device}, {options.threads} threads, median of {options.rounds}, ms\n")
    print(f"{'':34}  {'interpolate':>11}  {'resize':>8}  ratio")
    for shape, size in CASES:
        images = torch.rand(shape, device=device)
        learnt = images.clone().requires_grad_()
        title = f"{'x'.join(map(str, shape))} to {size[0]}x{size[1]}"
        rows: dict[str, tuple[Callable[[], object], Callable[[], object]]] = {
            title: (lambda: interpolate(images, size), lambda: resize(images, size=size)),  # noqa: B023
            "  with gradients": (
                backward(lambda: interpolate(learnt, size), learnt),  # noqa: B023
                backward(lambda: resize(learnt, size=size), learnt),  # noqa: B023
            ),
        }
        for row, (theirs, ours) in rows.items():
            found = medians({"interpolate": theirs, "resize": ours}, options.rounds, device)
            ratio = found["resize"] / found["interpolate"]
            print(f"{row:34}  {found['interpolate']:11.3f}  {found['resize']:8.3f}  {ratio:5.2f}", flush=True)
    picture = torch.randint(0, 256, (1024, 1024, 3), dtype=torch.uint8).numpy()
    found = medians({"uint8": lambda: resize_uint8(picture, size=(512, 512))}, options.rounds, device)
    print(f"\nresize_uint8, 1024x1024x3 to 512x512, exact to the bit: {found['uint8']:.1f} ms")


if __name__ == "__main__":
    main()
