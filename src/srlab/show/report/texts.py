"""Numbers as people read them: signed differences, intervals, large counts, times."""

import math
import re
from collections.abc import Sequence

from srlab.verdicts import Difference, Effect, Interval, Rank

TIMES = "\N{MULTIPLICATION SIGN}"
MINUS = "\N{MINUS SIGN}"
NOTHING = "\N{EN DASH}"
_NEGATIVE = re.compile(r"(?<![\w.,/:=+-])-(?=\d)")


def number(value: float | None, decimals: int) -> str:
    """A number with a true minus, a dash where there is none, and the sign of infinity.

    >>> number(33.456, 2), number(math.inf, 2)
    ('33.46', '∞')
    """
    if value is None:
        return NOTHING
    if math.isinf(value):
        return "∞" if value > 0 else f"{MINUS}∞"
    return f"{value:.{decimals}f}".replace("-", MINUS)


def signed(value: float | None, decimals: int) -> str:
    """A difference: its sign is always there, but nothing is not signed.

    >>> signed(0.541, 2), signed(-0.001, 2)
    ('+0.54', '0.00')
    """
    if value is None or math.isinf(value):
        return number(value, decimals)
    text = f"{value:+.{decimals}f}"
    return text[1:] if float(text) == 0 else text.replace("-", MINUS)


def bounds(interval: Interval | None, decimals: int) -> str:
    """``[+0.31, +0.77]``; nothing without an interval."""
    if interval is None:
        return ""
    return f"[{signed(interval.low, decimals)}, {signed(interval.high, decimals)}]"


def with_bounds(finding: Difference | Effect, decimals: int) -> str:
    """A difference with its interval, if it has one."""
    return f"{signed(finding.estimate, decimals)} {bounds(finding.interval, decimals)}".strip()


def count(value: float) -> str:
    """A large count, short: parameters and multiply-adds.

    >>> count(109_827), count(101_036_851_200), count(950), count(43_089_923)
    ('110 k', '101 G', '950', '43.1 M')
    """
    for unit, size in (("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value:.0f}"


def whole(value: float | None) -> str:
    """A count with its thousands apart."""
    return NOTHING if value is None else f"{value:,.0f}"


def true_minus(text: str) -> str:
    """A sentence in which negative numbers have a true minus; names, ranges and 1e-07 stay as they are.

    >>> true_minus("-0.35 dB [-0.67, 0.03]; lr 1e-07, 128-64") == (
    ...     f"{MINUS}0.35 dB [{MINUS}0.67, 0.03]; lr 1e-07, 128-64"
    ... )
    True
    """
    return _NEGATIVE.sub(MINUS, text)


def duration(seconds: float | None) -> str:
    """A time in the two units that matter.

    >>> duration(0.5), duration(79), duration(245), duration(7505)
    ('0.5 s', '79 s', '4 min 5 s', '2 h 5 min')
    """
    if seconds is None:
        return NOTHING
    if seconds < 10:
        return f"{seconds:.2g} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"


def rate(value: float | None) -> str:
    """A learning rate as it is typed."""
    return NOTHING if value is None else f"{value:g}".replace("-", MINUS)


def place(rank: Rank | None) -> str:
    """The places that the data allow, as ``1`` or ``1-3``."""
    if rank is None:
        return NOTHING
    return str(rank.best) if rank.best == rank.worst else f"{rank.best}-{rank.worst}"


def listed(words: Sequence[str]) -> str:
    """Words as a sentence has them.

    >>> listed(["a"]), listed(["a", "b"]), listed(["a", "b", "c"])
    ('a', 'a and b', 'a, b and c')
    """
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"


def plural(number_: int, one: str, many: str | None = None) -> str:
    """``1 seed``, ``3 seeds``."""
    return f"{number_:,} {one if number_ == 1 else many or one + 's'}"


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
