"""Which of six SRCNN variants learns most in 1,500 small steps?

Run:       srlab study smoke
Takes:     about 3 minutes on 2 cores (4 minutes of one core's time)
Measured:  psnr_y on the one test image: bicubic 35.25 dB, residual_leaky_relu 35.99,
           pixel_shuffle_residual_leaky_relu 36.24

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
        num_steps=1_500, batch_size=8, lr_patch_size=20, schedule="cosine", adam_eps=1e-7, validate_every=150
    ),
    train=("sample",),
    validate=("sample",),
    test=("sample",),
)
