"""srlab: does this change make a super-resolution network better?

The names below are the public ones; docs/python.md shows them in use. They are imported when they are first
asked for, so that ``import srlab`` is quick and needs no torch.
"""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from srlab.declare.loss_values import L1, MSE, Charbonnier, Gradient, Loss, Perceptual, Sum
    from srlab.declare.metrics import Metric
    from srlab.declare.objectives import AdversarialObjective, PixelObjective
    from srlab.declare.protocol import EvaluationProtocol, TrainingProtocol
    from srlab.declare.start import Start
    from srlab.declare.study import Study, Variant
    from srlab.errors import UserError
    from srlab.folder.user_networks import trust
    from srlab.networks import Architecture, NetworkOptions, build_network, preset, with_options
    from srlab.pixels.images import Picture, read_picture
    from srlab.pixels.metrics import psnr_rgb, psnr_y, ssim_rgb, ssim_y
    from srlab.pixels.picture_files import write_picture
    from srlab.pixels.resize import resize_uint8
    from srlab.use.upscale import upscale_tensor
    from srlab.use.upscaler import Upscaler, load

__version__ = version("srlab")

_MODULES = {
    "AdversarialObjective": "declare.objectives",
    "Architecture": "networks",
    "Charbonnier": "declare.loss_values",
    "EvaluationProtocol": "declare.protocol",
    "Gradient": "declare.loss_values",
    "L1": "declare.loss_values",
    "Loss": "declare.loss_values",
    "MSE": "declare.loss_values",
    "Metric": "declare.metrics",
    "NetworkOptions": "networks",
    "Perceptual": "declare.loss_values",
    "Picture": "pixels.images",
    "PixelObjective": "declare.objectives",
    "Start": "declare.study",
    "Study": "declare.study",
    "Sum": "declare.loss_values",
    "TrainingProtocol": "declare.protocol",
    "Upscaler": "use.upscaler",
    "UserError": "errors",
    "Variant": "declare.study",
    "build_network": "networks",
    "load": "use.upscaler",
    "preset": "networks",
    "psnr_rgb": "pixels.metrics",
    "psnr_y": "pixels.metrics",
    "read_picture": "pixels.images",
    "resize_uint8": "pixels.resize",
    "ssim_rgb": "pixels.metrics",
    "ssim_y": "pixels.metrics",
    "trust": "folder.user_networks",
    "upscale_tensor": "use.upscale",
    "with_options": "networks",
    "write_picture": "pixels.picture_files",
}

__all__ = [
    "L1",
    "MSE",
    "AdversarialObjective",
    "Architecture",
    "Charbonnier",
    "EvaluationProtocol",
    "Gradient",
    "Loss",
    "Metric",
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
    "trust",
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
