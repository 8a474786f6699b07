"""Seeds that are added after a look at the results: how much of the error each look may spend.

A study that looks several times at 5 % has more than 5 % false alarms. So the error is spent over the looks
(Lan and DeMets, "Discrete sequential boundaries for clinical trials", Biometrika 70, 1983). What the looks
spend adds up to the error, so that the promise holds whatever the dependence between them (Boole). Needs no
torch.
"""

from collections.abc import Sequence

from scipy.special import ndtr, ndtri  # type: ignore[import-untyped]

from srlab.folder.schema import Look

LOOKS = (3, 5, 7, 10)  # seeds


def planned_looks(first: int, most: int) -> tuple[int, ...]:
    """At how many seeds a study of `first` seeds that may have `most` is looked at.

    >>> planned_looks(3, 10), planned_looks(4, 6), planned_looks(5, 5)
    ((3, 5, 7, 10), (4, 5, 6), (5,))
    """
    return (first, *(seeds for seeds in LOOKS if first < seeds < most), *((most,) if most > first else ()))


def spent(fraction: float, error: float) -> float:
    """What may be spent of the `error` when so much of the seeds is there: O'Brien and Fleming's type.

    >>> [round(100 * spent(seeds / 10, 0.05), 2) for seeds in LOOKS]
    [0.03, 0.56, 1.91, 5.0]
    """
    return float(2 * ndtr(ndtri(error / 2) / min(1.0, fraction) ** 0.5))


def error_rates(looks: Sequence[int], most: int, error: float) -> list[float]:
    """The error rate of the tests at each look, of which the last has `most` seeds; their sum is `error`."""
    so_far = [spent(seeds / most, error) for seeds in looks]
    return [now - before for now, before in zip(so_far, [0.0, *so_far], strict=False)]


def rates_of(looks: Sequence[Look], error: float) -> list[float]:
    """The error rate of each look's tests: the whole `error` for a look by hand, else what it may spend."""
    rates: list[float] = []
    used = 0.0
    for look in looks:
        if look.most is None:
            rates.append(error)
            continue
        allowed = spent(look.seeds / look.most, error)
        rates.append(max(0.0, allowed - used))
        used = max(used, allowed)
    return rates


def remark_on(looks: Sequence[Look], error: float) -> str | None:
    """What must be known of the looks to read the verdicts; None where one look had the whole error."""
    rates = rates_of(looks, error)
    if not looks or (len(looks) == 1 and looks[0].most is None):
        return None
    total = f"{100 * min(1.0, sum(rates)):.2g} %"
    before = ", ".join(str(look.seeds) for look in looks[:-1])
    last = looks[-1]
    if any(look.most is None for look in looks):
        return (
            f"seeds were added after results with {before} seeds were known: {len(looks)} looks, which "
            f"together may raise a false alarm in up to {total} of such studies, not in {100 * error:.2g} %"
        )
    earlier = f", after {before}" if before else ""
    return (
        f"seeds are added until all is decided, up to {last.most}: this is the look at {last.seeds}"
        f"{earlier}, and its tests have an error rate of {100 * rates[-1]:.2g} %, so that all looks together "
        f"keep {100 * error:.2g} %"
    )
