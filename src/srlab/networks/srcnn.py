"""SRCNN: three convolutions that see the picture already enlarged.

Dong, Loy, He and Tang, "Image Super-Resolution Using Deep Convolutional Networks", TPAMI 2016.
https://arxiv.org/abs/1501.00092

Deviations from the paper:
- the border that "valid" convolutions would lose is made up by replicating the edge of the enlarged
  picture; the training loss leaves it out
- one learning rate for all layers

Deviations from the seed study: its vanilla network takes a picture enlarged beforehand and has zeros around
its middle convolution; ours enlarges inside and is "valid" throughout, which is the same away from the
edges.
"""

from dataclasses import dataclass, replace

from torch import Tensor, nn

from srlab.errors import UserError
from srlab.networks.blocks import ConvLayer, Network, SubPixelLayer
from srlab.networks.options import check_options
from srlab.networks.values import (
    KERAS_LEAKY_RELU,
    RELU,
    Activation,
    Color,
    Enlargement,
    Initialization,
    Interpolation,
    Padding,
)


@dataclass(frozen=True, kw_only=True)
class SRCNNOptions:
    """What varies between SRCNN variants; the defaults are the seed's vanilla network.

    `num_features` are the widths between the convolutions, so one fewer than `kernel_sizes`. With
    ``sub_pixel`` enlargement the last but one convolution makes s * s times its width, which is counted
    after the shuffle, and the activation follows the shuffle. `skip` adds the enlarged input to the output.
    """

    kernel_sizes: tuple[int, ...] = (9, 3, 5)
    num_features: tuple[int, ...] = (128, 64)
    activation: Activation = RELU
    enlargement: Enlargement = "bicubic"
    skip: Interpolation | None = None
    padding: Padding = "valid"
    color: Color = "rgb"
    initialization: Initialization = "glorot_uniform"

    def __post_init__(self) -> None:
        check_options(self, kernel_sizes=1, num_features=1)
        if not self.num_features or len(self.kernel_sizes) != len(self.num_features) + 1:
            raise UserError(
                "SRCNN: num_features are the widths between the convolutions; give at least one, and one "
                f"fewer than kernel_sizes; got {len(self.num_features)} widths and "
                f"{len(self.kernel_sizes)} sizes"
            )
        if any(size % 2 == 0 for size in self.kernel_sizes):
            raise UserError(f"SRCNN: kernel_sizes must be odd; got {self.kernel_sizes}")
        if self.padding == "valid" and self.enlargement == "sub_pixel":
            raise UserError(
                "SRCNN: padding=valid needs enlargement=bicubic or bilinear; for sub_pixel use padding=same"
            )
        if self.padding == "valid" and max(self.kernel_sizes) == 1:
            raise UserError("SRCNN: padding=valid has no effect if all kernel_sizes are 1; use padding=same")


VANILLA = SRCNNOptions()
LEAKY_RELU = replace(VANILLA, activation=KERAS_LEAKY_RELU)
RESIDUAL = replace(VANILLA, enlargement="bilinear", skip="bilinear", padding="same")
RESIDUAL_LEAKY_RELU = replace(RESIDUAL, activation=KERAS_LEAKY_RELU)
RESIDUAL_BICUBIC = replace(RESIDUAL, enlargement="bicubic", skip="bicubic")
PIXEL_SHUFFLE_LEAKY_RELU = replace(
    LEAKY_RELU,
    kernel_sizes=(3, 9, 3, 5),
    num_features=(64, 128, 64),
    enlargement="sub_pixel",
    padding="same",
)
PIXEL_SHUFFLE_RESIDUAL_LEAKY_RELU = replace(
    PIXEL_SHUFFLE_LEAKY_RELU, kernel_sizes=(5, 3, 5), num_features=(64, 32), skip="bilinear"
)
PAPER_915 = SRCNNOptions(
    kernel_sizes=(9, 1, 5), num_features=(64, 32), color="luma", initialization="gaussian"
)
PAPER_935 = replace(PAPER_915, kernel_sizes=(9, 3, 5))
PAPER_955 = replace(PAPER_915, kernel_sizes=(9, 5, 5))


class SRCNN(Network):
    """LR [N, C, H, W] in [0, 1] -> SR [N, C, sH, sW], not clamped; C is 1 for a luma network, else 3.

    ========= ========================================== ==========================
    enlarge   bicubic or bilinear (not with sub_pixel)   [N, C, sH, sW]
    layers    conv, activation, ... conv                 [N, C, sH, sW]
    skip      + the enlarged input (if there is a skip)  [N, C, sH, sW]
    ========= ========================================== ==========================

    Parameters of the paper's 9-1-5, 9-3-5 and 9-5-5, whose table 2 counts the weights alone (8,032, 24,416,
    57,184):

    >>> from srlab.networks import num_parameters
    >>> [num_parameters(options, scale=3) for options in (PAPER_915, PAPER_935, PAPER_955)]
    [8129, 24513, 57281]
    >>> [num_parameters(options, scale=2) for options in (VANILLA, RESIDUAL, PIXEL_SHUFFLE_LEAKY_RELU)]
    [109827, 109827, 965443]
    >>> num_parameters(PIXEL_SHUFFLE_RESIDUAL_LEAKY_RELU, scale=2)
    81123
    """

    def __init__(self, options: SRCNNOptions, *, scale: int) -> None:
        valid = options.padding == "valid"
        border = sum(size // 2 for size in options.kernel_sizes) if valid else 0
        super().__init__(scale=scale, enlargement=options.enlargement, skip=options.skip, border=border)
        channels = 1 if options.color == "luma" else 3
        *hidden, last = options.kernel_sizes
        widths = (channels, *options.num_features)
        self.layers = nn.Sequential()
        if valid:
            self.layers.append(nn.ReplicationPad2d(border))
        for i, size in enumerate(hidden):
            if i == len(hidden) - 1 and options.enlargement == "sub_pixel":
                layer: nn.Module = SubPixelLayer(
                    widths[i], widths[i + 1], factor=scale, kernel_size=size, activation=options.activation
                )
            else:
                layer = ConvLayer(
                    widths[i], widths[i + 1], kernel_size=size, activation=options.activation, valid=valid
                )
            self.layers.append(layer)
        self.layers.append(ConvLayer(widths[-1], channels, kernel_size=last, valid=valid))

    def forward(self, lr: Tensor) -> Tensor:
        image = self.enlarged(lr)
        return self.with_skip(self.layers(image), lr=lr, image=image)
