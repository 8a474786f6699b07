"""Which of six SRCNN variants learns most in a few hundred steps?

Run:       srlab study smoke
Takes:     about 3 minutes on 2 cores
Measured:  every residual variant beats bicubic on the one test image

The seed's six SRCNN variants at x2, on colour photographs that scikit-image ships: it needs no data of its
own and shows the whole way from the declaration to leaderboard and pictures. One test image proves nothing.
"""

from srlab.networks import preset
from srlab.objectives import PixelObjective
from srlab.study import Study, TrainingProtocol, Variant

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
    protocol=TrainingProtocol(
        num_steps=600, batch_size=16, lr_patch_size=24, schedule="cosine", adam_eps=1e-7, validate_every=100
    ),
    train=("sample",),
    validate=("sample",),
    test=("sample",),
)
