"""The scores of a study as arrays: variants x seeds x images, of complete test sets at the chosen rates."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from srlab.folder import store
from srlab.folder.choice import choose, measures_of, rates_of
from srlab.folder.records import RunRecord, StudyFolder
from srlab.folder.schema import NO_CHOICE, StoredScores, StudyFile
from srlab.verdicts.comparable import comparable
from srlab.verdicts.compare import Scored, scored_of
from srlab.verdicts.values import ALL_SETS, BICUBIC, NO_METRIC, VALIDATION, MissingCell, Rules, metric_of

ByImage = Mapping[tuple[str, str], NDArray[np.float64]]  # (test set, metric): a number for each image


@dataclass(frozen=True, kw_only=True)
class Cells:
    """What was scored: `scores` by variant and seed (bicubic's under seed 0); `test_sets` names the images.

    A set of which a run lacks an image under a metric is not there for that run and metric. `left_out` are
    variant, seed and metric whose scores were computed with other weights than those that are here.
    """

    test_sets: Mapping[str, tuple[str, ...]]
    scores: Mapping[str, Mapping[int, ByImage]] = field(default_factory=dict)
    left_out: tuple[tuple[str, int, str], ...] = ()

    def sets_of(self, scope: str) -> tuple[str, ...]:
        return tuple(self.test_sets) if scope == ALL_SETS else (scope,)

    def seeds(self, variant: str, *, scope: str, metric: str) -> tuple[int, ...]:
        """The seeds with every image of the scope."""
        names = [(name, metric) for name in self.sets_of(scope)]
        by_seed = self.scores.get(variant, {})
        return tuple(sorted(seed for seed, found in by_seed.items() if all(name in found for name in names)))

    def scopes(self) -> tuple[str, ...]:
        """`ALL_SETS` where there are several test sets, then each."""
        sets = tuple(self.test_sets)
        return (ALL_SETS, *sets) if len(sets) > 1 else sets

    def scored(self, variants: Sequence[str], *, scope: str, metric: str, rules: Rules) -> Scored:
        """The scores of those of `variants` that have any, as arrays."""
        sets = self.sets_of(scope)

        def rows(variant: str) -> dict[int, NDArray[np.float64]]:
            return {
                seed: np.concatenate([self.scores[variant][seed][(name, metric)] for name in sets])
                for seed in self.seeds(variant, scope=scope, metric=metric)
            }

        how = metric_of(metric)
        return scored_of(
            {name: rows(name) for name in variants},
            [name for name in sets for _ in self.test_sets[name]],
            rows(BICUBIC).get(0),
            metric=how,
            band=rules.equal_within if how.unit == "dB" or metric == NO_METRIC else None,
            rules=rules,
            scope=scope,
        )


def chosen_rates(study: StudyFolder) -> dict[str, float | None]:
    """By variant its learning rate as chosen, or the one that leads while there is no choice.

    While a variant waits for a run, its earlier choice counts.
    """
    measures, rates = measures_of(study.study, study.runs), {}
    for variant in study.study.variants:
        choice = study.choices.get(variant.name, NO_CHOICE)
        rate = choice.learning_rate
        if rate is None and choice.previous is not None:
            rate = choice.previous.learning_rate
        if rate is None:
            runs = [run for run in study.runs if run.variant == variant.name]
            leading = choose(rates_of(runs, measure=measures[variant.name]))
            rate = None if leading is None else leading.learning_rate
        rates[variant.name] = rate
    return rates


def images_by_set(study: StudyFile) -> dict[str, tuple[str, ...]]:
    """The test images that the study asks for, by set, in its order."""
    sets: dict[str, list[str]] = {}
    for image in study.images.test:
        sets.setdefault(image.set, []).append(image.name)
    return {name: tuple(images) for name, images in sets.items()}


def read_cells(
    study: StudyFolder,
    rates: Mapping[str, float | None],
    test_sets: Mapping[str, tuple[str, ...]],
) -> Cells:
    """The test scores of the finished runs at each variant's rate in `rates`, and bicubic's.

    Scores of another protocol or scale than the study's are not read.
    """
    folders = {
        (run.variant, run.seed): run.folder
        for run in study.runs
        if run.status == "finished" and run.variant in rates and run.learning_rate == rates[run.variant]
    }
    folders[BICUBIC, 0] = study.path / store.BASELINE
    names = (store.TEST_SCORES, store.PERCEPTUAL_SCORES)
    found = {
        (who, name): stored
        for who, of_run in folders.items()
        for name in names
        if (stored := study.scores(of_run / name)) is not None and stored.scale == study.study.scale
    }
    kept, left_out = comparable(found)
    scores: dict[str, dict[int, ByImage]] = {}
    for variant, seed in folders:
        stored_of = [kept[(variant, seed), name] for name in names if ((variant, seed), name) in kept]
        scores.setdefault(variant, {})[seed] = _by_image(stored_of, test_sets)
    return Cells(
        test_sets=test_sets,
        scores=scores,
        left_out=tuple((variant, seed, metric) for ((variant, seed), _), metric in left_out),
    )


def read_validation(study: StudyFolder, runs: Iterable[RunRecord]) -> dict[float, Cells]:
    """The validation psnr_y of all finished runs, by learning rate; of complete sets of images."""
    found: dict[float, dict[str, dict[int, dict[str, float]]]] = {}
    for run in runs:
        stored = study.scores(run.folder / store.SCORES) if run.status == "finished" else None
        if stored is not None and stored.scale == study.study.scale:
            values = {score.image: score.value for score in stored.scores if score.metric == "psnr_y"}
            found.setdefault(run.learning_rate, {}).setdefault(run.variant, {})[run.seed] = values
    images = sorted(
        {image for rate in found.values() for seeds in rate.values() for v in seeds.values() for image in v}
    )
    key = (VALIDATION, "psnr_y")
    return {
        rate: Cells(
            test_sets={VALIDATION: tuple(images)},
            scores={
                variant: {
                    seed: {key: np.array([values[image] for image in images])}
                    for seed, values in seeds.items()
                    if values.keys() == set(images)
                }
                for variant, seeds in variants.items()
            },
        )
        for rate, variants in found.items()
    }


def _by_image(stored: Iterable[StoredScores], test_sets: Mapping[str, tuple[str, ...]]) -> ByImage:
    values: dict[tuple[str, str], dict[str, float]] = {}
    for one in stored:
        for score in one.scores:
            values.setdefault((score.dataset, score.metric), {})[score.image] = score.value
    return {
        (dataset, metric): np.array([found[image] for image in test_sets[dataset]])
        for (dataset, metric), found in values.items()
        if dataset in test_sets and all(image in found for image in test_sets[dataset])
    }


def missing_cells(
    cells: Cells, runs: Iterable[RunRecord], rates: Mapping[str, float | None], metrics: Sequence[str]
) -> tuple[MissingCell, ...]:
    """Each variant, seed and test set without the scores that the study asks for, and why."""
    missing = []
    by_variant: dict[str, list[RunRecord]] = {}
    for run in runs:
        by_variant.setdefault(run.variant, []).append(run)
    for variant, rate in rates.items():
        planned = by_variant.get(variant, [])
        for seed in sorted({run.seed for run in planned}):
            chosen = [run for run in planned if run.seed == seed and run.learning_rate == rate]
            for scope in cells.test_sets:
                found = cells.scores.get(variant, {}).get(seed, {})
                lacking = [metric for metric in metrics if (scope, metric) not in found]
                if lacking:
                    reason = _why(chosen[0] if chosen else None, rate, lacking, metrics)
                    is_final = bool(chosen) and chosen[0].status == "diverged"
                    missing.append(
                        MissingCell(variant=variant, seed=seed, scope=scope, reason=reason, is_final=is_final)
                    )
    return tuple(missing)


def _why(run: RunRecord | None, rate: float | None, lacking: Sequence[str], metrics: Sequence[str]) -> str:
    if rate is None:
        return "no run finished"
    if run is None:
        return f"not planned at the chosen rate {rate:g}"
    if run.status != "finished":
        words = {"started": "running, or interrupted"}
        return f"{words.get(run.status, run.status)} at the chosen rate {rate:g}"
    what = "no scores yet" if len(lacking) == len(metrics) else f"no {', '.join(lacking)}"
    return f"{what} of all its images under this protocol"
