"""Numbers and lists as people read them, each in one way: in tables, in sentences, in pictures.

A number has a true minus here. What is typed again, such as a terminal's output, takes `plain_minus`.
"""

import math
import re
from collections.abc import Iterable, Sequence

TIMES = "\N{MULTIPLICATION SIGN}"
MINUS = "\N{MINUS SIGN}"
NOTHING = "\N{EN DASH}"  # what a table has where nothing is
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


def span(low: float, high: float, decimals: int) -> str:
    """The ends of an interval: ``[+0.31, +0.77]``."""
    return f"[{signed(low, decimals)}, {signed(high, decimals)}]"


def three_digits(value: float | None) -> str:
    """A measured number, which has no more digits than that.

    >>> three_digits(2.349), three_digits(12_345.6)
    ('2.35', '12,346')
    """
    if value is None:
        return NOTHING
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def whole(value: float | None) -> str:
    """A count with its thousands apart."""
    return NOTHING if value is None else f"{value:,.0f}"


def count(value: float) -> str:
    """A large count in four digits, as papers have them: parameters and multiply-adds.

    >>> count(109_827), count(612_600_000_000), count(950), count(43_089_923)
    ('109.8 k', '612.6 G', '950', '43.09 M')
    """
    for unit, size in (("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if value >= size:
            return f"{value / size:.4g} {unit}"
    return f"{value:.0f}"


def num_bytes(count_: float) -> str:
    """An amount of memory, or a file's size.

    >>> num_bytes(768_000_000), num_bytes(1_540_000_000)
    ('768 MB', '1.5 GB')
    """
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count_ >= size:
            return f"{count_ / size:.1f} {unit}" if count_ < 10 * size else f"{count_ / size:.0f} {unit}"
    return f"{count_:.0f} bytes"


def duration(seconds: float | None) -> str:
    """A time in the two units that matter.

    >>> duration(0.5), duration(79), duration(245), duration(7505), duration(90_000)
    ('0.5 s', '79 s', '4 min 5 s', '2 h 5 min', '1 d 1 h')
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
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours < 24 else f"{hours // 24} d {hours % 24} h"


def rate(value: float | None) -> str:
    """A learning rate as it is typed."""
    return NOTHING if value is None else f"{value:g}"


def true_minus(text: str) -> str:
    """A sentence in which negative numbers have a true minus; names, ranges and 1e-07 stay as they are.

    >>> true_minus("-0.35 dB [-0.67, 0.03]; lr 1e-07, 128-64") == (
    ...     f"{MINUS}0.35 dB [{MINUS}0.67, 0.03]; lr 1e-07, 128-64"
    ... )
    True
    """
    return _NEGATIVE.sub(MINUS, text)


def plain_minus(text: str) -> str:
    """`text` with the minus of the keyboard."""
    return text.replace(MINUS, "-")


def listed(words: Iterable[object], *, most: int | None = None) -> str:
    """Words as a sentence has them; of more than `most` the rest is counted.

    >>> listed(["a"]), listed(["a", "b"]), listed(["a", "b", "c"])
    ('a', 'a and b', 'a, b and c')
    >>> listed("abcd", most=2)
    'a, b and 2 more'
    """
    every = list(map(str, words))
    if most is not None and len(every) > most:
        every = [*every[:most], f"{len(every) - most} more"]
    if len(every) < 2:
        return "".join(every)
    return f"{', '.join(every[:-1])} and {every[-1]}"


def plural(number_: int, one: str, many: str | None = None) -> str:
    """``1 seed``, ``3 seeds``."""
    return f"{number_:,} {one if number_ == 1 else many or one + 's'}"


def capitalized(text: str) -> str:
    """`text` with a large first letter, the others as they are.

    >>> capitalized("the SR picture")
    'The SR picture'
    """
    return text[:1].upper() + text[1:]


def sentences(texts: Sequence[str]) -> str:
    """Texts, each as a whole sentence."""
    return " ".join(f"{capitalized(text).rstrip('.')}." for text in texts)
