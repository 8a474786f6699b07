"""From a study's folder to its verdicts."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from srlab.verdicts.values import Verdicts


def judge(
    folder: Path,
    *,
    base: str | None = None,
    level: float = 0.95,
    variants: Sequence[str] | None = None,
    images: Mapping[str, Sequence[str]] | None = None,
) -> Verdicts:
    """What the files in a study's `folder` allow to conclude now, whatever is still missing.

    Args:
        folder: a study's, as `srlab study` makes it; it is only read.
        base: the variant that the others are compared with; by default the first of the study.
        level: of intervals and tests, in (0, 1): 0.95 is 95 % and tests at 5 %.
        variants: only these, in the study's order; families, ranks and effects are of what is left.
        images: by test set only these of its images; sets that are not named are left out.

    Raises:
        UserError: `folder` is no study's, or a name is not one of the study.
    """
    raise NotImplementedError
