"""Does LeakyReLU or sub-pixel convolution make a ten-layer VDSR better?

Run:       srlab study vdsr --train 291 --test set5,set14
Takes:     not measured in full; `srlab study vdsr --plan` estimates it for your machine
Measured:  not yet

The seed study's three variants, rates and protocol (mean squared error, Adam as Keras has it, batches of
256 LR patches of 32 x 32 at x2). The seed's network adds one channel of residual to all three colours, and
its pixel-shuffle variant changes the upsampling and, in the code, the number of channels too. Two variants
more tell these apart: vanilla_rgb and pixel_shuffle_rgb have three channels each.

The length is the seed's 10 epochs. Its grid of 32-pixel windows every 14 pixels cuts 160,827 patches from the
291 images (22,227 from the 91, 138,600 from BSD's 200); that is 629 batches of 256, and 10 times 629 is
6,290 steps.
"""

from srlab.declare.objectives import PixelObjective
from srlab.declare.protocol import TrainingProtocol
from srlab.declare.study import Study, Variant
from srlab.networks import preset

NAMES = ("vanilla", "leaky_relu", "pixel_shuffle", "vanilla_rgb", "pixel_shuffle_rgb")

STUDY = Study(
    name="vdsr",
    scale=2,
    variants=tuple(
        Variant(
            name=f"vdsr/{name}",
            network=preset(f"vdsr/{name}", scale=2),
            objective=PixelObjective(loss="mse"),
        )
        for name in NAMES
    ),
    learning_rates=(1e-3, 5e-4, 3e-4, 1e-4, 1e-5),
    protocol=TrainingProtocol(
        num_steps=6_290, batch_size=256, lr_patch_size=32, schedule="cosine", adam_eps=1e-7
    ),
    train=("291",),
    test=("set5", "set14"),
)
