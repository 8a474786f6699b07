"""What was published of the networks compared here: data, shown beside ours, never mixed in.

PSNR in dB and SSIM on Y. Only numbers that were read in the authors' own table, or that independent copies
agree on; what one copy alone says is marked so. They are of other training data and many times the steps.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Mark = Literal["authors", "copies", "one copy"]
_SIZES = {"set5": 5, "set14": 14, "b100": 100, "urban100": 100, "manga109": 109}

_SOURCES: Mapping[str, tuple[str, Mark]] = {
    "bicubic": ("RDN's own table (Figs/PSNR_SSIM_BI.png in its repository)", "authors"),
    "SRCNN 9-5-5": ("RDN's own table (Figs/PSNR_SSIM_BI.png in its repository)", "authors"),
    "SRCNN 9-1-5": (
        "README of SelfExSR; its bicubic has 33.64 dB, so its protocol differs slightly",
        "one copy",
    ),
    "VDSR": ("tables of later papers, which agree", "copies"),
    "EDSR-baseline": ("one later table; torchSR measured the same within 0.01 dB on Set5", "one copy"),
    "EDSR": ("tables of later papers, which agree", "copies"),
    "RDN": ("RDN's own table (Figs/PSNR_SSIM_BI.png in its repository)", "authors"),
    "SRResNet": ("tables of later papers, which agree; SSIM is left out: its scale differs", "copies"),
    "SRGAN": ("tables of later papers, which agree; SSIM is left out: its scale differs", "copies"),
}

# By test set and network: (PSNR, SSIM) by scale.
_NUMBERS: Mapping[str, Mapping[str, Mapping[int, tuple[float, float | None]]]] = {
    "set5": {
        "bicubic": {2: (33.66, 0.9299), 3: (30.39, 0.8682), 4: (28.42, 0.8104)},
        "SRCNN 9-5-5": {2: (36.66, 0.9542), 3: (32.75, 0.9090), 4: (30.48, 0.8628)},
        "SRCNN 9-1-5": {2: (36.28, 0.9509), 3: (32.37, 0.9025), 4: (30.08, 0.8525)},
        "VDSR": {2: (37.53, 0.9587), 3: (33.66, 0.9213), 4: (31.35, 0.8838)},
        "EDSR-baseline": {2: (37.99, 0.9604), 4: (32.09, 0.8938)},
        "EDSR": {2: (38.11, 0.9601), 3: (34.65, 0.9282), 4: (32.46, 0.8968)},
        "RDN": {2: (38.24, 0.9614), 3: (34.71, 0.9296), 4: (32.47, 0.8990)},
        "SRResNet": {4: (32.05, None)},
        "SRGAN": {4: (29.40, None)},
    },
    "set14": {
        "bicubic": {2: (30.24, 0.8688), 3: (27.55, 0.7742), 4: (26.00, 0.7027)},
        "SRCNN 9-5-5": {2: (32.45, 0.9067), 3: (29.30, 0.8215), 4: (27.50, 0.7513)},
        "VDSR": {2: (33.03, 0.9124), 3: (29.77, 0.8314), 4: (28.01, 0.7674)},
        "EDSR-baseline": {2: (33.57, 0.9175), 4: (28.58, 0.7813)},
        "EDSR": {2: (33.92, 0.9195), 3: (30.52, 0.8462), 4: (28.80, 0.7876)},
        "RDN": {2: (34.01, 0.9212), 3: (30.57, 0.8468), 4: (28.81, 0.7871)},
        "SRResNet": {4: (28.49, None)},
        "SRGAN": {4: (26.02, None)},
    },
    "b100": {
        "bicubic": {2: (29.56, 0.8431), 3: (27.21, 0.7385), 4: (25.96, 0.6675)},
        "SRCNN 9-5-5": {2: (31.36, 0.8879), 3: (28.41, 0.7863), 4: (26.90, 0.7101)},
        "VDSR": {2: (31.90, 0.8960), 3: (28.82, 0.7976), 4: (27.29, 0.7251)},
        "EDSR-baseline": {2: (32.16, 0.8994), 4: (27.57, 0.7357)},
        "EDSR": {2: (32.32, 0.9013), 3: (29.25, 0.8093), 4: (27.71, 0.7420)},
        "RDN": {2: (32.34, 0.9017), 3: (29.26, 0.8093), 4: (27.72, 0.7419)},
        "SRResNet": {4: (27.58, None)},
        "SRGAN": {4: (25.16, None)},
    },
    "urban100": {
        "bicubic": {2: (26.88, 0.8403), 3: (24.46, 0.7349), 4: (23.14, 0.6577)},
        "SRCNN 9-5-5": {2: (29.50, 0.8946), 3: (26.24, 0.7989), 4: (24.52, 0.7221)},
        "VDSR": {2: (30.76, 0.9140), 3: (27.14, 0.8279), 4: (25.18, 0.7524)},
        "EDSR-baseline": {2: (31.98, 0.9272), 4: (26.04, 0.7849)},
        "EDSR": {2: (32.93, 0.9351), 3: (28.80, 0.8653), 4: (26.64, 0.8033)},
        "RDN": {2: (32.89, 0.9353), 3: (28.80, 0.8653), 4: (26.61, 0.8028)},
    },
    "manga109": {
        "bicubic": {2: (30.80, 0.9339), 3: (26.95, 0.8556), 4: (24.89, 0.7866)},
        "SRCNN 9-5-5": {2: (35.60, 0.9663), 3: (30.48, 0.9117), 4: (27.58, 0.8555)},
        "RDN": {2: (39.18, 0.9780), 3: (34.13, 0.9484), 4: (31.00, 0.9151)},
    },
}


@dataclass(frozen=True, kw_only=True)
class Published:
    """One published number, and the network that it is of."""

    network: str
    value: float
    source: str
    mark: Mark


def published(
    variant: Mapping[str, Any] | None, *, test_set: str, num_images: int, scale: int, metric: str
) -> Published | None:
    """The number of the published network nearest to a variant of ``study.json``, or of bicubic (None).

    None if there is no such number: another metric, a set with another number of images, a user's own
    architecture.
    """
    if metric not in ("psnr_y", "ssim_y") or _SIZES.get(test_set) != num_images:
        return None
    network = "bicubic" if variant is None else _nearest(variant)
    found = _NUMBERS[test_set].get(network, {}).get(scale)
    value = None if found is None else found[metric == "ssim_y"]
    if value is None:
        return None
    source, mark = _SOURCES[network]
    return Published(network=network, value=value, source=source, mark=mark)


def _nearest(variant: Mapping[str, Any]) -> str:
    """The published network of the variant's architecture, of the nearest size."""
    options = variant.get("network", {})
    match options.get("architecture"):
        case "SRCNN":
            return "SRCNN 9-1-5" if list(options.get("kernel_sizes", ())) == [9, 1, 5] else "SRCNN 9-5-5"
        case "EDSR":
            is_large = options.get("num_blocks", 0) >= 32 and options.get("num_features", 0) >= 256
            return "EDSR" if is_large else "EDSR-baseline"
        case "SRResNet":
            is_gan = variant.get("objective", {}).get("kind") == "adversarial"
            return "SRGAN" if is_gan else "SRResNet"
        case "VDSR" | "RDN" as name:
            return str(name)
    return ""
