"""At which learning rate each variant is compared. Validation images choose it, never test images.

Needs no torch.

The rule. A variant's seeds are all that the study asks of it. A rate is complete when all of them finished
there. The complete rate with the highest validation psnr_y, mean over its seeds, is chosen. Only if no rate
is complete (a seed diverged or is missing at each) are incomplete ones considered: those with the most
finished seeds, by the same mean. If two rates are equal, the first in the plan is taken. A variant without a
finished run has no choice.

A variant that was trained with a discriminator has the rate with the lowest perceptual distance instead, by
the same rule: PSNR falls while its pictures gain detail. The distance is LPIPS or DISTS if all finished runs
have it (`srlab perceptual`), else GMSD, which every run has. `measure_of` says which.

A choice is final. It is made when all runs of the variant have ended, well or diverged. While one has failed
or is unfinished the variant waits: it has no choice, nothing starts from it and no test image is scored. A
variant of one rate has nothing to wait for. A run that has not ended does not count if the last command asks
for the variant but not for the run: so a rate or a seed that fails every time can be left out.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path

import msgspec

from srlab.declare.metrics import PERCEPTION
from srlab.folder import store
from srlab.folder.records import RunRecord, StudyFolder, mean, run_status
from srlab.folder.schema import NO_CHOICE, Choice, ChoiceFile, Previous, Rate, RunFile, StudyFile, Superseded
from srlab.folder.scores import weights_of

RULE = (
    "The rate with the highest validation psnr_y, mean over the seeds, is chosen when all runs of the "
    "variant have ended. Only the rates at which every seed finished are compared. If there is no such rate, "
    "the rates with the most finished seeds are compared."
)
HALVING_RULE = (
    "All rates are tried with one seed for a quarter of the steps, and the better half of them for half of "
    "the steps, each with the whole schedule. The rate with the highest validation psnr_y there is trained "
    "with all seeds. The seed of the trials is none of these."
)
ADVERSARIAL_RULE = (
    " A variant that was trained with a discriminator takes the rate with the lowest validation {measure} "
    "instead."
)
PSNR, GMSD = "psnr_y", "gmsd_y"


def candidates(study: StudyFile) -> list[str]:
    """The variants of ``study.json`` that can be its winner: those that no other variant starts from.

    What others start from is what the study begins with, not what it asks about.
    """
    sources = {variant.start.source for variant in study.variants if variant.start is not None}
    return [variant.name for variant in study.variants if variant.name not in sources]


def measure_of(study: StudyFile, runs: Iterable[RunRecord]) -> str | None:
    """By which validation score a study's winner is chosen, and the rate of its adversarial variants.

    ``psnr_y`` where no variant was trained with a discriminator. Else the first perceptual distance
    (`srlab.declare.metrics.PERCEPTION`; lower is better) that all finished runs to be compared have, computed
    with the same weights. None if there is no such distance, as in a study of an older srlab.
    """
    adversarial = {variant.name for variant in study.variants if variant.is_adversarial}
    if not adversarial:
        return PSNR
    compared = adversarial | set(candidates(study))
    found = [run for run in runs if run.status == "finished" and run.variant in compared]
    if not found:
        return GMSD
    for name in PERCEPTION:
        first = weights_of(name, found[0].weights)
        is_alike = all(weights_of(name, run.weights) == first for run in found)
        if is_alike and all(name in (run.validation or {}) for run in found):
            return name
    return None


def measures_of(study: StudyFile, runs: Iterable[RunRecord]) -> dict[str, str | None]:
    """By variant what its rate is chosen by: `measure_of` if it is adversarial, else psnr_y."""
    measure = measure_of(study, runs)
    return {variant.name: measure if variant.is_adversarial else PSNR for variant in study.variants}


def rule_of(study: StudyFile, runs: Iterable[RunRecord]) -> str:
    """The rule by which the study's learning rates are chosen, in sentences."""
    others = {measure for measure in measures_of(study, runs).values() if measure not in (None, PSNR)}
    rule = HALVING_RULE if study.rate_search == "halving" else RULE
    return rule + "".join(ADVERSARIAL_RULE.format(measure=measure) for measure in others)


