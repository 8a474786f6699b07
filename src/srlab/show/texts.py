"""What tables and plots say of differences, ranks and names, in a few signs."""

from collections.abc import Sequence

from srlab.verdicts import Difference, Effect, Interval, Rank
from srlab.words import NOTHING, signed, span


def bounds(interval: Interval | None, decimals: int) -> str:
    """``[+0.31, +0.77]``; nothing without an interval."""
    return "" if interval is None else span(interval.low, interval.high, decimals)


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
