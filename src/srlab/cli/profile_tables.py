"""How a profile is shown: tables, fronts, and what must be known to read them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.table import Table

from srlab import store
from srlab.cli.output import results
from srlab.cli.progress import duration
from srlab.cli.tables import print_table
from srlab.pareto import front
from srlab.profile_store import (
    BICUBIC,
    Enlarging,
    Profile,
    Size,
    VariantProfile,
    as_dict,
    costs,
)
from srlab.verdicts import METRICS, Cost, Verdicts, judge

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
        results.print()
        for remark in _remarks(profile, study):
            _say(f"- {remark}")
        for metric, fronts in _fronts(profile, study).items():
            for name, best in fronts.items():
                _say(f"- {metric} on {study.scope} against {name}: nothing beats {', '.join(best)}")


def _say(text: str) -> None:
    if text:
        results.print(text, markup=False, soft_wrap=True)


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
        "seconds of one run": {name: cost.seconds for name, cost in study.trained.items()},
    }
    return {
        metric: {
            name: best
            for name, values in known.items()
            if (best := front(values, scores, is_lower_better=_is_lower_better(metric)))
        }
        for metric, scores in study.scores.items()
    }


def _is_lower_better(metric: str) -> bool:
    return metric in METRICS and METRICS[metric].is_lower_better


def _show_networks(profile: Profile, study: _Study) -> None:
    table = Table(box=None, pad_edge=False)
    headings = ["variant", "parameters", "multiply-adds", "sees", "training step"]
    for heading in [*headings, "one run", "all its runs"] if study.trained else headings:
        table.add_column(heading, justify="left" if heading == "variant" else "right", overflow="fold")
    for variant in profile.variants:
        cost = study.trained.get(variant.name)
        trained = [duration(cost.seconds), duration(cost.tuning_seconds)] if cost else [_NOTHING] * 2
        table.add_row(
            variant.name,
            f"{variant.parameters:,}" + (f" ({variant.frozen:,} frozen)" if variant.frozen else ""),
            f"{variant.multiply_adds / 1e9:,.1f} G",
            str(variant.receptive_radius),
            _NOTHING if variant.training is None else _milliseconds(variant.training.median),
            *(trained if study.trained else ()),
        )
    print_table(table)


def _show_size(profile: Profile, size: Size) -> None:
    """Latency and memory; the ratio is to the first variant that is not bicubic."""
    base = next((variant for variant in profile.variants if variant.name != BICUBIC), None)
    table = Table(box=None, pad_edge=False)
    for heading in (
        f"SR {size[0]} x {size[1]}",
        "median",
        "lowest to highest",
        f"to {base.name}" if base else "ratio",
        "peak memory",
        "of it for the picture",
    ):
        table.add_column(heading, justify="left" if heading.startswith("SR ") else "right", overflow="fold")
    for variant in profile.variants:
        if (found := variant.of_size(size)) is not None:
            table.add_row(variant.name, *_cells(found, base.of_size(size) if base else None))
    print_table(table)


def _cells(found: Enlarging, base: Enlarging | None) -> list[str]:
    ratio = found.ratio_to(base)
    if found.peak_bytes is None or found.before_bytes is None:
        added = None
    else:
        added = max(0, found.peak_bytes - found.before_bytes)
    return [
        _milliseconds(found.median),
        f"{_milliseconds(min(found.seconds))} to {_milliseconds(max(found.seconds))}"
        if len(found.seconds) > 1
        else _NOTHING,
        _NOTHING if ratio is None else f"{ratio:.3g}",
        _megabytes(found.peak_bytes),
        _megabytes(added),
    ]


def _milliseconds(seconds: float | None) -> str:
    if seconds is None:
        return _NOTHING
    value = 1000 * seconds
    return f"{value:,.0f} ms" if value >= 100 else f"{value:.3g} ms"


def _megabytes(value: int | None) -> str:
    return _NOTHING if value is None else f"{value / 1e6:,.0f} MB"


def _remarks(profile: Profile, study: _Study) -> list[str]:
    rounds = {
        len(one.seconds) for variant in profile.variants for one in variant.enlarging if len(one.seconds) > 1
    }
    measured = {variant.name for variant in profile.variants}
    remarks = [
        f"measured {profile.provenance.get('started', '')}, with srlab "
        f"{profile.provenance.get('versions', {}).get('srlab', '?')}; all variants in turns, "
        f"{' and '.join(map(str, sorted(rounds))) or 'no'} rounds: the ratio is the median over the rounds",
        "from an LR tensor to the SR tensor, one picture of noise, warm; no file is read or written",
        "memory: "
        + (
            "of all tensors on the GPU"
            if profile.setting.device == "cuda"
            else "of a fresh process, Python and torch included"
        ),
        "multiply-adds: for SR of 1280 x 720; sees: LR pixels to each side",
    ]
    if batches := _batches(profile.variants):
        remarks.append(f"training step: {batches}")
    if study.trained:
        remarks.append("one run, all its runs: as the runs took where they ran; provenance.json says where")
    if missing := [name for name in study.names if name not in measured]:
        remarks.append(
            f"not measured: {', '.join(missing)} (added or declared anew since; --again measures all)"
        )
    if profile.load is not None and profile.load > _BUSY:
        remarks.append(
            f"the machine was not idle when this began (load {profile.load:.1f}): "
            "trust the ratios, not the times"
        )
    for variant in profile.variants:
        for one in variant.enlarging:
            where = f"{variant.name}, {one.size[0]} x {one.size[1]}"
            if one.tile is not None:
                remarks.append(f"{where}: in tiles of {one.tile} LR pixels, as srlab upscale does it")
            if one.reason:
                remarks.append(f"{where}: {one.reason}")
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
