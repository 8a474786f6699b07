"""How a profile is shown: tables, fronts, and what must be known to read them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from srlab.cli.output import results, show, show_grid
from srlab.folder import store
from srlab.folder.profile_store import (
    BICUBIC,
    Profile,
    VariantProfile,
    costs,
)
from srlab.folder.schema import as_json
from srlab.show.tables.profile import base_of, fronts_grid, profile_grid
from srlab.verdicts import Cost, Verdicts, judge, metric_of
from srlab.verdicts.pareto import front, training_times

_BUSY = 0.5  # load average beside a measurement that is worth a word


@dataclass(frozen=True, kw_only=True)
class _Study:
    """What a study's folder says besides: what its runs took, and how good they are."""

    title: str
    names: tuple[str, ...] = ()
    trained: Mapping[str, Cost] = field(default_factory=dict)
    scope: str = ""
    scores: Mapping[str, Mapping[str, float]] = field(default_factory=dict)  # by metric and variant


def as_json_values(folder: Path | None, profiles: Sequence[Profile]) -> dict[str, Any]:
    """Profiles as JSON has them; of a study also what its runs took, and the fronts."""
    values: dict[str, Any] = {"profiles": as_json(profiles)}
    if folder is None:
        return values
    study = _read(folder)
    return {
        "study": str(folder),
        **values,
        "trained": {
            name: {
                "learning_rate": cost.learning_rate,
                "seconds": cost.seconds,
                "processor_seconds": cost.processor_seconds,
                "busy_machine": cost.is_busy,
                "all_seconds": cost.tuning_seconds,
                "runs": cost.runs,
                "ended": cost.ended,
            }
            for name, cost in study.trained.items()
        },
        "scope": study.scope,
        "fronts": [_fronts(profile, study) for profile in profiles],
    }


def show_profiles(folder: Path | None, profiles: Sequence[Profile], *, title: str = "") -> None:
    """Profiles as tables on standard output."""
    study = _Study(title=title) if folder is None else _read(folder)
    _say(study.title)
    for profile in profiles:
        results.print()
        _say(f"{profile.setting.device_name}: {profile.setting.label}, torch {profile.setting.torch}")
        grid = profile_grid(profile, trained=study.trained)
        show_grid(grid.of_group(""))
        for group in grid.groups:
            results.print()
            show_grid(grid.of_group(group), title=group)
        for metric, fronts in _fronts(profile, study).items():
            if metric == "psnr_y" or metric_of(metric).is_lower_better:  # the others are in the JSON
                results.print()
                show_grid(fronts_grid(metric, study.scope, fronts))
        results.print()
        for remark in _remarks(profile, study):
            _say(f"- {remark}")


def _say(text: str) -> None:
    if text:
        show(text, indent="  ")


def _read(folder: Path) -> _Study:
    declared = store.load_study(folder)
    verdicts = judge(folder)
    main = verdicts.table()
    return _Study(
        title=f"{declared.name} (x{declared.scale}): {declared.question}",
        names=verdicts.variants,
        trained={cost.variant: cost for cost in verdicts.costs},
        scope=main.scope if main else "",
        scores=_scores(verdicts, main.scope) if main else {},
    )


def _scores(verdicts: Verdicts, scope: str) -> dict[str, dict[str, float]]:
    """Means by metric and variant, bicubic's too, where at least two variants have one."""
    found = {
        table.metric: {row.variant: row.mean for row in table.rows if row.mean is not None}
        for table in verdicts.tables
        if table.scope == scope
    }
    return {metric: rows for metric, rows in found.items() if len(rows.keys() - {BICUBIC}) > 1}


def _fronts(profile: Profile, study: _Study) -> dict[str, dict[str, tuple[str, ...]]]:
    """By metric and cost the variants that nothing beats, cheapest first; bicubic takes part."""
    times, seconds = training_times(study.trained.values())
    known: dict[str, Mapping[str, float | None]] = {
        "parameters": {variant.name: variant.parameters for variant in profile.variants},
        "multiply-adds": {variant.name: variant.multiply_adds for variant in profile.variants},
        **costs(profile),
        times: seconds,
    }
    return {
        metric: {
            name: best
            for name, values in known.items()
            if (best := front(values, scores, is_lower_better=metric_of(metric).is_lower_better))
        }
        for metric, scores in study.scores.items()
    }


def _remarks(profile: Profile, study: _Study) -> list[str]:
    rounds = {
        len(one.seconds) for variant in profile.variants for one in variant.enlarging if len(one.seconds) > 1
    }
    measured = {variant.name for variant in profile.variants}
    base = base_of(profile)
    remarks = [
        f"measured {profile.provenance.started} with srlab "
        f"{profile.provenance.versions.get('srlab', '?')}, in turns, in "
        f"{' or '.join(map(str, sorted(rounds))) or 'no'} rounds; ms: the median over the rounds"
        + (f"; ratio: time divided by that of {base.name} in the same round, the median" if base else ""),
        "time: one picture, from LR tensor to SR tensor, after a warm-up; without reading or writing files",
        "peak MB: "
        + (
            "of all tensors on the GPU"
            if profile.setting.device == "cuda"
            else "of a new process, with Python and torch"
        )
        + "; added MB: what the picture added to it",
        "multiply-adds: for SR of 1280 x 720; sees: LR pixels to each side",
    ]
    if batches := _batches(profile.variants):
        remarks.append(f"a step of training: {batches}")
    if study.trained:
        remarks.append("one run, all its runs: training time by the clock; provenance.json names the machine")
    if missing := [name for name in study.names if name not in measured]:
        remarks.append(
            f"not measured: {', '.join(missing)} (added or changed since then; --again measures all)"
        )
    if profile.load is not None and profile.load > _BUSY:
        remarks.append(
            f"the machine was busy when this began (load {profile.load:.1f}): trust the ratios, not the times"
        )
    for size in profile.sizes:
        where = f"{size[0]} x {size[1]}"
        found = [(variant.name, variant.of_size(size)) for variant in profile.variants]
        tiles = [f"{name} {one.tile}" for name, one in found if one and one.tile]
        if tiles:
            remarks.append(
                f"{where} in tiles, as srlab upscale makes it; their side in LR pixels: {', '.join(tiles)}"
            )
        remarks += [f"{name}, {where}: {one.reason}" for name, one in found if one and one.reason]
    for variant in profile.variants:
        if variant.training is not None and variant.training.reason:
            remarks.append(f"{variant.name}, training: {variant.training.reason}")
    return remarks


def _batches(variants: Sequence[VariantProfile]) -> str:
    """The batches that the training steps are of, each said once."""
    kinds: dict[str, list[str]] = {}
    for variant in variants:
        if (step := variant.training) is not None:
            words = (
                f"{step.batch_size} LR patches of {step.lr_patch_size} x {step.lr_patch_size} "
                f"in {step.precision}"
            )
            kinds.setdefault(words, []).append(variant.name)
    if len(kinds) == 1:
        return next(iter(kinds))
    return "; ".join(f"{', '.join(names)}: {words}" for words, names in kinds.items())
