"""How a profile is shown: tables, fronts, and what must be known to read them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal

from rich.table import Table

from srlab.cli.output import results, show
from srlab.cli.progress import duration
from srlab.cli.tables import narrowed, print_table
from srlab.folder import store
from srlab.folder.profile_store import (
    BICUBIC,
    Enlarging,
    Profile,
    Size,
    VariantProfile,
    as_dict,
    costs,
)
from srlab.verdicts import Cost, Verdicts, judge, metric_of
from srlab.verdicts.pareto import front

_NOTHING = "-"
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
    values: dict[str, Any] = {"profiles": [as_dict(profile) for profile in profiles]}
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
        _show_networks(profile, study)
        for size in profile.sizes:
            results.print()
            _show_size(profile, size)
        _show_fronts(_fronts(profile, study), study.scope)
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
        title=f"{declared['name']} (x{declared['scale']}): {declared['question']}",
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
    known: dict[str, Mapping[str, float | None]] = {
        "parameters": {variant.name: variant.parameters for variant in profile.variants},
        "multiply-adds": {variant.name: variant.multiply_adds for variant in profile.variants},
        **costs(profile),
        **_training_seconds(study),
    }
    return {
        metric: {
            name: best
            for name, values in known.items()
            if (best := front(values, scores, is_lower_better=_is_lower_better(metric)))
        }
        for metric, scores in study.scores.items()
    }


def _training_seconds(study: _Study) -> dict[str, dict[str, float | None]]:
    """Processor time where every trained variant has it, else time by the clock."""
    ended = {name: cost for name, cost in study.trained.items() if cost.seconds is not None}
    if ended and all(cost.processor_seconds is not None for cost in ended.values()):
        return {
            "processor seconds of one run": {name: cost.processor_seconds for name, cost in ended.items()}
        }
    return {"seconds of one run by the clock": {name: cost.seconds for name, cost in study.trained.items()}}


def _is_lower_better(metric: str) -> bool:
    return metric_of(metric).is_lower_better


def _show_networks(profile: Profile, study: _Study) -> None:
    headings = ["variant", "parameters", "multiply-adds", "sees", "ms a step"]
    headings += ["one run", "all its runs"] if study.trained else []
    rows = []
    for variant in profile.variants:
        cost = study.trained.get(variant.name)
        trained = (
            ["busy machine" if cost.is_busy else duration(cost.seconds), duration(cost.tuning_seconds)]
            if cost
            else [_NOTHING] * 2
        )
        rows.append(
            [
                variant.name,
                f"{variant.parameters:,}" + (f" ({variant.frozen:,} frozen)" if variant.frozen else ""),
                f"{variant.multiply_adds / 1e9:,.1f} G",
                str(variant.receptive_radius),
                _NOTHING if variant.training is None else _milliseconds(variant.training.median),
                *(trained if study.trained else ()),
            ]
        )
    print_table(narrowed(partial(_table, headings), rows))


def _show_size(profile: Profile, size: Size) -> None:
    """Latency and memory of one size of picture."""
    base = _base(profile)
    headings = [f"SR {size[0]} x {size[1]}", "ms", "lowest to highest", "ratio", "peak MB", "added MB"]
    rows = [
        [variant.name, *_cells(found, base.of_size(size) if base else None)]
        for variant in profile.variants
        if (found := variant.of_size(size)) is not None
    ]
    print_table(narrowed(partial(_table, headings), rows))


def _show_fronts(fronts: Mapping[str, Mapping[str, Sequence[str]]], scope: str) -> None:
    """By psnr_y and by perception; the others are in the JSON."""
    for metric, by_cost in fronts.items():
        if metric != "psnr_y" and not _is_lower_better(metric):
            continue
        results.print()
        headings = ["cost", f"no cheaper variant has a better {metric} on {scope}"]
        rows = [[name, ", ".join(best)] for name, best in by_cost.items()]
        print_table(_table(headings, rows, justify="left"))


def _table(
    headings: Sequence[str], rows: Sequence[Sequence[str]], *, justify: Literal["left", "right"] = "right"
) -> Table:
    first, *others = headings
    table = Table(box=None, pad_edge=False)
    table.add_column(first, overflow="fold")
    for heading in others:
        table.add_column(heading, justify=justify, overflow="fold")
    for row in rows:
        table.add_row(*row)
    return table


def _base(profile: Profile) -> VariantProfile | None:
    """What the ratios are to: the first variant that is not bicubic."""
    return next((variant for variant in profile.variants if variant.name != BICUBIC), None)


def _cells(found: Enlarging, base: Enlarging | None) -> list[str]:
    ratio = found.ratio_to(base)
    return [
        _milliseconds(found.median),
        f"{_milliseconds(min(found.seconds))} to {_milliseconds(max(found.seconds))}"
        if len(found.seconds) > 1
        else _NOTHING,
        _NOTHING if ratio is None else f"{ratio:.2g}" if ratio < 0.1 else f"{ratio:.2f}",
        _megabytes(found.peak),
        _megabytes(found.added),
    ]


def _milliseconds(seconds: float | None) -> str:
    if seconds is None:
        return _NOTHING
    value = 1000 * seconds
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _megabytes(value: float | None) -> str:
    return _NOTHING if value is None else f"{value / 1e6:,.0f}"


def _remarks(profile: Profile, study: _Study) -> list[str]:
    rounds = {
        len(one.seconds) for variant in profile.variants for one in variant.enlarging if len(one.seconds) > 1
    }
    measured = {variant.name for variant in profile.variants}
    base = _base(profile)
    remarks = [
        f"measured {profile.provenance.get('started', '')} with srlab "
        f"{profile.provenance.get('versions', {}).get('srlab', '?')}, in turns, in "
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
