"""A leaderboard as JSON has it: everything, unrounded."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from srlab.folder.profile_store import Profile, costs
from srlab.folder.schema import as_json
from srlab.show.leaderboard import Leaderboard, Standing
from srlab.verdicts import Difference, Spread, Twin


def as_dict(board: Leaderboard) -> dict[str, Any]:
    """Everything in a leaderboard, unrounded, as JSON has it."""
    return {
        "study": board.name,
        "question": board.question,
        "answer": " ".join(board.answer),
        "scale": board.scale,
        "protocol": str(board.protocol),
        "base": board.base,
        "level": board.rules.level,
        "equal_within": board.rules.equal_within,
        "weigh": board.rules.weigh,
        "primary": [difference_as_dict(test) for test in board.primary],
        "pairs": [difference_as_dict(test) for test in board.pairs],
        "test_sets": list(board.test_sets),
        "standings": [_row(standing) for standing in board.standings],
        "measured": [_measured(profile) for profile in board.profiles],
        "twins": [_twin(twin) for twin in board.twins],
        "remarks": list(board.remarks),
    }


def _twin(twin: Twin) -> dict[str, Any]:
    """Whether the order holds for a part of the steps."""
    return {
        "part": f"1/{twin.part}",
        "is_complete": twin.is_complete,
        "means": {row.variant: as_json(row.mean) for row in twin.table.rows},
        "num_pairs": twin.num_pairs,
        "tau": twin.tau,
        "flips": [
            {"better": flip.whole.variant, "better_in_twin": flip.shorter.variant, "is_shown": flip.is_shown}
            for flip in twin.flips
        ],
    }


def _row(standing: Standing) -> dict[str, Any]:
    return {
        "variant": standing.name,
        "rank": asdict(standing.rank) if standing.rank else None,
        "parameters": standing.parameters,
        "running_statistics": standing.running_statistics,
        "multiply_adds": standing.multiply_adds,
        "learning_rate": standing.learning_rate,
        "seconds": standing.seconds,
        "processor_seconds": standing.processor_seconds,
        "busy_machine": standing.is_busy,
        "validation": _spreads(standing.validation),
        "overall": _spreads({"psnr_y": standing.overall} if standing.overall else {}),
        "tests": {name: _spreads(spreads) for name, spreads in standing.tests.items()},
        "gains": {name: as_json(gain) for name, gain in standing.gains.items()},
        "over_bicubic": {name: difference_as_dict(test) for name, test in standing.over_bicubic.items()},
        "over_base": {name: difference_as_dict(test) for name, test in standing.over_base.items()},
        "notes": list(standing.notes),
    }


def _measured(profile: Profile) -> dict[str, Any]:
    """What one setting was measured to cost, by its name with the unit and by variant."""
    return {"setting": as_json(profile.setting), "costs": costs(profile)}


def difference_as_dict(test: Difference) -> dict[str, Any]:
    """A difference as JSON has it; infinities are strings."""
    values = asdict(test)
    if test.estimate is not None:
        values["estimate"] = str(test.estimate) if test.estimate == -float("inf") else as_json(test.estimate)
    return values


def _spreads(spreads: Mapping[str, Spread]) -> dict[str, Any]:
    return {
        metric: {"mean": as_json(spread.mean), "sd": spread.sd, "seeds": spread.num_seeds}
        for metric, spread in spreads.items()
    }
