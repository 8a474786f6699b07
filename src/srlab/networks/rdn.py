"""RDN: blocks in which every convolution sees all the ones before it.

Zhang, Tian, Kong, Zhong and Fu, "Residual Dense Network for Image Super-Resolution", CVPR 2018.
https://arxiv.org/abs/1802.08797

Deviations from the paper: none in the network. As in the authors' code, the x4 upsampler is two of x2, and
it is 64 wide also where the growth rate is 32.

The seed study's networks have 3 blocks of 3 layers and an upsampler of 16 features with a ReLU, whatever
the activation within the blocks is.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from srlab.errors import UserError
from srlab.networks.blocks import ConvLayer, Network, Upsampler, conv
from srlab.networks.options import check_options
from srlab.networks.values import (
    KERAS_LEAKY_RELU,
    KERAS_PRELU,
    RELU,
    Activation,
    Enlargement,
    Initialization,
    Interpolation,
)


@dataclass(frozen=True, kw_only=True)
class RDNOptions:
    """What varies between RDN variants; the defaults are the seed's vanilla network.

    `num_blocks` dense blocks (the paper's D) of `num_layers` convolutions (C) of `growth` features (G)
    between `num_features` (G0). `upsampler_features` is the width after each pixel shuffle,
    `upsampler_activation` follows it (a ReLU is the same before and after); both are none unless the
    enlargement is ``sub_pixel``. `skip` adds the enlarged input to the output.
    """

    num_blocks: int = 3
    num_layers: int = 3
    growth: int = 64
    num_features: int = 64
    activation: Activation = RELU
    upsampler_features: int | None = 16
    upsampler_activation: Activation | None = RELU
    enlargement: Enlargement = "sub_pixel"
    skip: Interpolation | None = None
    initialization: Initialization = "glorot_uniform"

    def __post_init__(self) -> None:
        check_options(self, num_blocks=1, num_layers=1, growth=1, num_features=1, upsampler_features=1)
        if self.enlargement == "sub_pixel":
            if self.upsampler_features is None:
                raise UserError("RDN: enlargement=sub_pixel needs upsampler_features, such as 64")
            return
        for name in ("upsampler_features", "upsampler_activation"):
            if (value := getattr(self, name)) is not None:
                raise UserError(
                    f"RDN: {name}={value} needs enlargement=sub_pixel, not {self.enlargement}; set it to none"
                )


VANILLA = RDNOptions()
LEAKY_RELU = replace(VANILLA, activation=KERAS_LEAKY_RELU)
PRELU = replace(VANILLA, activation=KERAS_PRELU)
PAPER = RDNOptions(
    num_blocks=16,
    num_layers=8,
    upsampler_features=64,
    upsampler_activation=None,
    initialization="pytorch",
)
PAPER_SMALL = replace(PAPER, num_blocks=20, num_layers=6, growth=32)


class RDN(Network):
    """LR [N, 3, H, W] in [0, 1] -> SR [N, 3, sH, sW], not clamped.

    ========= ============================================= =====================
    head      conv                                          [N, F, H, W]
    entry     conv                                          [N, F, H, W]
    blocks    D dense blocks, one after the other           [N, F, H, W] each
    fuse      conv 1 x 1 of all their outputs, conv, + head [N, F, H, W]
    tail      pixel shuffle, conv                           [N, 3, sH, sW]
    ========= ============================================= =====================

    Enlarged first (bicubic or bilinear), everything is at sH x sW and the tail is a convolution.

    Parameters at x2, x3 and x4, and of the seed's:

    >>> from srlab.networks import num_parameters
    >>> [num_parameters(PAPER, scale=scale) for scale in (2, 3, 4)]
    [22123395, 22308035, 22271107]
    >>> [num_parameters(PAPER_SMALL, scale=scale) for scale in (2, 3, 4)]
    [5616515, 5801155, 5764227]
    >>> [num_parameters(options, scale=2) for options in (VANILLA, LEAKY_RELU, PRELU)]
    [838835, 838835, 839411]
    """

    def __init__(self, options: RDNOptions, *, scale: int) -> None:
        super().__init__(scale=scale, enlargement=options.enlargement, skip=options.skip)
        features = options.num_features
        self.head = conv(3, features)
        self.entry = conv(features, features)
        self.blocks = nn.ModuleList(
            DenseBlock(
                features,
                num_layers=options.num_layers,
                growth=options.growth,
                activation=options.activation,
            )
            for _ in range(options.num_blocks)
        )
        self.fuse = nn.Sequential(
            conv(options.num_blocks * features, features, kernel_size=1), conv(features, features)
        )
        self.tail = nn.Sequential()
        if options.upsampler_features:
            self.tail.append(
                Upsampler(
                    features, options.upsampler_features, scale=scale, activation=options.upsampler_activation
                )
            )
        self.tail.append(conv(options.upsampler_features or features, 3))

    def forward(self, lr: Tensor) -> Tensor:
        image = self.enlarged(lr)
        shallow = self.head(image)
        x = self.entry(shallow)
        outputs = []
        for block in self.blocks:
            x = block(x)
            outputs.append(x)
        sr = self.tail(shallow + self.fuse(torch.cat(outputs, dim=1)))
        return self.with_skip(sr, lr=lr, image=image)


class DenseBlock(nn.Module):
    """[N, F, H, W] -> same: each convolution sees all before it; 1 x 1 over everything; plus input."""

    def __init__(self, num_features: int, *, num_layers: int, growth: int, activation: Activation) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            ConvLayer(num_features + i * growth, growth, activation=activation) for i in range(num_layers)
        )
        self.fuse = conv(num_features + num_layers * growth, num_features, kernel_size=1)

    def forward(self, x: Tensor) -> Tensor:
        features = x
        for layer in self.layers:
            features = torch.cat((features, layer(features)), dim=1)
        return x + self.fuse(features)
