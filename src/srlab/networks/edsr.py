"""EDSR: a residual network without batch normalization.

Lim, Son, Kim, Nah and Lee, "Enhanced Deep Residual Networks for Single Image Super-Resolution", CVPR
Workshops 2017. https://arxiv.org/abs/1707.02921

Deviations from the paper:
- images are in [0, 1], not [0, 255]; the mean of DIV2K is subtracted on that scale
- the x3 and x4 networks start from random weights, not from the x2 network

The seed study's networks have no mean shift. Its folders "BatchNorm", "BatchNorm_ReLU" and "SRResNet" hold
other networks than they say; ours are what the names say.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from srlab.errors import UserError
from srlab.networks.blocks import Network, ResidualBlock, Upsampler, conv
from srlab.networks.options import check_options
from srlab.networks.values import (
    KERAS_BATCH_NORM,
    KERAS_LEAKY_RELU,
    KERAS_PRELU,
    RELU,
    Activation,
    BatchNorm,
    Enlargement,
    Initialization,
    Interpolation,
)

DIV2K_MEAN = (0.4488, 0.4371, 0.4040)  # of the training images, RGB; from the authors' code


@dataclass(frozen=True, kw_only=True)
class EDSROptions:
    """What varies between EDSR variants; the defaults are the seed's vanilla network.

    `residual_scale` multiplies what a block adds; `activation_after_add` puts the activation once more
    after its sum; `batch_norm` follows every convolution of a block. `mean_shift` takes DIV2K's mean colour
    off the input and gives it back to the output. `skip` adds the enlarged input to the output.
    """

    num_blocks: int = 16
    num_features: int = 64
    residual_scale: float = 1.0
    activation: Activation = RELU
    activation_after_add: bool = False
    batch_norm: BatchNorm | None = None
    mean_shift: bool = False
    enlargement: Enlargement = "sub_pixel"
    skip: Interpolation | None = None
    initialization: Initialization = "glorot_uniform"

    def __post_init__(self) -> None:
        check_options(self, num_blocks=1, num_features=1)
        if self.residual_scale == 0:
            raise UserError("EDSR: residual_scale must not be 0, because that turns every block off")


VANILLA = EDSROptions()
LEAKY_RELU = replace(VANILLA, activation=KERAS_LEAKY_RELU)
RELU_AFTER_ADD = replace(VANILLA, activation_after_add=True)
BATCH_NORM = replace(VANILLA, batch_norm=KERAS_BATCH_NORM)
BATCH_NORM_RELU = replace(BATCH_NORM, activation_after_add=True)
SRRESNET_BLOCK = replace(BATCH_NORM, activation=KERAS_PRELU)
BASELINE = replace(VANILLA, mean_shift=True, initialization="pytorch")
PAPER = replace(BASELINE, num_blocks=32, num_features=256, residual_scale=0.1)


class EDSR(Network):
    """LR [N, 3, H, W] in [0, 1] -> SR [N, 3, sH, sW], not clamped.

    ========= =============================== =====================
    head      conv                            [N, F, H, W]
    body      B residual blocks, conv, + head [N, F, H, W]
    tail      pixel shuffle, conv             [N, 3, sH, sW]
    ========= =============================== =====================

    Enlarged first (bicubic or bilinear), everything is at sH x sW and the tail is a convolution.

    Parameters at x2, x3 and x4 (the paper's table 1: 1.5M and 43M):

    >>> from srlab.networks import num_parameters
    >>> [num_parameters(BASELINE, scale=scale) for scale in (2, 3, 4)]
    [1369859, 1554499, 1517571]
    >>> [num_parameters(PAPER, scale=scale) for scale in (2, 3, 4)]
    [40729603, 43680003, 43089923]
    >>> [num_parameters(options, scale=4) for options in (VANILLA, BATCH_NORM, SRRESNET_BLOCK)]
    [1517571, 1521667, 1522691]
    """

    mean: Tensor | None

    # Four seeds of 300 steps lost 0.02 dB in bf16 (docs/results.md); benchmarks/precision.py measures it.
    suits_bf16 = False

    def __init__(self, options: EDSROptions, *, scale: int) -> None:
        super().__init__(scale=scale, enlargement=options.enlargement, skip=options.skip)
        features = options.num_features
        self.head = conv(3, features)
        self.body = nn.Sequential()
        for _ in range(options.num_blocks):
            self.body.append(
                ResidualBlock(
                    features,
                    activation=options.activation,
                    batch_norm=options.batch_norm,
                    residual_scale=options.residual_scale,
                    activation_after_add=options.activation_after_add,
                )
            )
        self.body.append(conv(features, features))
        self.tail = nn.Sequential()
        if options.enlargement == "sub_pixel":
            self.tail.append(Upsampler(features, features, scale=scale))
        self.tail.append(conv(features, 3))
        mean = torch.tensor(DIV2K_MEAN).view(1, 3, 1, 1) if options.mean_shift else None
        self.register_buffer("mean", mean, persistent=False)

    def forward(self, lr: Tensor) -> Tensor:
        image = self.enlarged(lr)
        shallow = self.head(image if self.mean is None else image - self.mean)
        sr = self.tail(shallow + self.body(shallow))
        if not self.has_skip:
            return sr if self.mean is None else sr + self.mean
        return self.with_skip(sr, lr=lr, image=image)  # which gives the mean back
