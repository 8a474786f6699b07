"""The trainings that chose a study's learning rates by halving: studies of their own, in its folder.

Needs no torch.
"""

from pathlib import Path

from srlab.folder import store
from srlab.folder.choice import load_choice
from srlab.folder.records import StudyFolder
from srlab.folder.schema import Rate, StudyFile

HALVING = "halving"
ROUNDS = (4, 2)  # the first tries all rates for a quarter of the steps, the second the better half for half


def trial_folder(folder: Path, part: int) -> Path:
    """Of the round with one in so many of the steps."""
    return folder / "rates" / f"1of{part}"


def is_halved(study: StudyFile) -> bool:
    """Whether the rates of ``study.json`` were chosen by halving."""
    return study.rate_search == HALVING


def read_trials(study: StudyFolder) -> list[StudyFolder]:
    """Each round that has begun; none where a grid chooses."""
    if not is_halved(study.study):
        return []
    places = [trial_folder(study.path, part) for part in ROUNDS]
    return [StudyFolder(place) for place in places if store.is_study(place)]


def ranked_rates(folder: Path, variant: str) -> tuple[float, ...] | None:
    """The rates that a round in `folder` tried for a variant, the best first; None while one may change.

    Those without a score come last, the smallest of them first.
    """
    if not store.is_study(folder):
        return None
    entry = load_choice(folder).get(variant)
    if entry is None or entry.waits_for:
        return None

    def how_bad(rate: Rate) -> tuple[bool, float]:
        if rate.psnr_y is None:
            return True, rate.learning_rate
        return False, rate.distance if rate.distance is not None else -rate.psnr_y

    return tuple(rate.learning_rate for rate in sorted(entry.rates, key=how_bad))


def num_finished(folder: Path, variant: str) -> int:
    """At how many rates of a round the variant's training has a score."""
    return sum(rate.psnr_y is not None for rate in load_choice(folder)[variant].rates)
