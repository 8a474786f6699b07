"""What is to be said of how a run went: read from what it logged. Needs no torch.

Of adversarial runs alone so far. A line of ``metrics.jsonl`` holds means over the steps since the line
before; a remark is made only if all lines of the last tenth of the run agree, so one bad moment makes no
remark.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from srlab.folder.records import logged_lines

SHARE = 0.1  # of the run, at its end
WON = 0.95  # D(HR) - D(SR), means of outputs in [0, 1]
COLLAPSED = 0.01  # |D(HR) - D(SR)|
VANISHED = 1e-6  # the norm of a whole gradient

Line = Mapping[str, float]


def discriminator_remarks(folder: Path, *, num_steps: int) -> list[str]:
    """What the last tenth of the adversarial run in `folder` says of its discriminator; [] if all was well.

    - won: its mean outputs on HR and SR differ by more than 0.95;
    - collapsed: they differ by less than 0.01, so that it tells nothing apart;
    - vanished: the norm of the generator's or the discriminator's gradient is below 1e-6.

    The thresholds are srlab's own; no paper gives any.
    """
    lines = _last(folder, since=(1 - SHARE) * num_steps)
    if not lines:
        return []
    gaps = [line["discriminator_real"] - line["discriminator_fake"] for line in lines]
    real, fake = (_mean(lines, f"discriminator_{side}") for side in ("real", "fake"))
    outputs = f"in the last tenth of the run its mean outputs were {real:.3f} on HR and {fake:.3f} on SR"
    remarks = []
    if min(gaps) > WON:
        remarks.append(
            f"the discriminator has won: {outputs}; the generator learns little from a discriminator that "
            "is almost always right"
        )
    if max(map(abs, gaps)) < COLLAPSED:
        remarks.append(f"the discriminator does not tell HR from SR: {outputs}")
    for name in ("generator", "discriminator"):
        norms = [line[f"{name}_gradient_norm"] for line in lines]
        if max(norms) < VANISHED:
            remarks.append(
                f"the {name}'s gradient has vanished: its norm stayed below {VANISHED:g} in the last "
                "tenth of the run"
            )
    return remarks


def _last(folder: Path, *, since: float) -> list[Line]:
    """The lines later than step `since` that tell of a discriminator."""
    keys = (
        "discriminator_real",
        "discriminator_fake",
        "generator_gradient_norm",
        "discriminator_gradient_norm",
    )
    return [
        line.values
        for line in logged_lines(folder)
        if line.step > since and all(key in line.values for key in keys)
    ]


def _mean(lines: Sequence[Line], key: str) -> float:
    return sum(line[key] for line in lines) / len(lines)
