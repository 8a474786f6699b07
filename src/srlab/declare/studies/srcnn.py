"""Which change makes SRCNN better: LeakyReLU, a residual skip, or sub-pixel convolution?

Run:       srlab study srcnn --train t91 --test set5,set14
Takes:     not measured in full; `srlab study srcnn --plan` estimates it for your machine
Measured:  three rates, 3,000 steps, three seeds: docs/results.md

The seed study's six variants, rates and protocol (mean squared error, Adam as Keras has it, batches of 64
LR patches of 32 x 32 at x2). One variant more, residual_bicubic, tells the skip from the interpolation
under it: vanilla corrects a bicubic enlargement, the seed's residual variants a bilinear one.

The length is the seed's 50 epochs. Its grid of 32-pixel windows every 14 pixels cuts 22,227 patches from
the 91 images; that is 348 batches of 64, and 50 times 348 is 17,400 steps. The patches themselves are drawn
at random here, at the same size for every variant; no patch is stretched.
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
    "residual_bicubic",
    "pixel_shuffle_leaky_relu",
    "pixel_shuffle_residual_leaky_relu",
)

STUDY = Study(
    name="srcnn",
    scale=2,
    variants=tuple(
        Variant(
            name=f"srcnn/{name}",
            network=preset(f"srcnn/{name}", scale=2),
            objective=PixelObjective(loss="mse"),
        )
        for name in NAMES
    ),
    learning_rates=(1e-3, 5e-4, 3e-4, 1e-4, 1e-5),
    protocol=TrainingProtocol(
        num_steps=17_400, batch_size=64, lr_patch_size=32, schedule="cosine", adam_eps=1e-7
    ),
    train=("t91",),
    test=("set5", "set14"),
)
