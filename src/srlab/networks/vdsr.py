"""VDSR: many 3 x 3 convolutions that learn the difference to the enlarged picture.

Kim, Lee and Lee, "Accurate Image Super-Resolution Using Very Deep Convolutional Networks", CVPR 2016.
https://arxiv.org/abs/1511.04587

Deviations from the paper: none in the network. One set of weights serves all scales, since the picture is
enlarged first; whether it is trained on several at once is the study's choice.

The seed study's networks have 10 layers instead of 20, enlarge bilinearly and are RGB; its residual has one
channel, the same for red, green and blue. Its pixel shuffle network is the one of its stored summary; its
code, which came later, is ``vdsr/pixel_shuffle_rgb``.
"""

from dataclasses import dataclass, replace

from torch import Tensor, nn

from srlab.errors import UserError
from srlab.networks.blocks import ConvLayer, Network, SubPixelLayer
from srlab.networks.options import check_options
from srlab.networks.values import (
    KERAS_LEAKY_RELU,
    KERAS_PRELU,
    RELU,
    Activation,
    Color,
    Enlargement,
    Initialization,
    Interpolation,
)


@dataclass(frozen=True, kw_only=True)
class VDSROptions:
    """What varies between VDSR variants; the defaults are the seed's vanilla network.

    `num_features` are the widths between the convolutions, so there is one convolution more. With
    ``sub_pixel`` enlargement the last but one makes s * s times its width, which is counted after the
    shuffle, and `upsampler_activation` (or nothing) follows the shuffle. `skip` adds the enlarged input to
    the output; with `gray_residual` the network gives one channel, which is added to red, green and blue
    alike.
    """

    num_features: tuple[int, ...] = (64,) * 9
    activation: Activation = RELU
    enlargement: Enlargement = "bilinear"
    skip: Interpolation | None = "bilinear"
    gray_residual: bool = True
    upsampler_activation: Activation | None = None
    color: Color = "rgb"
    initialization: Initialization = "glorot_uniform"

    def __post_init__(self) -> None:
        check_options(self, num_features=1)
        if not self.num_features:
            raise UserError("VDSR: num_features are the widths between the convolutions; give at least one")
        if self.gray_residual and self.color == "luma":
            raise UserError(
                "VDSR: gray_residual=true has no effect with color=luma, which has only one channel; "
                "set it to false"
            )
        if self.gray_residual and self.skip is None:
            raise UserError("VDSR: gray_residual=true needs a skip; without one every SR is gray")
        if self.enlargement == "sub_pixel":
            if len(self.num_features) == 1 and self.activation != RELU:
                raise UserError(
                    "VDSR: with one width and sub_pixel no layer uses the activation; set it to relu"
                )
        elif self.upsampler_activation is not None:
            raise UserError(
                f"VDSR: upsampler_activation={self.upsampler_activation} needs enlargement=sub_pixel, "
                f"not {self.enlargement}; set it to none"
            )


VANILLA = VDSROptions()
LEAKY_RELU = replace(VANILLA, activation=KERAS_LEAKY_RELU)
VANILLA_RGB = replace(VANILLA, gray_residual=False)
PIXEL_SHUFFLE = replace(
    VANILLA,
    num_features=(32,) * 5 + (64,) * 5,
    enlargement="sub_pixel",
    upsampler_activation=KERAS_PRELU,
)
PIXEL_SHUFFLE_RGB = replace(PIXEL_SHUFFLE, num_features=(64,) * 9 + (32,), gray_residual=False)
PAPER = VDSROptions(
    num_features=(64,) * 19,
    enlargement="bicubic",
    skip="bicubic",
    gray_residual=False,
    color="luma",
    initialization="kaiming_normal",
)


class VDSR(Network):
    """LR [N, C, H, W] in [0, 1] -> SR [N, C, sH, sW], not clamped; C is 1 for a luma network, else 3.

    ========= ========================================== ==========================
    enlarge   bicubic or bilinear (not with sub_pixel)   [N, C, sH, sW]
    layers    D - 1 times conv 3 x 3, activation; conv   [N, C or 1, sH, sW]
    skip      + the enlarged input                       [N, C, sH, sW]
    ========= ========================================== ==========================

    Parameters of the paper's network (its authors say 665K) and of the seed's:

    >>> from srlab.networks import num_parameters
    >>> [num_parameters(PAPER, scale=scale) for scale in (2, 3, 4)]
    [665921, 665921, 665921]
    >>> [num_parameters(options, scale=2) for options in (VANILLA, VANILLA_RGB)]
    [297793, 298947]
    >>> [num_parameters(options, scale=2) for options in (PIXEL_SHUFFLE, PIXEL_SHUFFLE_RGB)]
    [315521, 371971]
    """

    def __init__(self, options: VDSROptions, *, scale: int) -> None:
        super().__init__(scale=scale, enlargement=options.enlargement, skip=options.skip)
        channels = 1 if options.color == "luma" else 3
        widths = [channels, *options.num_features]
        self.layers = nn.Sequential()
        plain = len(widths) - 2 if options.enlargement == "sub_pixel" else len(widths) - 1
        for i in range(plain):
            self.layers.append(ConvLayer(widths[i], widths[i + 1], activation=options.activation))
        if options.enlargement == "sub_pixel":
            self.layers.append(
                SubPixelLayer(widths[-2], widths[-1], factor=scale, activation=options.upsampler_activation)
            )
        self.layers.append(ConvLayer(widths[-1], 1 if options.gray_residual else channels))

    def forward(self, lr: Tensor) -> Tensor:
        image = self.enlarged(lr)
        return self.with_skip(self.layers(image), lr=lr, image=image)
