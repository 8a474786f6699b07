"""What do training patches cost? Patches a second, and the share of a training step that waits for them.

Run:  python benchmarks/patches.py [--images FOLDER] [--threads 1]

Prints a table: batches as srlab's studies draw them, from photographs that scikit-image ships or a folder of
your own; median of many batches, after LR has been made. The share is that of a training step on 2 cores,
bf16 and tuned (benchmarks/train_step.py measures those); the aim is 3 % at most.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch

from srlab.data.datasets import SetImage, load_sets
from srlab.data.patches import Patches
from srlab.errors import UserError


@dataclass(frozen=True, kw_only=True)
class Row:
    """A kind of batch and the milliseconds of the training step that it feeds (2 cores, bf16, tuned)."""

    name: str
    scale: int
    batch_size: int
    lr_patch_size: int
    step_milliseconds: float
    color: Literal["rgb", "luma"] = "rgb"
    jpeg_noise: bool = False


ROWS = (
    # The step of SRCNN was measured at 32 HR pixels; the two other sizes are in proportion to their pixels.
    Row(name="srcnn, 32 HR pixels", scale=2, batch_size=64, lr_patch_size=16, step_milliseconds=60),
    Row(name="srcnn, as its study", scale=2, batch_size=16, lr_patch_size=24, step_milliseconds=34),
    Row(name="srcnn, as the seed", scale=2, batch_size=64, lr_patch_size=32, step_milliseconds=240),
    Row(
        name="vdsr/paper, luma", scale=2, batch_size=64, lr_patch_size=21, step_milliseconds=566, color="luma"
    ),
    Row(name="edsr/vanilla", scale=4, batch_size=16, lr_patch_size=24, step_milliseconds=161),
    Row(name="rdn/vanilla", scale=2, batch_size=16, lr_patch_size=32, step_milliseconds=262),
    Row(
        name="rdn, JPEG noise",
        scale=2,
        batch_size=16,
        lr_patch_size=32,
        step_milliseconds=262,
        jpeg_noise=True,
    ),
    Row(
        name="srresnet, JPEG noise",
        scale=4,
        batch_size=16,
        lr_patch_size=24,
        step_milliseconds=216,
        jpeg_noise=True,
    ),
)


def median_milliseconds(work: Callable[[int], object], *, repeats: int) -> float:
    """Median time of `work(k)`, after two rounds to warm up."""
    times = []
    for k in range(-2, repeats):
        start = time.perf_counter()
        work(abs(k))
        if k >= 0:
            times.append(1000 * (time.perf_counter() - start))
    return statistics.median(times)


def measure(row: Row, images: tuple[SetImage, ...], *, repeats: int) -> tuple[float, float]:
    """Milliseconds to make LR of all images once, and of a batch."""
    patches = Patches(
        images,
        scale=row.scale,
        lr_patch_size=row.lr_patch_size,
        batch_size=row.batch_size,
        color=row.color,
        jpeg_noise=row.jpeg_noise,
    )
    start = time.perf_counter()
    patches.prepare()
    prepared = 1000 * (time.perf_counter() - start)
    return prepared, median_milliseconds(lambda k: patches.batch(k, seed=0), repeats=repeats)


def main() -> None:
    """Measure all rows and print them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", default="sample", help="a data set or folder (default: sample)")
    parser.add_argument("--threads", type=int, default=1, help="torch's threads (default: 1)")
    parser.add_argument("--repeats", type=int, default=300)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)

    images = load_sets([options.images], role="train")[0].images
    megabytes = sum(image.pixels.nbytes for image in images) / 1e6
    print(
        f"{len(images)} images, {megabytes:.0f} MB decoded; torch {torch.__version__}, "
        f"{options.threads} thread(s)\n"
    )
    print(f"{'batch of':22}{'patches':>12}{'LR once':>10}{'a batch':>10}{'patches/s':>11}{'of a step':>11}")
    for row in ROWS:
        try:
            prepared, batch = measure(row, images, repeats=options.repeats)
        except UserError as error:
            print(f"{row.name:22}{error}")
            continue
        size = f"{row.batch_size} x {row.lr_patch_size * row.scale}px"
        share = f"{100 * batch / row.step_milliseconds:.1f} %"
        speed = 1000 * row.batch_size / batch
        print(f"{row.name:22}{size:>12}{prepared:7.0f} ms{batch:7.2f} ms{speed:11,.0f}{share:>11}")


if __name__ == "__main__":
    main()
