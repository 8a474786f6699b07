"""SRResNet: residual blocks with batch normalization and PReLU; the generator of SRGAN.

Ledig et al., "Photo-Realistic Single Image Super-Resolution Using a Generative Adversarial Network", CVPR
2017. https://arxiv.org/abs/1609.04802

Deviations from the paper: in ``srresnet/paper`` none in the network that the paper would settle; eps and
momentum of batch normalization are torch's.

The seed study's network has a slope for every channel, starting from 0, and a tanh at its end, which is
moved to [0, 1].

Its transfer variants keep the head and the first 9 blocks of a trained ``srresnet/original``; what follows is
new: 8 blocks of one kind or another, no convolution before the last batch normalization, and the tail. They
have 17 blocks, not 16, and ``transfer_dense`` has 1 block without batch normalization and 7 dense ones.
"""

from dataclasses import dataclass, field, replace
from typing import Literal

import torch
from torch import Tensor, nn

from srlab.errors import UserError
from srlab.networks.blocks import (
    ConvLayer,
    Network,
    ResidualBlock,
    Upsampler,
    conv,
    make_activation,
    make_batch_norm,
)
from srlab.networks.options import LATER, check_options
from srlab.networks.rdn import DenseBlock
from srlab.networks.values import (
    KERAS_BATCH_NORM,
    KERAS_PRELU,
    RELU,
    Activation,
    BatchNorm,
    Enlargement,
    Initialization,
    Interpolation,
)

BLOCK_BATCH_NORM = BatchNorm(eps=1e-3, momentum=0.2)  # the seed: Keras's momentum of 0.8
# 24 blocks that begin with Glorot-uniform weights double the variance 24 times, and training lowers it for
# long: averaged with a momentum of 0.01 it is 7 times too large after 1,500 steps, which costs 8 dB.
QUICK_BATCH_NORM = BatchNorm(eps=1e-3, momentum=0.1)


@dataclass(frozen=True, kw_only=True)
class SRResNetOptions:
    """What varies between SRResNet variants; the defaults are the seed's original network.

    The body is `num_blocks` residual blocks with `batch_norm` after each convolution, then
    `num_plain_blocks` without any, then `num_dense_blocks` as RDN has them (3 convolutions with ReLU that
    grow by `num_features` each); at its end are a convolution, if `trunk_conv`, `trunk_batch_norm` and
    `trunk_activation`, which some published weights have.
    `output` ``tanh`` ends in (tanh + 1) / 2, or in tanh alone where `skip` adds the enlarged input.
    """

    num_blocks: int = 16
    num_plain_blocks: int = 0
    num_dense_blocks: int = 0
    num_features: int = 64
    activation: Activation = KERAS_PRELU
    batch_norm: BatchNorm | None = BLOCK_BATCH_NORM
    trunk_conv: bool = True
    trunk_batch_norm: BatchNorm | None = KERAS_BATCH_NORM
    output: Literal["tanh", "linear"] = "tanh"
    enlargement: Enlargement = "sub_pixel"
    skip: Interpolation | None = None
    initialization: Initialization = "glorot_uniform"
    trunk_activation: Activation | None = field(default=None, metadata=LATER)

    def __post_init__(self) -> None:
        check_options(self, num_blocks=0, num_plain_blocks=0, num_dense_blocks=0, num_features=1)
        if self.num_blocks + self.num_plain_blocks + self.num_dense_blocks == 0:
            raise UserError(
                "SRResNet: num_blocks, num_plain_blocks and num_dense_blocks are all 0; give at least one "
                "block"
            )
        if self.num_blocks == 0 and self.batch_norm is not None:
            raise UserError("SRResNet: batch_norm needs num_blocks of at least 1; set it to none")


ORIGINAL = SRResNetOptions()
KEPT_BLOCKS = 9
KEPT = ("head", *(f"body.{i}" for i in range(KEPT_BLOCKS)))  # what the transfer variants keep
TRANSFER_VANILLA = SRResNetOptions(num_blocks=KEPT_BLOCKS + 8, trunk_conv=False)
TRANSFER_NO_BATCH_NORM = SRResNetOptions(num_blocks=KEPT_BLOCKS, num_plain_blocks=8, trunk_conv=False)
TRANSFER_DENSE = SRResNetOptions(
    num_blocks=KEPT_BLOCKS, num_plain_blocks=1, num_dense_blocks=7, trunk_conv=False
)
TRANSFER_WIDE = SRResNetOptions(
    num_blocks=KEPT_BLOCKS, num_plain_blocks=24, trunk_conv=False, trunk_batch_norm=QUICK_BATCH_NORM
)
PAPER = replace(
    ORIGINAL,
    activation=Activation("prelu", 0.25, shared=True),
    batch_norm=BatchNorm(),
    trunk_batch_norm=BatchNorm(),
    output="linear",
    initialization="pytorch",
)


class SRResNet(Network):
    """LR [N, 3, H, W] in [0, 1] -> SR [N, 3, sH, sW], not clamped.

    ========= =========================================== =====================
    head      conv 9 x 9, activation                      [N, F, H, W]
    body      blocks, conv, batch norm, + head            [N, F, H, W]
    tail      pixel shuffle with activation, conv 9 x 9   [N, 3, sH, sW]
    ========= =========================================== =====================

    Enlarged first (bicubic or bilinear), everything is at sH x sW and the tail is a convolution.

    >>> from srlab.networks import num_parameters, num_running_statistics
    >>> [num_parameters(options, scale=4) for options in (ORIGINAL, PAPER)]
    [1550659, 1549462]
    >>> [num_running_statistics(options, scale=4) for options in (ORIGINAL, PAPER)]
    [4224, 4224]
    >>> num_parameters(TRANSFER_DENSE, scale=4) + num_running_statistics(TRANSFER_DENSE, scale=4)
    2735619
    """

    def __init__(self, options: SRResNetOptions, *, scale: int) -> None:
        super().__init__(scale=scale, enlargement=options.enlargement, skip=options.skip)
        features = options.num_features
        self.head = ConvLayer(3, features, kernel_size=9, activation=options.activation)
        self.body = nn.Sequential()
        for _ in range(options.num_blocks):
            self.body.append(
                ResidualBlock(features, activation=options.activation, batch_norm=options.batch_norm)
            )
        for _ in range(options.num_plain_blocks):
            self.body.append(ResidualBlock(features, activation=options.activation))
        for _ in range(options.num_dense_blocks):
            self.body.append(DenseBlock(features, num_layers=3, growth=features, activation=RELU))
        if options.trunk_conv:
            self.body.append(conv(features, features))
        if norm := make_batch_norm(options.trunk_batch_norm, features):
            self.body.append(norm)
        if options.trunk_activation:
            self.body.append(make_activation(options.trunk_activation, features))
        self.tail = nn.Sequential()
        if options.enlargement == "sub_pixel":
            self.tail.append(Upsampler(features, features, scale=scale, activation=options.activation))
        self.tail.append(conv(features, 3, kernel_size=9))
        self.output = options.output

    def forward(self, lr: Tensor) -> Tensor:
        image = self.enlarged(lr)
        shallow = self.head(image)
        sr = self.tail(shallow + self.body(shallow))
        if self.output == "tanh":
            sr = torch.tanh(sr)
            sr = sr if self.has_skip else (sr + 1) / 2
        return self.with_skip(sr, lr=lr, image=image)
