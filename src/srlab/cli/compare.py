"""``srlab compare``: the verdict on one pair."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from srlab.cli import app
from srlab.cli.options import EqualWithin, Weighed
from srlab.cli.output import print_json, show, show_grid

if TYPE_CHECKING:
    from srlab.verdicts.pair import Pair


@app.command()
def compare(
    study_dir: Annotated[
        Path, typer.Argument(metavar="STUDY_DIR", help="A study's folder, such as runs/srcnn.")
    ],
    variant: Annotated[
        str, typer.Argument(metavar="A", help="A variant of the study; vanilla is short enough.")
    ],
    other: Annotated[str, typer.Argument(metavar="B", help="Another variant, or bicubic.")],
    weigh: Weighed = "images",
    equal_within: EqualWithin = 0.1,
    level: Annotated[float, typer.Option("--level", help="Confidence level of intervals and tests.")] = 0.95,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object to standard output.")
    ] = False,
) -> None:
    """Say whether A is better than B: paired differences with intervals, and what changes between them."""
    from srlab.verdicts.pair import compare_pair
    from srlab.verdicts.values import as_weigh

    pair = compare_pair(
        study_dir, variant, other, level=level, equal_within=equal_within, weigh=as_weigh(weigh)
    )
    if as_json:
        print_json(_as_dict(pair))
    else:
        _show(pair)


def _show(pair: "Pair") -> None:
    from srlab.show.tables.pair import pair_grid

    for line in pair.headline:
        show(line)
    show("")
    show_grid(pair_grid(pair))
    show("")
    shared = {test.seeds for test in pair.differences}
    if len(shared) == 1:
        show(f"- seeds: {', '.join(map(str, shared.pop()))}", indent="  ")
    for remark in pair.remarks:
        show(f"- {remark}", indent="  ")


def _as_dict(pair: "Pair") -> dict[str, Any]:
    from srlab.show.as_json import difference_as_dict

    return {
        "study": pair.study,
        "variant": pair.variant,
        "other": pair.other,
        "level": pair.level,
        "headline": list(pair.headline),
        "changes": [
            {"option": change.option, "before": change.before, "after": change.after}
            for change in pair.changes
        ],
        "differences": [difference_as_dict(test) for test in pair.differences],
        "remarks": list(pair.remarks),
    }
