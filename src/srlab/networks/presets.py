"""Every variant that has a name, and the scales at which it exists."""

import difflib
from dataclasses import dataclass

from srlab.errors import UserError
from srlab.networks import edsr, rdn, srcnn, srresnet, vdsr
from srlab.networks.bicubic import BicubicOptions
from srlab.networks.blocks import check_scale
from srlab.networks.edsr import EDSROptions
from srlab.networks.rdn import RDNOptions
from srlab.networks.srcnn import SRCNNOptions
from srlab.networks.srresnet import SRResNetOptions
from srlab.networks.vdsr import VDSROptions

# Those of a user's own architecture are options too, of a type that srlab does not know.
NetworkOptions = BicubicOptions | SRCNNOptions | VDSROptions | EDSROptions | RDNOptions | SRResNetOptions


@dataclass(frozen=True)
class Preset:
    """A named variant: the seed study's at its one scale, a paper's at all that the paper has.

    `about` says what the variant is, in about five words. `frozen` names the parts that the variant takes
    from another one, trained, and keeps as they are.
    """

    name: str
    options: NetworkOptions
    scales: tuple[int, ...]
    about: str
    frozen: tuple[str, ...] = ()


ALL_SCALES = (2, 3, 4)

PRESETS: dict[str, Preset] = {
    preset.name: preset
    for preset in (
        Preset("bicubic", BicubicOptions(), ALL_SCALES, "interpolation; nothing is learned"),
        Preset("srcnn/vanilla", srcnn.VANILLA, (2,), "three convolutions, upscales first"),
        Preset("srcnn/leaky_relu", srcnn.LEAKY_RELU, (2,), "vanilla with LeakyReLU"),
        Preset("srcnn/residual", srcnn.RESIDUAL, (2,), "bilinear upscaling, added as skip"),
        Preset("srcnn/residual_leaky_relu", srcnn.RESIDUAL_LEAKY_RELU, (2,), "residual with LeakyReLU"),
        Preset("srcnn/residual_bicubic", srcnn.RESIDUAL_BICUBIC, (2,), "residual with bicubic upscaling"),
        Preset(
            "srcnn/pixel_shuffle_leaky_relu",
            srcnn.PIXEL_SHUFFLE_LEAKY_RELU,
            (2,),
            "upscales last, without a skip",
        ),
        Preset(
            "srcnn/pixel_shuffle_residual_leaky_relu",
            srcnn.PIXEL_SHUFFLE_RESIDUAL_LEAKY_RELU,
            (2,),
            "upscales last, adds bilinear skip",
        ),
        Preset("srcnn/paper_915", srcnn.PAPER_915, ALL_SCALES, "the paper's 9-1-5, luma only"),
        Preset("srcnn/paper_935", srcnn.PAPER_935, ALL_SCALES, "the paper's 9-3-5, luma only"),
        Preset("srcnn/paper_955", srcnn.PAPER_955, ALL_SCALES, "the paper's 9-5-5, luma only"),
        Preset("vdsr/vanilla", vdsr.VANILLA, (2,), "10 layers, one gray residual"),
        Preset("vdsr/leaky_relu", vdsr.LEAKY_RELU, (2,), "vanilla with LeakyReLU"),
        Preset("vdsr/vanilla_rgb", vdsr.VANILLA_RGB, (2,), "vanilla with an RGB residual"),
        Preset("vdsr/pixel_shuffle", vdsr.PIXEL_SHUFFLE, (2,), "upscales last, one gray residual"),
        Preset("vdsr/pixel_shuffle_rgb", vdsr.PIXEL_SHUFFLE_RGB, (2,), "upscales last, an RGB residual"),
        Preset("vdsr/paper", vdsr.PAPER, ALL_SCALES, "the paper's 20 layers, luma"),
        Preset("edsr/vanilla", edsr.VANILLA, (4,), "16 residual blocks, no normalization"),
        Preset("edsr/leaky_relu", edsr.LEAKY_RELU, (4,), "vanilla with LeakyReLU"),
        Preset("edsr/relu_after_add", edsr.RELU_AFTER_ADD, (4,), "vanilla, ReLU after each block"),
        Preset("edsr/batch_norm", edsr.BATCH_NORM, (4,), "vanilla with batch normalization"),
        Preset("edsr/batch_norm_relu", edsr.BATCH_NORM_RELU, (4,), "batch_norm, ReLU after each block"),
        Preset("edsr/srresnet_block", edsr.SRRESNET_BLOCK, (4,), "SRResNet's blocks in an EDSR"),
        Preset("edsr/baseline", edsr.BASELINE, ALL_SCALES, "the paper's small network"),
        Preset("edsr/paper", edsr.PAPER, ALL_SCALES, "the paper's large network"),
        Preset("rdn/vanilla", rdn.VANILLA, (2,), "3 dense blocks, small upsampler"),
        Preset("rdn/leaky_relu", rdn.LEAKY_RELU, (2,), "vanilla with LeakyReLU"),
        Preset("rdn/prelu", rdn.PRELU, (2,), "vanilla with PReLU"),
        Preset("rdn/paper", rdn.PAPER, ALL_SCALES, "the paper's 16 dense blocks"),
        Preset("rdn/paper_small", rdn.PAPER_SMALL, ALL_SCALES, "the paper's 20 narrow blocks"),
        Preset("srresnet/original", srresnet.ORIGINAL, (4,), "16 normalized blocks, ends in tanh"),
        Preset("srresnet/paper", srresnet.PAPER, (4,), "the paper's network, linear end"),
        Preset(
            "srresnet/transfer_vanilla",
            srresnet.TRANSFER_VANILLA,
            (4,),
            "keeps 9 blocks, adds 8 normalized",
            frozen=srresnet.KEPT,
        ),
        Preset(
            "srresnet/transfer_no_batch_norm",
            srresnet.TRANSFER_NO_BATCH_NORM,
            (4,),
            "keeps 9 blocks, adds 8 plain",
            frozen=srresnet.KEPT,
        ),
        Preset(
            "srresnet/transfer_dense",
            srresnet.TRANSFER_DENSE,
            (4,),
            "keeps 9 blocks, adds 7 dense",
            frozen=srresnet.KEPT,
        ),
        Preset(
            "srresnet/transfer_wide",
            srresnet.TRANSFER_WIDE,
            (4,),
            "keeps 9 blocks, adds 24 plain",
            frozen=srresnet.KEPT,
        ),
        Preset("srresnet/dense", srresnet.TRANSFER_DENSE, (4,), "transfer_dense, trained from scratch"),
    )
}


def preset(name: str, *, scale: int) -> NetworkOptions:
    """The options of a named variant.

    Raises `UserError` for an unknown name, or a scale at which the variant does not exist.
    """
    known = find_preset(name)
    check_scale(scale)
    if scale not in known.scales:
        scales = " and ".join(f"x{known_scale}" for known_scale in known.scales)
        raise UserError(f"{name} exists at {scales}, not at x{scale}")
    return known.options


def only_scale(name: str) -> int:
    """The scale of a variant that exists at one; a `UserError` that names them where it has several."""
    scales = find_preset(name).scales
    if len(scales) > 1:
        named = ", ".join(f"x{scale}" for scale in scales)
        raise UserError(f"{name} exists at {named}: choose one, such as --scale {scales[0]}")
    return scales[0]


def find_preset(name: str) -> Preset:
    """The named variant. Raises `UserError` for an unknown name, with the nearest ones."""
    if name in PRESETS:
        return PRESETS[name]
    near = difflib.get_close_matches(name, PRESETS, n=3) or [known for known in PRESETS if name in known][:3]
    hint = f"did you mean {' or '.join(near)}? " if near else ""
    raise UserError(f"there is no variant {name!r}; {hint}`srlab networks` lists all")
