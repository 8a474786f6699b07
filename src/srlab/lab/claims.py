"""How a study and its runs are written down, and what may change once a run has started.

Variants, rates, seeds and test sets may be added, nothing else. Another number of threads changes nothing:
a run keeps the one that it was declared with.

The study's protocol is written as it was asked for, a run's with the precision that it comes to.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, replace
from pathlib import Path

from msgspec import structs

from srlab.declare.objectives import objective_to_dict
from srlab.declare.protocol import RunProtocol
from srlab.declare.start import Start
from srlab.declare.study import Run, Study, Variant
from srlab.errors import UserError
from srlab.folder import store
from srlab.folder.records import precision_begun
from srlab.folder.schema import (
    Images,
    PlannedRun,
    RunFile,
    StudyFile,
    StudyImage,
    StudyMetric,
    StudyVariant,
    as_json,
)
from srlab.folder.scores import load_scores
from srlab.lab.planning import Cost, Plan
from srlab.lab.sources import Source, SourceMissingError, find_source
from srlab.networks import options_to_dict
from srlab.training.machine import Machine, precision_of, precision_of_run

FREE_TO_DIFFER = ("threads",)


def declare_run(
    run: Run, *, study: Study, machine: Machine, folder: Path, data: str, source: Source | None = None
) -> RunFile:
    """What a run's weights and scores depend on, for ``run.json``.

    `folder` is the study's, `data` the images' SHA-256. A run that is taken was trained as its study says.
    """
    own = RunFile(
        variant=run.variant.name,
        network=options_to_dict(run.variant.network),
        objective=objective_to_dict(run.variant.objective),
        start=_stored(run.variant.start),
        taken=run.variant.taken_from is not None,
        learning_rate=run.learning_rate,
        seed=run.seed,
        scale=study.scale,
        protocol=_with_precision(run, study=study, machine=machine, folder=folder),
        evaluation=study.evaluation,
        device=machine.kind,
        data=data,
        threads=machine.threads,
        source=source.row if source is not None else None,
    )
    if source is None or (taken := source.declared) is None:
        return own
    kept = ("objective", "start", "protocol", "device", "data", "threads")
    return structs.replace(own, **{name: getattr(taken, name) for name in kept})


def _with_precision(run: Run, *, study: Study, machine: Machine, folder: Path) -> RunProtocol:
    precision = precision_of_run(run, study=study, machine=machine, folder=folder)
    return RunProtocol(**asdict(run.protocol) | {"precision": precision})


def _stored(start: Start | None) -> Start | None:
    """It does not matter where a weights file lies."""
    return replace(start, source=Path(start.source).name) if start is not None and start.is_file else start


def _declare_variant(variant: Variant, cost: Cost) -> StudyVariant:
    return StudyVariant(
        name=variant.name,
        network=options_to_dict(variant.network),
        objective=objective_to_dict(variant.objective),
        start=_stored(variant.start),
        taken=variant.taken_from is not None,
        protocol=variant.protocol,
        parameters=cost.parameters,
        frozen=cost.frozen,
        running_statistics=cost.running_statistics,
        multiply_adds=cost.multiply_adds,
    )


def check_claims(plan: Plan, *, data: str | None) -> None:
    """Raise `UserError` if what was started in the study's folder was declared otherwise than in `plan`.

    Variants, rates and seeds may be added, and test sets; nothing else may change once a run has started.
    Without `data` the images are not compared.
    """
    ignoring = FREE_TO_DIFFER if data is not None else (*FREE_TO_DIFFER, "data")
    for run, _ in plan.runs:
        if (plan.folder / run.name / store.RUN).exists():
            _check_run(run, plan, data=data)
    before = begun(plan.folder)
    if before is None:
        return
    started = {row.variant for row in before.runs if (plan.folder / row.name / store.RUN).exists()}
    changed = _changed(plan, before, started, ignoring=ignoring, data=data)
    if changed:
        raise UserError(
            f"{plan.folder} holds a study that was started with another "
            f"{store.describe_differences(changed)}; results of two settings cannot be compared, so give "
            "this study another --out"
        )
    _check_primary(plan, before)
    _check_metrics(plan, before)
    # Also the runs that are not asked for now: with those that are they make up one variant.
    asked_now = {run.name for run, _ in plan.runs}
    variants = {variant.name: variant for variant in plan.study.variants}
    for row in before.runs:
        if row.name in asked_now or row.variant not in variants:
            continue
        if (plan.folder / row.name / store.RUN).exists():
            run = plan.study.run(variants[row.variant], learning_rate=row.learning_rate, seed=row.seed)
            _check_run(run, plan, data=data)


def _changed(
    plan: Plan, before: StudyFile, started: Collection[str], *, ignoring: tuple[str, ...], data: str | None
) -> list[store.Change]:
    """What `plan` asks of the study, and of variants that have started, that was declared otherwise.

    The stored file itself is compared: what only a later srlab declares in it differs too.
    """
    stored = store.load_json(plan.folder / store.STUDY)
    study = plan.study
    conditions = {
        "scale": study.scale,
        "protocol": as_json(study.protocol),
        "evaluation": as_json(study.evaluation),
        "device": plan.machine.kind,
        "data": data or "",
    }
    conditions = {name: value for name, value in conditions.items() if name not in ignoring}
    changed = store.declared_otherwise({name: stored.get(name) for name in conditions}, conditions)
    if _is_in(precision_of(study, plan.machine), plan.folder, before.runs):
        changed = [one for one in changed if one[0] != "protocol.precision"]  # as auto or by its name
    variants = {variant.name: variant for variant in study.variants if variant.name in started}
    for known in stored["variants"]:
        if (variant := variants.get(known["name"])) is not None:
            row = as_json(_declare_variant(variant, plan.costs[variant.name]))
            asked = {name: row[name] for name in ("network", "objective", "start", "taken") if name in row}
            changed += store.differences({name: known.get(name) for name in asked}, asked, path=variant.name)
    return changed


def _check_primary(plan: Plan, before: StudyFile) -> None:
    """A comparison is planned before the first run, or it is none that was planned."""
    asked, there = plan.study.primary, before.primary
    if asked is None or there == asked:
        return
    known = f"with another planned comparison ({there[0]} against {there[1]})" if there else "without one"
    raise UserError(
        f"{plan.folder} holds a study that was started {known}; {asked[0]} against {asked[1]} was not "
        "planned before its first run, so leave primary out, or give this study another --out"
    )


def _check_metrics(plan: Plan, before: StudyFile) -> None:
    """A metric may be added. One by which was scored already must still be the same."""
    known = {metric.name: metric.code for metric in before.metrics}
    for metric in plan.study.metrics:
        is_other = known.get(metric.name, metric.identity) != metric.identity
        if is_other and _is_scored(plan.folder, metric.name):
            raise UserError(
                f"{plan.folder} holds scores of the metric {metric.name!r}, which had other code; numbers of "
                "two metrics cannot be compared, so give it another name, or this study another --out"
            )


def _is_scored(folder: Path, metric: str) -> bool:
    """Whether a test score of the metric is stored."""
    return any(metric in load_scores(path).metrics for path in sorted(folder.glob(f"*/{store.TEST_SCORES}")))


def _is_in(precision: str, folder: Path, runs: Iterable[PlannedRun]) -> bool:
    """Whether all `runs` of the study in `folder` that have begun are trained in that precision."""
    return {precision_begun(folder / run.name) for run in runs} <= {precision, None}


def _check_run(run: Run, plan: Plan, *, data: str | None) -> None:
    ignoring: tuple[str, ...] = FREE_TO_DIFFER if data is not None else (*FREE_TO_DIFFER, "data")
    source = None
    try:
        source = find_source(run, study=plan.study, folder=plan.folder)
    except SourceMissingError:
        ignoring += ("source",)
    declaration = declare_run(
        run, study=plan.study, machine=plan.machine, folder=plan.folder, data=data or "", source=source
    )
    store.check_claim(plan.folder / run.name, declaration, ignoring=ignoring)


def begun(folder: Path) -> StudyFile | None:
    """``study.json`` of a study of which a run has started; None if everything may still change."""
    if not store.is_study(folder):
        return None
    before = store.load_study(folder)
    is_begun = any((folder / planned.name / store.RUN).exists() for planned in before.runs)
    return before if is_begun else None


def declare_study(
    plan: Plan, *, question: str, data: str, images: Images, notes: Mapping[str, str]
) -> StudyFile:
    """``study.json``: what was asked of the study's folder so far, `plan` included.

    `notes` is what is to be said of a test set.
    """
    study, before = plan.study, begun(plan.folder)
    variants = [_declare_variant(variant, plan.costs[variant.name]) for variant in study.variants]
    runs = [
        PlannedRun(name=run.name, variant=run.variant.name, learning_rate=run.learning_rate, seed=run.seed)
        for run, _ in plan.runs
    ]
    asked = StudyFile(
        name=study.name,
        question=question,
        scale=study.scale,
        protocol=study.protocol,
        evaluation=study.evaluation,
        device=plan.machine.kind,
        data=data,
        variants=tuple(variants),
        learning_rates=tuple(dict.fromkeys(run.learning_rate for run in runs)),
        seeds=tuple(sorted({run.seed for run in runs})),
        train=study.train,
        validate=study.validate,
        test=study.test,
        images=images,
        notes=dict(notes),
        primary=study.primary,
        metrics=tuple(map(StudyMetric.of, study.metrics)),
        rate_search=study.rate_search,
        runs=tuple(runs),
    )
    return asked if before is None else _union(before, asked)


def _union(before: StudyFile, asked: StudyFile) -> StudyFile:
    """What was asked before and now: earlier rows keep their places, and each is as it is asked for now."""
    variants = {row.name: row for row in (*before.variants, *asked.variants)}
    runs = {row.name: row for row in (*before.runs, *asked.runs)}
    metrics = {row.name: row for row in (*before.metrics, *asked.metrics)}
    sets = {image.set for image in asked.images.test}
    tested = (*(image for image in before.images.test if image.set not in sets), *asked.images.test)
    return structs.replace(
        asked,
        variants=tuple(variants.values()),
        learning_rates=tuple(dict.fromkeys(run.learning_rate for run in runs.values())),
        seeds=tuple(sorted({run.seed for run in runs.values()})),
        test=tuple(dict.fromkeys((*before.test, *asked.test))),
        images=structs.replace(asked.images, test=tested),
        notes={**before.notes, **asked.notes},
        primary=before.primary,
        metrics=tuple(metrics.values()),
        runs=tuple(runs.values()),
    )


def check_images(folder: Path, images: Images) -> None:
    """Raise `UserError` if the study trained on, validated with or tested other images than these.

    Test sets of other names may be added.
    """
    before = begun(folder)
    if before is None:
        return
    for role, there, here in (
        ("train", before.images.train, images.train),
        ("validation", before.images.validation, images.validation),
    ):
        pixels = [image.sha256 for image in there]
        if pixels == [image.sha256 for image in here]:
            continue
        new = [image.name for image in here if image.sha256 not in pixels]
        raise UserError(
            f"the {role} images differ from those that {folder} was started with: {len(there)} there, "
            f"{len(here)} here, {f'among them {new[0]}, which is new' if new else 'none of them new'}; "
            "give the study another --out"
        )
    known, asked = _by_set(before.images.test), _by_set(images.test)
    for name in sorted(set(known) & set(asked)):
        if known[name] != asked[name]:
            raise UserError(
                f"the test set {name} differs from the one that {folder} was scored on: "
                f"{len(known[name])} images there, {len(asked[name])} here, and not the "
                "same pixels; give the study another --out"
            )


def _by_set(images: Iterable[StudyImage]) -> dict[str, dict[str, str]]:
    """The SHA-256 of the images, by set and name."""
    found: dict[str, dict[str, str]] = {}
    for image in images:
        found.setdefault(image.set, {})[image.name] = image.sha256
    return found
