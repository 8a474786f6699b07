"""Columns and cells that several tables have."""

from dataclasses import replace

from srlab.show.grid import Cell, Column, Tone
from srlab.show.texts import bounds, doubt, place
from srlab.verdicts import Difference, Effect, Interval, Metric, Outcome, Rank, Verdicts
from srlab.verdicts.words import equality
from srlab.verdicts.words import share as in_percent
from srlab.words import NOTHING, count, number, rate, signed, whole

RANK = Column(key="rank", heading="rank", hint="Every place that the data allow", is_low_first=True)
VARIANT = Column(key="variant", heading="variant", is_text=True, is_low_first=True, is_name=True)
PARAMETERS = Column(key="parameters", heading="parameters", is_low_first=True)
MULTIPLY_ADDS = Column(
    key="multiply_adds",
    heading="multiply-adds",
    short="mult-adds",
    hint="For an SR picture of 1280 x 720",
    is_low_first=True,
)
LEARNING_RATE = Column(key="learning_rate", heading="rate", hint="Chosen learning rate")
DOUBT = Column(
    key="doubt",
    heading="doubt",
    hint="What makes the interval wide: the largest share of its variance",
    is_text=True,
)
MISSING = Cell(text=NOTHING, tone="dim")


def rank_cell(rank: Rank | None, *, hint: str = "") -> Cell:
    """The places that the data allow."""
    return Cell(text=place(rank), value=rank.best, hint=hint) if rank else MISSING


def name_cell(name: str, *, note: str = "") -> Cell:
    """A variant, a change, an image."""
    return Cell(text=name, value=name, note=note)


def parameters_cell(parameters: int | None, frozen: int = 0) -> Cell:
    """How many numbers training changes, and how many it does not."""
    note = f"{whole(frozen)} frozen" if frozen else ""
    return Cell(text=whole(parameters), value=parameters, note=note)


def count_cell(found: float | None) -> Cell:
    """Multiply-adds, which are many."""
    return MISSING if found is None else Cell(text=count(found), value=found)


def rate_cell(learning_rate: float | None) -> Cell:
    """A learning rate."""
    return Cell(text=rate(learning_rate), value=learning_rate)


def score_cell(mean: float | None, sd: float | None, how: Metric, *, hint: str = "") -> Cell:
    """A mean with the standard deviation between seeds, if there is one."""
    if mean is None:
        return replace(MISSING, hint=hint)
    return Cell(
        text=how.text(mean),
        value=mean,
        note="" if sd is None else f"± {number(sd, how.decimals)}",
        more=() if sd is None else (("sd", sd),),
    )


def difference_cell(found: Difference | None, decimals: int) -> Cell:
    """A difference with its interval."""
    if found is None:
        return MISSING
    return Cell(
        text=signed(found.estimate, decimals),
        value=found.estimate,
        note=bounds(found.interval, decimals),
        more=ends(found.interval),
        hint=reading(found),
        tone=tone(found.outcome),
    )


def ends(interval: Interval | None) -> tuple[tuple[str, float | None], ...]:
    """What CSV has of an interval."""
    return () if interval is None else (("low", interval.low), ("high", interval.high))


def tone(outcome: Outcome) -> Tone:
    """How a cell with this outcome looks."""
    return outcome if outcome != "undecided" else ""


def outcome_cell(found: Difference | Effect | None, *, hint: str = "") -> Cell:
    """What a test came to, in a word or two."""
    if found is None:
        return MISSING
    text = equality(found) if found.outcome == "equal" else found.outcome
    return Cell(text=text, value=found.outcome, hint=hint)


def doubt_cell(found: Difference | Effect) -> Cell:
    """What makes the interval wide."""
    shares = found.interval.variance_shares if found.interval else ()
    if not shares:
        return MISSING
    name, share = shares[0]
    return Cell(
        text=doubt(found.interval),
        value=name,
        hint=doubt(found.interval, most=len(shares)),
        more=(("share", share),),
    )


def reading(found: Difference) -> str:
    """What a test came to, in words."""
    words = [outcome_cell(found).text]
    if found.percent is not None:
        words.append(f"{in_percent(found.percent)} of the gain of {found.other}")
    if found.p_holm is not None:
        words.append(f"p = {p_value(found.p_holm)} after Holm's correction")
    if found.reason:
        words.append(found.reason)
    if found.interval is not None:
        words.append(f"interval for other {found.interval.population}")
        shares = found.interval.variance_shares
        words += [f"its variance: {doubt(found.interval, most=len(shares))}"] if shares else []
    return "; ".join(words)


def p_value(value: float | None) -> str:
    """A p-value: none is zero."""
    if value is None:
        return NOTHING
    return "below 0.0001" if value < 0.0001 else f"{value:.2g}"


def titled(verdicts: Verdicts) -> str:
    """What the verdicts are of: the study, and the scale if it is known."""
    return f"{verdicts.study}, x{verdicts.scale}" if verdicts.scale else verdicts.study


def numbers_of(verdicts: Verdicts) -> dict[str, int]:
    """The place in the study of each variant."""
    return {name: place_ for place_, name in enumerate(verdicts.variants)}


def file_name(name: str) -> str:
    """`name` as a file's: nothing in it leads elsewhere."""
    return "".join(letter if letter.isalnum() or letter in "_-" else "-" for letter in name)
