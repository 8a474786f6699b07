"""How a plan is shown: what each variant costs, every run and its state, and what the whole takes."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from srlab.cli.output import results, show, show_grid
from srlab.cli.progress import cost_line
from srlab.declare.protocol import protocol_to_dict
from srlab.declare.study import Run
from srlab.folder.records import in_words
from srlab.lab.planning import Plan, foresee, looks_of
from srlab.show.grid import Cell, Column, Grid, GridRow
from srlab.show.tables.cells import (
    MULTIPLY_ADDS,
    PARAMETERS,
    VARIANT,
    count_cell,
    name_cell,
    parameters_cell,
)
from srlab.training.machine import precision_of
from srlab.verdicts.power import WANTED, Sight, Spreads
from srlab.words import duration, rate, whole

_HELD_OUT = "every tenth training image (the last one of fewer than ten)"
TIMED = "time: measured here and now with random pixels and scaled up; other work on this machine changes it"


def plan_as_dict(plan: Plan, *, question: str) -> dict[str, Any]:
    """A plan as JSON has it; what was not measured is null."""
    study, machine = plan.study, plan.machine
    parts = plan.seconds_left
    seen = foresee(plan)
    return {
        "study": study.name,
        "question": question,
        "folder": str(plan.folder),
        "scale": study.scale,
        "protocol": protocol_to_dict(study.protocol),
        "evaluation": str(study.evaluation),
        "machine": asdict(machine),
        "train": list(study.train),
        "validate": list(study.validate),
        "test": list(study.test),
        "missing_data": missing_data(plan),
        "remarks": remarks(plan),
        "variants": [
            {
                "name": variant.name,
                "start": None if variant.start is None else asdict(variant.start),
                "taken_from": variant.taken_from,
                "steps": study.protocol_of(variant).num_steps,
                "precision": precision_of(study, machine),
                **asdict(plan.costs[variant.name]),
            }
            for variant in study.variants
        ],
        "runs": [
            {
                "name": run.name,
                "variant": run.variant.name,
                "learning_rate": run.learning_rate,
                "seed": run.seed,
                "steps": run.protocol.num_steps,
                "status": status,
                "waits_for": waits_for(run, plan),
                "seconds": _total(plan, [run]),
            }
            for run, status in plan.runs
            if plan.is_settled
        ],
        "left": sum(len(stage.left) for stage in plan.stages),
        "seconds": None if parts is None else parts.total,
        "rate_search": {
            "kind": study.rate_search,
            "is_settled": plan.is_settled,
            "trials": [_trial_as_dict(trial) for trial in plan.trials],
        },
        "seconds_by_part": None if parts is None else asdict(parts),
        "until_decided": None
        if study.max_seeds is None
        else {
            "looks": list(looks_of(study)),
            "runs_at_most": len(plan.later),
            "seconds_at_most": _total(plan, plan.later),
        },
        "power": None
        if seen is None
        else {
            "metric": "psnr_y",
            "power": WANTED,
            "spread": asdict(seen[0]),
            "smallest_difference": [asdict(sight) for sight in seen[1]],
        },
    }


def _trial_as_dict(trial: Plan) -> dict[str, Any]:
    (seed,) = trial.study.seeds
    return {
        "folder": str(trial.folder),
        "seed": seed,
        "steps": trial.study.protocol.num_steps,
        "is_settled": trial.is_settled,
        "runs": len(trial.runs),
        "left": len(trial.left),
        "seconds": _total(trial, trial.left),
    }


def _total(plan: Plan, runs: Sequence[Run]) -> float | None:
    seconds = plan.seconds(runs)
    return None if seconds is None else seconds.total


def show_plan(plan: Plan, *, question: str) -> None:
    """A plan as tables on standard output."""
    study = plan.study
    show(f"{study.name} (x{study.scale}): {question}")
    results.print()
    steps = {variant.name: study.protocol_of(variant).num_steps for variant in study.variants}
    variants = []
    for name, cost in plan.costs.items():
        step = cost.seconds_per_step
        parameters = parameters_cell(cost.parameters, cost.frozen)
        if cost.running_statistics:
            parameters = replace(parameters, text=f"{parameters.text} + {whole(cost.running_statistics)}")
        cells = (
            name_cell(name),
            parameters,
            count_cell(cost.multiply_adds),
            Cell(text="?" if step is None else f"{1000 * step:,.0f} ms", value=step),
            Cell(text=whole(steps[name]), value=steps[name]),
            Cell(text="?" if step is None else duration(step * steps[name])),
        )
        variants.append(GridRow(cells=cells))
    columns = (
        VARIANT,
        PARAMETERS,
        MULTIPLY_ADDS,
        *(Column(key=key, heading=key) for key in ("step", "steps", "one run")),
    )
    show_grid(Grid(name="variants", columns=columns, rows=tuple(variants)))
    results.print()
    runs = []
    for stage in plan.stages:
        for run, status in stage.runs if stage.is_settled else ():
            waits = waits_for(run, stage)
            state = f"{in_words(status)}, waits for {waits}" if waits else in_words(status)
            name = (stage.folder / run.name).relative_to(plan.folder).as_posix()
            runs.append((name, whole(run.protocol.num_steps), rate(run.learning_rate), str(run.seed), state))
    columns = (
        Column(key="run", heading="run", is_text=True, is_name=True),
        Column(key="steps", heading="steps"),
        Column(key="learning_rate", heading="learning rate"),
        Column(key="seed", heading="seed"),
        Column(key="state", heading="state", is_text=True, is_prose=True),
    )
    grid = Grid.of_texts("runs", columns, runs)
    show_grid(grid if plan.trials or plan.twins else grid.without(("steps",)))
    for stage in plan.stages:
        if not stage.is_settled:
            rates = "the better half of the rates" if stage in plan.trials else "the chosen rates"
            show(f"then {len(stage.runs)} runs of {stage.study.protocol.num_steps:,} steps at {rates}")
    results.print()
    if (seen := foresee(plan)) is not None:
        _show_power(*seen, num_variants=len(study.variants))
    protocol = study.protocol
    for line in (
        f"training: batches of {protocol.batch_size} LR patches of {protocol.lr_patch_size} x "
        f"{protocol.lr_patch_size} from {', '.join(study.train)}",
        f"validation: {', '.join(study.validate) or _HELD_OUT}; test: {', '.join(study.test)}",
        f"scores: {study.evaluation}",
        "multiply-adds: for an output of 1280 x 720; parameters: trainable + running statistics",
        *([TIMED] if any(one.left for one in plan.stages) and plan.seconds_left is not None else []),
        *remarks(plan),
        *(f"missing data: {problem}" for problem in missing_data(plan)),
        cost_line(plan),
        *_later(plan),
    ):
        show(line, indent="  ")


def _show_power(spread: Spreads, seen: Sequence[Sight], *, num_variants: int) -> None:
    """The smallest differences that are found, and what was assumed."""
    show(f"What it can see: the smallest difference in psnr_y that {100 * WANTED:.0f} % of such studies find")
    num_pairs = num_variants * (num_variants - 1) // 2
    columns = (
        Column(key="seeds", heading="seeds"),
        Column(key="images", heading="test images"),
        Column(key="one_pair", heading="a planned pair"),
        Column(key="first_pair", heading=f"any of {num_pairs} pairs"),
    )
    rows = (
        (str(sight.seeds), str(sight.images), _in_db(sight.one_pair), _in_db(sight.first_pair))
        for sight in seen
    )
    grid = Grid.of_texts("power", columns, rows)
    show_grid(grid if num_variants > 2 else grid.without(("first_pair",)))
    for line in (
        f"assumed, as in {spread.source}: trainings of a variant differ by {spread.trainings:.2g} dB, and a "
        f"difference varies between images by {spread.images:.1g} dB and {spread.share:.2g} times its mean",
        *(["one seed decides nothing between variants"] if seen[0].seeds == 1 else []),
    ):
        show(line, indent="  ")
    results.print()


def _in_db(smallest: float | None) -> str:
    return "none" if smallest is None else f"{smallest:.2f} dB"


def _later(plan: Plan) -> list[str]:
    """What adding seeds may cost beyond the first ones."""
    if plan.study.max_seeds is None:
        return []
    seconds = _total(plan, plan.later)
    time = "time not estimated" if seconds is None else f"about {duration(seconds)}"
    looks = ", ".join(map(str, looks_of(plan.study)))
    return [f"until decided: looks at {looks} seeds; at most {len(plan.later)} runs more, {time}"]


def waits_for(run: Run, plan: Plan) -> str | None:
    """The variant that must have finished before `run` can start; None if nothing has to."""
    source = plan.study.source_of(run.variant)
    if source is None or (run, "finished") in plan.runs:
        return None
    left = {other.variant.name for other in plan.left}
    return source.name if source.name in left else None


def missing_data(plan: Plan) -> list[str]:
    """What of the study's data, and of the weights it needs, is not there yet, and how to get it."""
    from srlab.data.catalogue import CATALOGUE, absent, is_present
    from srlab.errors import UserError
    from srlab.training.content import check_content

    problems = []
    for name in dict.fromkeys([*plan.study.train, *plan.study.validate, *plan.study.test]):
        if name in CATALOGUE:
            problems += [] if is_present(name) else [str(absent(name))]
        elif not Path(name).expanduser().is_dir():
            problems.append(f"there is no folder {name}")
    for objective in dict.fromkeys(run.variant.objective for run in plan.left):
        try:
            check_content(objective)
        except UserError as error:
            problems.append(str(error))
    return problems


def remarks(plan: Plan) -> list[str]:
    """What must be said of variants before they are trained."""
    from srlab.declare.objectives import remarks_on

    return [
        f"{variant.name}: {remark}"
        for variant in plan.study.variants
        for remark in remarks_on(variant.objective)
    ]
