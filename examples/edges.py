"""Does a loss that looks at edges give better edges?

Run:    srlab study examples/edges.py --steps 500

A loss and a metric that srlab does not have, in one file. All three variants are the same network.
"""

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from srlab import L1, Loss, Metric, PixelObjective, Study, Sum, TrainingProtocol, Variant, preset


def charbonnier_of_edges(sr: Tensor, hr: Tensor) -> Tensor:
    """SR and HR [N, C, H, W] -> one number: how far the differences of neighbours are apart."""
    error = sr - hr
    across, down = error.diff(dim=-1), error.diff(dim=-2)
    return (across**2 + 1e-6).sqrt().mean() + (down**2 + 1e-6).sqrt().mean()


def edge_error(sr: NDArray[np.float64], hr: NDArray[np.float64]) -> float:
    """SR and HR [H, W, 3] in [0, 1] -> the mean error of the differences of neighbours, in per cent."""
    error = sr - hr
    return 50 * float(np.abs(np.diff(error, axis=0)).mean() + np.abs(np.diff(error, axis=1)).mean())


edges = Loss("charbonnier_of_edges", charbonnier_of_edges)
network = preset("srcnn/pixel_shuffle_residual_leaky_relu", scale=2)

STUDY = Study(
    name="edges",
    scale=2,
    variants=(
        Variant(name="l1", network=network),
        Variant(name="edges", network=network, objective=PixelObjective(loss=edges)),
        Variant(name="both", network=network, objective=PixelObjective(loss=Sum(L1(), 0.5 * edges))),
    ),
    learning_rates=(1e-3,),
    protocol=TrainingProtocol(num_steps=1_500, batch_size=8, lr_patch_size=20, schedule="cosine"),
    train=("sample",),
    validate=("sample",),
    test=("sample",),
    metrics=(Metric("edge_error", unit="%", decimals=3, better="lower", function=edge_error),),
)
