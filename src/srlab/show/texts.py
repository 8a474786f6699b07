"""What tables and plots say of differences, ranks and names, in a few signs."""

from collections.abc import Sequence

from srlab.verdicts import Difference, Effect, Interval, Rank
from srlab.words import NOTHING, signed, span


def bounds(interval: Interval | None, decimals: int) -> str:
    """``[+0.31, +0.77]``; nothing without an interval."""
    return "" if interval is None else span(interval.low, interval.high, decimals)


def doubt(interval: Interval | None, *, most: int = 1) -> str:
    """What makes an interval wide: the `most` largest shares of its variance.

    >>> shares = (("images of set5", 0.816), ("trainings", 0.184))
    >>> wide = Interval(
    ...     low=0.2, high=1.0, level=0.95, population="images", standard_error=0.1, variance_shares=shares
    ... )
    >>> doubt(wide)
    '82 % images of set5'
    """
    shares = () if interval is None else interval.variance_shares[:most]
    return ", ".join(f"{100 * share:.0f} % {name}" for name, share in shares)


def with_bounds(finding: Difference | Effect, decimals: int) -> str:
    """A difference with its interval, if it has one."""
    return f"{signed(finding.estimate, decimals)} {bounds(finding.interval, decimals)}".strip()


def place(rank: Rank | None) -> str:
    """The places that the data allow, as ``1`` or ``1-3``."""
    if rank is None:
        return NOTHING
    return str(rank.best) if rank.best == rank.worst else f"{rank.best}-{rank.worst}"


def short_names(names: Sequence[str]) -> dict[str, str]:
    """Names without the architecture that all of them begin with: what a plot has room for.

    >>> short_names(["srcnn/vanilla", "srcnn/residual"])
    {'srcnn/vanilla': 'vanilla', 'srcnn/residual': 'residual'}
    >>> short_names(["srcnn/vanilla", "edsr/vanilla"])
    {'srcnn/vanilla': 'srcnn/vanilla', 'edsr/vanilla': 'edsr/vanilla'}
    """
    heads = {name.partition("/")[0] for name in names}
    is_shared = len(heads) == 1 and all(name.partition("/")[2] for name in names)
    return {name: name.partition("/")[2] if is_shared else name for name in names}