def rates_of(runs: Iterable[RunRecord], *, measure: str | None = PSNR) -> list[Rate]:
    """The rates of one variant's runs, in the order of the plan; `measure` is what they are chosen by."""
    runs = list(runs)
    seeds = sorted({run.seed for run in runs})
    rates = []
    for learning_rate in dict.fromkeys(run.learning_rate for run in runs):
        there = {run.seed: run for run in runs if run.learning_rate == learning_rate}
        scored = {
            seed: run.validation["psnr_y"]
            for seed, run in there.items()
            if run.status == "finished" and run.validation and "psnr_y" in run.validation
        }
        diverged = tuple(seed for seed in seeds if seed in there and there[seed].status == "diverged")
        rates.append(
            Rate(
                learning_rate=learning_rate,
                psnr_y=mean(scored.values()) if scored else None,
                distance=_mean_distance([there[seed] for seed in scored], measure),
                finished=tuple(sorted(scored)),
                diverged=diverged,
                missing=tuple(seed for seed in seeds if seed not in scored and seed not in diverged),
            )
        )
    return rates


def _mean_distance(finished: Sequence[RunRecord], measure: str | None) -> float | None:
    if measure in (None, PSNR) or not finished:
        return None
    return mean((run.validation or {})[measure] for run in finished)


def choose(rates: Sequence[Rate]) -> Rate | None:
    """The rate that the rule above chooses; None if no run finished."""
    finished = [rate for rate in rates if rate.psnr_y is not None]

    def how_good(rate: Rate) -> tuple[bool, int, float]:
        assert rate.psnr_y is not None
        value = rate.psnr_y if rate.distance is None else -rate.distance
        return rate.is_complete, len(rate.finished), value

    return max(finished, key=how_good, default=None)


def update_choice(folder: Path, *, asked: Collection[str] | None = None) -> ChoiceFile:
    """Choose again from what the study's folder holds, write ``choice.json`` and return it.

    `asked` names the runs that the command asks for; None stands for all that are planned. A choice that is
    no longer the best is kept in its variant's ``superseded``, with the time; its test scores stay where they
    are and no longer count.
    """
    opened = StudyFolder(folder)
    study, runs, before = opened.study, opened.runs, _stored(folder)
    names = list(dict.fromkeys(run.variant for run in runs))
    runs_of = {name: [run for run in runs if run.variant == name] for name in names}
    sources, measures = _sources(study), measures_of(study, runs)
    variants: dict[str, Choice] = {}

    def is_settled(run: RunRecord) -> bool:
        """Whether what is known of `run` is final."""
        if run.status == "finished":
            return "psnr_y" in (run.validation or {}) and measures[run.variant] is not None
        if run.status != "blocked":
            return run.status == "diverged"
        source = sources.get(run.variant)
        if source not in runs_of:
            return False
        decide(source)
        rate = next(iter(_started_rates(source, opened)), variants[source].learning_rate)
        there = [
            other
            for other in runs_of[source]
            if other.seed == run.seed and rate in (None, other.learning_rate)
        ]
        return bool(there) and all(other.status != "finished" and is_settled(other) for other in there)

    def decide(name: str) -> None:
        if name not in variants:
            counted, left_out = _counted(runs_of[name], is_settled, asked)
            waits_for = [run.name for run in counted if not (is_settled(run) or run.name in left_out)]
            has_one_rate = len({run.learning_rate for run in counted}) == 1
            variants[name] = _entry(
                rates_of(counted, measure=measures[name]),
                before.get(name, NO_CHOICE),
                planned={run.learning_rate for run in runs_of[name]},
                waits_for=[] if has_one_rate else waits_for,
                left_out=left_out,
                measure=measures[name],
            )

    for name in names:
        decide(name)
    choice = ChoiceFile(rule=rule_of(study, runs), variants={name: variants[name] for name in names})
    store.save(folder / store.CHOICE, choice)
    return choice


def _counted(
    runs: Sequence[RunRecord], is_settled: Callable[[RunRecord], bool], asked: Collection[str] | None
) -> tuple[list[RunRecord], list[str]]:
    """The runs of one variant among which its rate is chosen, and the names of those that are left out.

    If no run of a seed is asked for and one of them is left out, all of them are left out. The same holds for
    a rate.
    """
    wanted = [run for run in runs if asked is None or run.name in asked]
    if not wanted:
        return list(runs), []
    left_out = [run for run in runs if run not in wanted and not is_settled(run)]
    seeds = {run.seed for run in left_out} - {run.seed for run in wanted}
    counted = [run for run in runs if run.seed not in seeds]
    rates = {run.learning_rate for run in left_out if run in counted} - {run.learning_rate for run in wanted}
    return [run for run in counted if run.learning_rate not in rates], [run.name for run in left_out]


