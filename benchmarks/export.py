"""What exporting costs: seconds of processor time, size, and the worst difference from torch, by variant.

    python benchmarks/export.py [VARIANT ...]

Random weights. Without VARIANT all of `srlab networks`, each at its first scale, which takes ten minutes.
"""

import itertools
import sys
import time

import torch

from srlab.networks import PRESETS, build_network, find_preset
from srlab.use.exports import check_same
from srlab.use.exports.graphs import onnx_bytes, open_onnx, program_of

ABOUT = {"srlab": "", "variant": "", "scale": "", "input": "", "output": ""}


def main() -> None:
    """Print a row for each variant."""
    names = sys.argv[1:] or list(PRESETS)
    print(f"{'variant':46} {'trace s':>8} {'ONNX s':>8} {'check s':>8} {'MB':>7} {'worst':>8}")
    for name in ("bicubic", *names):  # once more, as the first one pays for what torch imports
        known = find_preset(name)
        torch.manual_seed(0)
        network = build_network(known.options, scale=known.scales[0]).eval()
        times = [time.process_time()]
        program = program_of(network, name=name)
        times.append(time.process_time())
        content = onnx_bytes(program, metadata=ABOUT)
        times.append(time.process_time())
        worst = check_same(network, open_onnx(content), name=name)
        times.append(time.process_time())
        trace, onnx, check = (after - before for before, after in itertools.pairwise(times))
        print(
            f"{f'{name} x{known.scales[0]}':46} {trace:8.1f} {onnx:8.1f} {check:8.1f} "
            f"{len(content) / 1e6:7.2f} {worst:8.1e}",
            flush=True,
        )


if __name__ == "__main__":
    main()
