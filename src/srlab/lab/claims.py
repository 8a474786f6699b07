"""How a study and its runs are written down, and what may change once a run has started.

Variants, rates, seeds and test sets may be added, nothing else. Another number of threads changes nothing:
a run keeps the one that it was declared with.

The study's protocol is written as it was asked for, a run's with the precision that it comes to.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from srlab.declare.metrics import metrics_to_list
from srlab.declare.objectives import objective_to_dict
from srlab.declare.protocol import protocol_to_dict
from srlab.declare.study import Run, Start, Study, Variant
from srlab.errors import UserError
from srlab.folder import store
from srlab.folder.records import precision_begun
from srlab.folder.scores import load_scores
from srlab.lab.planning import Cost, Plan
from srlab.lab.sources import Source, SourceMissingError, find_source
from srlab.networks import options_to_dict
from srlab.training.machine import Machine, precision_of, precision_of_run

FREE_TO_DIFFER = ("threads",)


def declare_run(
    run: Run, *, study: Study, machine: Machine, folder: Path, data: str, source: Source | None = None
) -> dict[str, Any]:
    """What a run's weights and scores depend on, for ``run.json``.

    `folder` is the study's, `data` the images' SHA-256.
    """
    precision = precision_of_run(run, study=study, machine=machine, folder=folder)
    return {
        "variant": run.variant.name,
        **_declare_variant(run.variant),
        "learning_rate": run.learning_rate,
        "seed": run.seed,
        **_declare_conditions(study, machine=machine, data=data),
        "protocol": protocol_to_dict(run.protocol) | {"precision": precision},
        "threads": machine.threads,
        **({"source": source.as_dict()} if source is not None else {}),
        **(source.declared if source is not None else {}),
    }


def _declare_conditions(study: Study, *, machine: Machine, data: str) -> dict[str, Any]:
    """What all runs of a study share."""
    return {
        "scale": study.scale,
        "protocol": protocol_to_dict(study.protocol),
        "evaluation": asdict(study.evaluation),
        "device": machine.device.partition(":")[0],
        "data": data,
    }


def _declare_variant(variant: Variant) -> dict[str, Any]:
    """What a variant is, without the fields that it does not have."""
    return {
        "network": options_to_dict(variant.network),
        "objective": objective_to_dict(variant.objective),
        **({"start": _declare_start(variant.start)} if variant.start else {}),
        **({"taken": True} if variant.taken_from else {}),
    }


def _declare_start(start: Start) -> dict[str, Any]:
    source = Path(start.source).name if start.is_file else start.source
    return {"source": source, "keep": list(start.keep), "freeze": start.freeze}


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
    conditions = store.plain(_declare_conditions(plan.study, machine=plan.machine, data=data or ""))
    conditions = {key: value for key, value in conditions.items() if key not in ignoring}
    changed = store.declared_otherwise({key: before.get(key) for key in conditions}, conditions)
    if _is_in(precision_of(plan.study, plan.machine), plan.folder, before["runs"]):
        changed = [one for one in changed if one[0] != "protocol.precision"]  # as auto or by its name
    started = {
        planned["variant"]
        for planned in before["runs"]
        if (plan.folder / planned["name"] / store.RUN).exists()
    }
    for known in before["variants"]:
        for variant in plan.study.variants:
            if variant.name == known["name"] and variant.name in started:
                asked = store.plain(_declare_variant(variant))
                found = {key: known.get(key) for key in asked}
                changed += store.differences(found, asked, path=variant.name)
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
    for row in before["runs"]:
        if row["name"] in asked_now or row["variant"] not in variants:
            continue
        if (plan.folder / row["name"] / store.RUN).exists():
            variant = variants[row["variant"]]
            run = plan.study.run(variant, learning_rate=row["learning_rate"], seed=row["seed"])
            _check_run(run, plan, data=data)


def _check_primary(plan: Plan, before: Mapping[str, Any]) -> None:
    """A comparison is planned before the first run, or it is none that was planned."""
    asked, there = plan.study.primary, before.get("primary")
    if asked is None or there == list(asked):
        return
    known = f"with another planned comparison ({there[0]} against {there[1]})" if there else "without one"
    raise UserError(
        f"{plan.folder} holds a study that was started {known}; {asked[0]} against {asked[1]} was not "
        "planned before its first run, so leave primary out, or give this study another --out"
    )


def _check_metrics(plan: Plan, before: Mapping[str, Any]) -> None:
    """A metric may be added. One by which was scored already must still be the same."""
    known = {metric["name"]: metric["code"] for metric in before.get("metrics", ())}
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


def _is_in(precision: str, folder: Path, runs: Iterable[Mapping[str, Any]]) -> bool:
    """Whether all `runs` of the study in `folder` that have begun are trained in that precision."""
    return {precision_begun(folder / run["name"]) for run in runs} <= {precision, None}


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


def begun(folder: Path) -> dict[str, Any] | None:
    """``study.json`` of a study of which a run has started; None if everything may still change."""
    if not store.is_study(folder):
        return None
    before = store.load_study(folder)
    is_begun = any((folder / planned["name"] / store.RUN).exists() for planned in before["runs"])
    return before if is_begun else None


def declare_study(
    plan: Plan,
    *,
    question: str,
    data: str,
    images: Mapping[str, list[dict[str, Any]]],
    notes: Mapping[str, str],
) -> dict[str, Any]:
    """``study.json``: what was asked of the study's folder so far, `plan` included.

    `images` is the manifest of the data by role, `notes` what is to be said of a test set.
    """
    before = begun(plan.folder) or {
        "variants": [],
        "runs": [],
        "images": {"test": []},
        "notes": {},
        "test": [],
    }
    study = plan.study
    primary = before.get("primary") or (None if begun(plan.folder) else study.primary)
    variants = [
        {
            "name": variant.name,
            **_declare_variant(variant),
            **({"protocol": protocol_to_dict(variant.protocol)} if variant.protocol else {}),
            **_without_time(plan.costs[variant.name]),
        }
        for variant in study.variants
    ]
    runs = [
        {
            "name": run.name,
            "variant": run.variant.name,
            "learning_rate": run.learning_rate,
            "seed": run.seed,
        }
        for run, _ in plan.runs
    ]
    metrics = _union(before.get("metrics", []), metrics_to_list(study.metrics))
    tested = images.get("test", [])
    sets = {image["set"] for image in tested}
    return {
        "format": "srlab study",
        "version": 1,
        "name": study.name,
        "question": question,
        **_declare_conditions(study, machine=plan.machine, data=data),
        "variants": _union(before["variants"], variants),
        "learning_rates": list(dict.fromkeys(run["learning_rate"] for run in [*before["runs"], *runs])),
        "seeds": sorted({run["seed"] for run in [*before["runs"], *runs]}),
        "train": list(study.train),
        "validate": list(study.validate),
        "test": list(dict.fromkeys([*before["test"], *study.test])),
        "images": dict(images)
        | {"test": [*(image for image in before["images"]["test"] if image["set"] not in sets), *tested]},
        "notes": {**before["notes"], **notes},
        **({"primary": list(primary)} if primary else {}),
        **({"metrics": metrics} if metrics else {}),
        **({} if study.rate_search == "grid" else {"rate_search": study.rate_search}),
        "runs": _union(before["runs"], runs),
    }


def check_images(folder: Path, images: Mapping[str, list[dict[str, Any]]]) -> None:
    """Raise `UserError` if the study trained on, validated with or tested other images than the manifest's.

    Test sets of other names may be added.
    """
    before = begun(folder)
    if before is None:
        return
    for role in ("train", "validation"):
        there, here = before["images"][role], images[role]
        pixels = [image["sha256"] for image in there]
        if pixels == [image["sha256"] for image in here]:
            continue
        new = [image["name"] for image in here if image["sha256"] not in pixels]
        raise UserError(
            f"the {role} images differ from those that {folder} was started with: {len(there)} there, "
            f"{len(here)} here, {f'among them {new[0]}, which is new' if new else 'none of them new'}; "
            "give the study another --out"
        )
    _check_test_sets(folder, before, images["test"])


def _check_test_sets(folder: Path, before: Mapping[str, Any], tested: Iterable[Mapping[str, Any]]) -> None:
    known: dict[str, dict[str, str]] = {}
    for image in before["images"]["test"]:
        known.setdefault(image["set"], {})[image["name"]] = image["sha256"]
    asked: dict[str, dict[str, str]] = {}
    for image in tested:
        asked.setdefault(image["set"], {})[image["name"]] = image["sha256"]
    for name in sorted(set(known) & set(asked)):
        if known[name] != asked[name]:
            raise UserError(
                f"the test set {name} differs from the one that {folder} was scored on: "
                f"{len(known[name])} images there, {len(asked[name])} here, and not the "
                "same pixels; give the study another --out"
            )


def _union(before: list[dict[str, Any]], asked: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows by name: earlier rows keep their places, and each row is as it is asked for now."""
    return list({row["name"]: row for row in [*before, *asked]}.values())


def _without_time(cost: Cost) -> dict[str, int]:
    return {
        "parameters": cost.parameters,
        "frozen": cost.frozen,
        "running_statistics": cost.running_statistics,
        "multiply_adds": cost.multiply_adds,
    }
