"""Published numbers beside a study's own, never mixed in (`srlab.declare.published`)."""

from dataclasses import dataclass

from srlab.declare.published import NUMBERS, SIZES, SOURCES, Mark
from srlab.folder.schema import StudyVariant


@dataclass(frozen=True, kw_only=True)
class Published:
    """One published number, and the network that it is of."""

    network: str
    value: float
    source: str
    mark: Mark


def published(
    variant: StudyVariant | None, *, test_set: str, num_images: int, scale: int, metric: str
) -> Published | None:
    """The number of the published network nearest to a variant of ``study.json``, or of bicubic (None).

    None if there is no such number: another metric, a set with another number of images, a user's own
    architecture.
    """
    if metric not in ("psnr_y", "ssim_y") or SIZES.get(test_set) != num_images:
        return None
    network = "bicubic" if variant is None else _nearest(variant)
    found = NUMBERS[test_set].get(network, {}).get(scale)
    value = None if found is None else found[metric == "ssim_y"]
    if value is None:
        return None
    source, mark = SOURCES[network]
    return Published(network=network, value=value, source=source, mark=mark)


def _nearest(variant: StudyVariant) -> str:
    """The published network of the variant's architecture, of the nearest size."""
    options = variant.network
    match options.get("architecture"):
        case "SRCNN":
            return "SRCNN 9-1-5" if list(options.get("kernel_sizes", ())) == [9, 1, 5] else "SRCNN 9-5-5"
        case "EDSR":
            is_large = options.get("num_blocks", 0) >= 32 and options.get("num_features", 0) >= 256
            return "EDSR" if is_large else "EDSR-baseline"
        case "SRResNet":
            return "SRGAN" if variant.is_adversarial else "SRResNet"
        case "VDSR" | "RDN" as name:
            return str(name)
    return ""
