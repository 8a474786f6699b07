"""How long PSNR and SSIM on Y take beside two other roads to the same number, and how far they are off.

    python benchmarks/metrics.py [--threads 2] [--rounds 9] [--height 768] [--width 1024]

Interleaved; medians in ms. Of scikit-image's map only the windows inside the image count, as in ssim_index.m.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from skimage.metrics import structural_similarity

from srlab.pixels.metrics import psnr_y, ssim_y, to_plane


def by_convolution(sr: NDArray[Any], hr: NDArray[Any]) -> float:
    """SSIM by an 11x11 convolution in float32, as super-resolution code usually has it."""
    line = np.exp(-(np.arange(-5, 6) ** 2) / 4.5)
    window = torch.from_numpy(np.outer(line, line) / line.sum() ** 2).float()[None, None]
    x, y = (torch.from_numpy(plane).float()[None, None] for plane in (sr, hr))
    maps = torch.cat([x, y, x * x, y * y, x * y])
    mean_x, mean_y, xx, yy, xy = F.conv2d(maps, window)
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    numerator = (2 * mean_x * mean_y + c1) * (2 * (xy - mean_x * mean_y) + c2)
    squares = mean_x**2 + mean_y**2
    return float((numerator / ((squares + c1) * (xx + yy - squares + c2))).mean())


def by_skimage(sr: NDArray[Any], hr: NDArray[Any]) -> float:
    """SSIM by scikit-image in float64."""
    _, similarity = structural_similarity(  # type: ignore[no-untyped-call]
        sr, hr, data_range=255, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, full=True
    )
    return float(similarity[5:-5, 5:-5].mean())


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Time SSIM beside other implementations.")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--height", type=int, default=768)
    parser.add_argument("--width", type=int, default=1024)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    random = np.random.default_rng(0)
    slope = np.add.outer(np.arange(options.height), np.arange(options.width))[:, :, None] % 256
    hr = (slope + random.integers(0, 30, (options.height, options.width, 3))).clip(0, 255).astype(np.uint8)
    sr = (hr + random.integers(-8, 9, hr.shape)).clip(0, 255).astype(np.uint8)
    y_sr, y_hr = to_plane(sr), to_plane(hr)
    rows: dict[str, Callable[[], float]] = {
        "SSIM: scikit-image, float64": lambda: by_skimage(y_sr, y_hr),
        "SSIM: 11x11 convolution, float32": lambda: by_convolution(y_sr, y_hr),
        "SSIM: srlab, float64": lambda: ssim_y(y_sr, y_hr, border=0),
        "PSNR: srlab, float64": lambda: psnr_y(y_sr, y_hr, border=0),
        "Y of both pictures": lambda: float(to_plane(sr)[0, 0] + to_plane(hr)[0, 0]),
    }
    times: dict[str, list[float]] = {name: [] for name in rows}
    values: dict[str, float] = {}
    for round_ in range(options.rounds + 1):
        for name, action in rows.items():
            started = time.perf_counter()
            values[name] = action()
            if round_:  # the first warms up
                times[name].append(1e3 * (time.perf_counter() - started))
    exact_name = next(iter(rows))
    base = statistics.median(times[exact_name])
    print(f"{options.width}x{options.height} pixels, {options.threads} threads, median of {options.rounds}\n")
    print(f"{'':34}  {'ms':>7}  ratio  error")
    for name, found in times.items():
        median = statistics.median(found)
        error = f"{abs(values[name] - values[exact_name]):.0e}" if name.startswith("SSIM") else ""
        print(f"{name:34}  {median:7.1f}  {median / base:5.2f}  {error}")


if __name__ == "__main__":
    main()