def _entry(
    rates: Sequence[Rate],
    old: Choice,
    *,
    planned: Collection[float],
    waits_for: list[str],
    left_out: list[str],
    measure: str | None,
) -> Choice:
    """What ``choice.json`` says of one variant; while it waits, the `old` choice is its ``previous`` one."""
    chosen = None if waits_for else choose(rates)
    rate = None if chosen is None else chosen.learning_rate
    last = old.previous
    if old.learning_rate is not None:
        last = Previous(learning_rate=old.learning_rate, psnr_y=old.psnr_y, since=old.since)
    superseded, previous = old.superseded, None
    since = None if last is None else last.since
    if last is not None and last.learning_rate in planned:
        if waits_for:
            previous = last
        elif rate != last.learning_rate:
            superseded += (Superseded(**msgspec.structs.asdict(last), superseded=store.now()),)
    if rate != (last and last.learning_rate):
        since = None if rate is None else store.now()
    return Choice(
        learning_rate=rate,
        psnr_y=None if chosen is None else chosen.psnr_y,
        measure=measure,
        distance=None if chosen is None else chosen.distance,
        since=since,
        is_complete=chosen is not None and chosen.is_complete,
        waits_for=tuple(waits_for),
        left_out=tuple(left_out),
        previous=previous,
        rates=tuple(rates),
        superseded=superseded,
    )


def _sources(study: StudyFile) -> dict[str, str]:
    """Which variant each variant of the study starts from; those that start from none are left out."""
    names = {variant.name for variant in study.variants}
    return {
        variant.name: variant.start.source
        for variant in study.variants
        if variant.start is not None and variant.start.source in names and not variant.taken
    }


def _started_rates(source: str, opened: StudyFolder) -> dict[float, set[str]]:
    """The rates of the variant `source` from which runs of the study have started, with those variants."""
    study = opened.study
    rate_of = {row.name: row.learning_rate for row in study.runs if row.variant == source}
    followers = {name for name, start in _sources(study).items() if start == source}
    started: dict[float, set[str]] = {}
    for row in study.runs:
        declared = (
            opened.read(opened.path / row.name / store.RUN, RunFile) if row.variant in followers else None
        )
        if declared is not None and declared.source is not None and declared.source.run in rate_of:
            started.setdefault(rate_of[declared.source.run], set()).add(row.variant)
    return started


def started_rate(source: str, folder: Path) -> float | None:
    """The rate of the variant `source` from which a run of the study in `folder` has started already."""
    if not store.is_study(folder):
        return None
    return next(iter(_started_rates(source, StudyFolder(folder))), None)


def why_waiting(name: str, folder: Path | StudyFolder) -> str | None:
    """Why the variant has no learning rate yet, in words; None if it waits for nothing."""
    opened = StudyFolder.of(folder)
    if not store.is_study(opened.path):
        return None
    waits_for = opened.choices.get(name, NO_CHOICE).waits_for
    ends = {
        "failed": "has failed",
        "blocked": "could not start",
        "finished": "has no validation scores",
    }
    found = [f"{run} {ends.get(run_status(opened.path / run), 'has not finished')}" for run in waits_for[:3]]
    more = f", and so for {len(waits_for) - 3} more" if len(waits_for) > 3 else ""
    return ", ".join(found) + more if found else None


def open_runs(name: str, folder: Path) -> list[str]:
    """The runs of the variant that can still change which rate is chosen: what failed or is unfinished."""
    opened = StudyFolder(folder)
    left_out = opened.choices.get(name, NO_CHOICE).left_out
    runs = [run for run in opened.runs if run.variant == name and run.name not in left_out]
    has_one_rate = len({run.learning_rate for run in runs}) == 1
    return [
        run.name for run in runs if run.status in ("failed", "started", "not started") and not has_one_rate
    ]


def outdated_starts(folder: Path | StudyFolder) -> dict[str, str]:
    """The variants with runs that started from another rate of their source than the one chosen, and how.

    A rate, a seed or a run that is added later can change the choice of a source.
    """
    opened = StudyFolder.of(folder)
    outdated = {}
    for source in dict.fromkeys(_sources(opened.study).values()):
        choice = opened.choices.get(source, NO_CHOICE)
        chosen = choice.learning_rate
        for rate, variants in _started_rates(source, opened).items():
            if chosen is None and not choice.waits_for:
                continue
            if rate in (chosen, choice.previous and choice.previous.learning_rate):
                continue
            now = "none is chosen yet" if chosen is None else f"the chosen one is {chosen:g} now"
            for variant in sorted(variants):
                outdated[variant] = f"it started from {source} at the learning rate {rate:g}, but {now}"
    return outdated


def load_choice(folder: Path) -> dict[str, Choice]:
    """The choices stored in a study's folder by variant, as `StudyFolder` has them."""
    return StudyFolder(folder).choices


def _stored(folder: Path) -> dict[str, Choice]:
    path = folder / store.CHOICE
    return store.read(path, ChoiceFile).variants if path.exists() else {}
