"""Which of six SRCNN variants learns most in a few minutes?

Run:       srlab study smoke
Takes:     3 minutes and a quarter on 2 cores with bf16
Measured:  every residual variant beats bicubic (35.25 dB) on the one test image, by 0.74 to 0.99 dB

The seed's six SRCNN variants at x2, on colour photographs that scikit-image ships: it needs no data of its
own and shows the whole way from the declaration to leaderboard and pictures. One test image proves nothing.
"""

from srlab.declare.objectives import PixelObjective
from srlab.declare.protocol import TrainingProtocol
from srlab.declare.study import Study, Variant
from srlab.networks import preset

NAMES = (
    "vanilla",
    "leaky_relu",
    "residual",
    "residual_leaky_relu",
    "pixel_shuffle_leaky_relu",
    "pixel_shuffle_residual_leaky_relu",
)

STUDY = Study(
    name="smoke",
    scale=2,
    variants=tuple(
        Variant(
            name=f"srcnn/{name}",
            network=preset(f"srcnn/{name}", scale=2),
            objective=PixelObjective(loss="mse"),
        )
        for name in NAMES
    ),
    learning_rates=(1e-3,),
    seeds=(0,),  # it shows the way; with more, it would take as many times three minutes
    protocol=TrainingProtocol(
        num_steps=1_500, batch_size=8, lr_patch_size=20, schedule="cosine", adam_eps=1e-7
    ),
    train=("sample",),
    validate=("sample",),
    test=("sample",),
)
