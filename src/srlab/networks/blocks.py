"""What more than one network uses: the contract, enlargement, convolutions, activations, residual blocks."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from srlab.errors import UserError
from srlab.networks.prelu import PReLU
from srlab.networks.values import Activation, BatchNorm, Color, Enlargement, Initialization, Interpolation
from srlab.pixels.resize import enlarge, resize

GAUSSIAN_STD = 0.001  # Dong et al., TPAMI 2016, section 4


class Network(nn.Module):
    """LR [N, C, H, W] in [0, 1] -> SR [N, C, sH, sW], not clamped, for any H and W of at least 1.

    `border` is how many SR pixels along each edge the training loss leaves out: those that padding reached.
    `enlarge` makes the image larger before the first convolution; it is None if sub-pixel convolution does
    so later. `has_skip` says that the enlarged input is added to the output; `skip` enlarges it, or is None
    where `enlarge` already has. Tensors are parameters or buffers; nothing else. `suits_bf16` says whether
    training in bf16 is known to cost this architecture nothing: precision ``auto`` goes by it.
    """

    color: Color = "rgb"
    suits_bf16: bool = True

    def __init__(
        self, *, scale: int, enlargement: Enlargement, skip: Interpolation | None, border: int = 0
    ) -> None:
        super().__init__()
        self.scale = scale
        self.border = border
        self.enlarge = None if enlargement == "sub_pixel" else Enlarge(enlargement, scale=scale)
        self.has_skip = skip is not None
        self.skip = Enlarge(skip, scale=scale) if skip and skip != enlargement else None

    def enlarged(self, lr: Tensor) -> Tensor:
        """What the first convolution sees: `lr`, or [N, C, sH, sW] if it is made larger first."""
        return lr if self.enlarge is None else self.enlarge(lr)

    def with_skip(self, sr: Tensor, *, lr: Tensor, image: Tensor) -> Tensor:
        """`sr` plus the enlarged `lr` (which is `image` where both are enlarged alike), in fp32 or better."""
        if not self.has_skip:
            return sr
        return sr + (image if self.skip is None else self.skip(lr))


class Enlarge(nn.Module):
    """[N, C, H, W] -> [N, C, sH, sW] by interpolation, in fp32 or better, whatever autocast says."""

    def __init__(self, kind: Interpolation, *, scale: int) -> None:
        super().__init__()
        self.kind = kind
        self.scale = scale

    def forward(self, image: Tensor) -> Tensor:
        size = (self.scale * image.shape[-2], self.scale * image.shape[-1])
        if self.kind == "bicubic":
            if torch.compiler.is_exporting():
                return enlarge(image, scale=self.scale)  # for every size, not for that of the trace alone
            return resize(image, size=size)
        image = image.to(torch.promote_types(image.dtype, torch.float32))
        return F.interpolate(image, size=size, mode="bilinear", align_corners=False)

    def extra_repr(self) -> str:
        return f"{self.kind}, scale={self.scale}"


class ConvLayer(nn.Sequential):
    """A convolution and what follows it: [N, I, H, W] -> [N, O, H, W], or smaller if it is `valid`."""

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        kernel_size: int = 3,
        activation: Activation | None = None,
        valid: bool = False,
    ) -> None:
        super().__init__()
        self.conv = conv(in_features, out_features, kernel_size=kernel_size, valid=valid)
        if activation:
            self.activation = make_activation(activation, out_features)


class SubPixelLayer(nn.Sequential):
    """Sub-pixel convolution (Shi et al., CVPR 2016): [N, I, H, W] -> [N, O, fH, fW] for a factor f."""

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        factor: int,
        kernel_size: int = 3,
        activation: Activation | None = None,
    ) -> None:
        super().__init__()
        self.conv = conv(in_features, factor**2 * out_features, kernel_size=kernel_size)
        self.shuffle = nn.PixelShuffle(factor)
        if activation:
            self.activation = make_activation(activation, out_features)


class Upsampler(nn.Sequential):
    """[N, I, H, W] -> [N, O, sH, sW]: one sub-pixel layer at x2 and x3, two of x2 at x4."""

    def __init__(
        self, in_features: int, out_features: int, *, scale: int, activation: Activation | None = None
    ) -> None:
        factors = {2: (2,), 3: (3,), 4: (2, 2)}[scale]
        layers = []
        for factor in factors:
            layers.append(SubPixelLayer(in_features, out_features, factor=factor, activation=activation))
            in_features = out_features
        super().__init__(*layers)


class ResidualBlock(nn.Module):
    """x + scale * conv(act(conv(x))), each convolution followed by batch normalization if there is any.

    `activation_after_add` puts one more activation after the sum, as ResNet has it.
    """

    def __init__(
        self,
        num_features: int,
        *,
        activation: Activation,
        batch_norm: BatchNorm | None = None,
        residual_scale: float = 1.0,
        activation_after_add: bool = False,
    ) -> None:
        super().__init__()
        layers: list[tuple[str, nn.Module | None]] = [
            ("conv1", conv(num_features, num_features)),
            ("norm1", make_batch_norm(batch_norm, num_features)),
            ("activation", make_activation(activation, num_features)),
            ("conv2", conv(num_features, num_features)),
            ("norm2", make_batch_norm(batch_norm, num_features)),
        ]
        self.residual = nn.Sequential()
        for name, layer in layers:
            if layer is not None:
                self.residual.add_module(name, layer)
        self.residual_scale = residual_scale
        self.last = make_activation(activation, num_features) if activation_after_add else None

    def extra_repr(self) -> str:
        return f"residual_scale={self.residual_scale}"

    def forward(self, x: Tensor) -> Tensor:
        residual = self.residual(x)
        if self.residual_scale != 1:
            residual = self.residual_scale * residual
        return x + residual if self.last is None else self.last(x + residual)


def conv(in_features: int, out_features: int, *, kernel_size: int = 3, valid: bool = False) -> nn.Conv2d:
    """A convolution with bias that keeps the size by zeros around, unless it is `valid`."""
    return nn.Conv2d(in_features, out_features, kernel_size, padding=0 if valid else kernel_size // 2)


def make_activation(activation: Activation, num_features: int) -> nn.Module:
    """The layer that an `Activation` stands for."""
    assert activation.slope is not None
    if activation.kind == "relu":
        return nn.ReLU()
    if activation.kind == "leaky_relu":
        return nn.LeakyReLU(activation.slope)
    return PReLU(1 if activation.shared else num_features, init=activation.slope)


def make_batch_norm(batch_norm: BatchNorm | None, num_features: int) -> nn.Module | None:
    """The layer that a `BatchNorm` stands for."""
    if batch_norm is None:
        return None
    return nn.BatchNorm2d(num_features, eps=batch_norm.eps, momentum=batch_norm.momentum)


def initialize(network: nn.Module, how: Initialization) -> None:
    """Draw the weights of every convolution and linear layer from torch's global generator; biases become 0.

    ``glorot_uniform`` is Keras's default, ``kaiming_normal`` He et al.'s (2015) for ReLU by fan-in,
    ``gaussian`` SRCNN's (standard deviation 0.001); ``pytorch`` leaves everything as torch made it.
    """
    if how == "pytorch":
        return
    for layer in network.modules():
        if not isinstance(layer, nn.Conv2d | nn.Linear):
            continue
        if how == "glorot_uniform":
            nn.init.xavier_uniform_(layer.weight)
        elif how == "kaiming_normal":
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        else:
            nn.init.normal_(layer.weight, std=GAUSSIAN_STD)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)


def check_scale(scale: int) -> None:
    """Raise `UserError` for a scale that no network has."""
    if isinstance(scale, bool) or scale not in (2, 3, 4):
        raise UserError(f"the scale must be 2, 3 or 4, not {scale!r}")
