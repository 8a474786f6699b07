"""srlab: does this change make a super-resolution network better?

The names below are the public ones; docs/python.md shows them in use. They are imported when they are first
asked for, so that ``import srlab`` is quick and needs no torch.
"""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from srlab.errors import UserError
    from srlab.images import Picture, read_picture
    from srlab.loss_values import L1, MSE, Charbonnier, Gradient, Perceptual, Sum
    from srlab.metrics import psnr_rgb, psnr_y, ssim_rgb, ssim_y
    from srlab.networks import NetworkOptions, build_network, preset, with_options
    from srlab.objectives import AdversarialObjective, PixelObjective
    from srlab.picture_files import write_picture
    from srlab.protocol import EvaluationProtocol, TrainingProtocol
    from srlab.resize import resize_uint8
    from srlab.study import Start, Study, Variant
    from srlab.upscale import upscale_tensor
    from srlab.upscaler import Upscaler, load

__version__ = version("srlab")

_MODULES = {
    "AdversarialObjective": "objectives",
    "Charbonnier": "loss_values",
    "EvaluationProtocol": "protocol",
    "Gradient": "loss_values",
    "L1": "loss_values",
    "MSE": "loss_values",
    "NetworkOptions": "networks",
    "Perceptual": "loss_values",
    "Picture": "images",
    "PixelObjective": "objectives",
    "Start": "study",
    "Study": "study",
    "Sum": "loss_values",
    "TrainingProtocol": "protocol",
    "Upscaler": "upscaler",
    "UserError": "errors",
    "Variant": "study",
    "build_network": "networks",
    "load": "upscaler",
    "preset": "networks",
    "psnr_rgb": "metrics",
    "psnr_y": "metrics",
    "read_picture": "images",
    "resize_uint8": "resize",
    "ssim_rgb": "metrics",
    "ssim_y": "metrics",
    "upscale_tensor": "upscale",
    "with_options": "networks",
    "write_picture": "picture_files",
}

__all__ = [
    "L1",
    "MSE",
    "AdversarialObjective",
    "Charbonnier",
    "EvaluationProtocol",
    "Gradient",
    "NetworkOptions",
    "Perceptual",
    "Picture",
    "PixelObjective",
    "Start",
    "Study",
    "Sum",
    "TrainingProtocol",
    "Upscaler",
    "UserError",
    "Variant",
    "__version__",
    "build_network",
    "load",
    "preset",
    "psnr_rgb",
    "psnr_y",
    "read_picture",
    "resize_uint8",
    "ssim_rgb",
    "ssim_y",
    "upscale_tensor",
    "with_options",
    "write_picture",
]


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module 'srlab' has no attribute {name!r}")
    value = getattr(import_module(f"srlab.{_MODULES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
