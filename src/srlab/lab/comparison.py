"""Carry out a study, from its declaration to test scores: the same call again does what is left.

1. the images are read, and everything that was started before is checked against the declaration;
2. bicubic is scored; each run is trained and scored on the validation images;
3. each variant's learning rate is chosen by those, once all its runs have ended; then variants that start
   from others take their turn;
4. the chosen runs are scored on the test images and keep their pictures.
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager, nullcontext
from pathlib import Path

import torch
from torch import nn

from srlab.data.datasets import ImageSet, Split, manifest, split
from srlab.data.patches import check_sizes
from srlab.declare.metrics import LATER_METRICS
from srlab.declare.objectives import AdversarialObjective
from srlab.declare.study import Run, Study, Variant
from srlab.errors import UserError
from srlab.files import remove
from srlab.folder import store
from srlab.folder.checkpoints import load_weights
from srlab.folder.choice import load_choice, update_choice
from srlab.folder.records import read_runs, run_status, stored_scores
from srlab.folder.trials import HALVING
from srlab.folder.user_networks import keep_code
from srlab.lab.claims import begun, check_claims, check_images, declare_study
from srlab.lab.execution import (
    Event,
    TestTask,
    TrainingImages,
    TrainTask,
    baseline,
    note_failure,
    training_hash,
)
from srlab.lab.planning import ENDED, Plan, make_plan
from srlab.lab.scheduler import Failure, InProcess, Processes, reporting_to, run_all
from srlab.lab.sources import Source, SourceMissingError, check_sources, check_taken, find_source
from srlab.training.content import check_content
from srlab.training.machine import Machine
from srlab.training.train import CHECKPOINT
from srlab.use.evaluation import check_scorable
from srlab.use.scoring import VALIDATION, lacking, score_validation

LOCK = "study.lock"


def compare(
    study: Study,
    folder: Path,
    machine: Machine,
    *,
    question: str,
    announce: Callable[[Plan], None],
    report: Callable[[Event], None],
    reading: Callable[[str, int, int], None] | None = None,
    measure_seconds: float = 0,
    executor: Executor | None = None,
    images: Split | None = None,
) -> list[Failure]:
    """Run what is left of `study` in `folder`; return what failed, which stops nothing else.

    The tasks go to `executor`, which may serve several studies; without one, to as many processes as the
    machine has jobs. `announce` is called with the plan before anything starts, `report` with what each task
    does, and `reading` with a data set's name and how many of its images are read, of how many. `images` are
    the study's, if they are read already; its test sets are those that are scored.

    Raises:
        UserError: the declaration is at odds with what was started in the folder, the data with one another,
            or another srlab is at work in the folder. Nothing has been started then.
    """
    if study.rate_search == HALVING and any(len(study.rates_of(one)) > 1 for one in study.variants):
        raise ValueError("its rates are not chosen yet: srlab.lab.stages carries out such a study")
    if images is None:
        images = split(train=study.train, validate=study.validate, test=study.test, progress=reading)
    for lr_patch_size in sorted({study.protocol_of(variant).lr_patch_size for variant in study.variants}):
        check_sizes(images.train, scale=study.scale, lr_patch_size=lr_patch_size)
    for scored in (images.validation, *(tested.images for tested in images.test)):
        check_scorable(scored, scale=study.scale)
    data = training_hash(images)
    described = manifest(images)
    busy = (
        f"another srlab process is working on the study in {folder}; wait until it ends, or choose another "
        "--out"
    )
    check_sources(study, folder)
    check_taken(study, tested=described.test)
    _check_objectives(study, folder)
    with store.locked(folder / LOCK, busy=busy):
        check_images(folder, described)
        check_claims(make_plan(study, folder, machine), data=data)
        plan = make_plan(study, folder, machine, measure_seconds=measure_seconds)
        if begun(folder) is None:
            _forget_baseline(folder)
        notes = {tested.name: tested.note for tested in images.test if tested.note}
        store.save(
            folder / store.STUDY,
            declare_study(plan, question=question, data=data, images=described, notes=notes),
        )
        for own in study.own_parts():
            keep_code(own, folder)
        announce(plan)
        _score_baseline(study, folder, machine, images)
        failures = _complete(plan, images)
        with nullcontext(executor) if executor is not None else _executor(machine, report) as executor:
            failures += _train(plan, images, data, report, executor)
            failures += _test(plan, images.test, executor)
        return failures


def _check_objectives(study: Study, folder: Path) -> None:
    """Raise `UserError` if a run that is left needs weights that are not there."""
    objectives = {
        run.variant.objective: None
        for run in study.runs()
        if run_status(folder / run.name) not in ENDED and run.variant.taken_from is None
    }
    for objective in objectives:
        check_content(objective)


def _forget_baseline(folder: Path) -> None:
    """What bicubic scored before the first run started may be of other images, or another scale."""
    for name in (store.SCORES, store.TEST_SCORES):
        remove(folder / store.BASELINE / name)


def _score_baseline(study: Study, folder: Path, machine: Machine, images: Split) -> None:
    bicubic = folder / store.BASELINE
    if not _is_validated(bicubic, images, study):
        _validate(bicubic, baseline(study), images, study=study, machine=machine)
    for task in _test_tasks(study, folder, machine, [store.BASELINE], images.test):
        if (failure := task()) is not None:
            raise OSError(failure.reason) if failure.kind == "user" else RuntimeError(failure.traceback)


def _complete(plan: Plan, images: Split) -> list[Failure]:
    """Do what is missing in runs that have ended: after a kill in the last moment, or of a deleted file."""
    failures = []
    for run, status in plan.runs:
        folder = plan.folder / run.name
        if status not in ENDED:
            continue
        remove(folder / CHECKPOINT)
        if status == "finished" and not _is_validated(folder, images, plan.study):
            try:
                network = load_weights(folder / store.WEIGHTS).network
                _validate(folder, network, images, study=plan.study, machine=plan.machine)
            except (UserError, OSError) as error:
                failures.append(Failure.of(run.name, error))
    return failures


def _is_validated(folder: Path, images: Split, study: Study) -> bool:
    """Whether it has the validation scores that a rate or a winner is chosen by."""
    stored = stored_scores(folder / store.SCORES, protocol=study.evaluation)
    missing = lacking(stored, VALIDATION, images.validation)
    if not any(isinstance(variant.objective, AdversarialObjective) for variant in study.variants):
        missing -= set(LATER_METRICS)  # which choose nothing here
    return not missing


def _validate(folder: Path, network: nn.Module, images: Split, *, study: Study, machine: Machine) -> None:
    score_validation(
        folder,
        network,
        images.validation,
        protocol=study.evaluation,
        scale=study.scale,
        device=torch.device(machine.device),
    )


def _train(
    plan: Plan, images: Split, data: str, report: Callable[[Event], None], executor: Executor
) -> list[Failure]:
    """Train what is left, sources before what starts from them; choose rates in between and at the end."""
    shared = TrainingImages(images, plan.study) if plan.machine.jobs == 1 else None
    failures: list[Failure] = []
    asked = {run.name for run, _ in plan.runs}
    for run in plan.left:
        remove(plan.folder / run.name / store.BLOCKED)  # it has its turn again
    for tier in plan.study.tiers():
        tasks = [
            TrainTask(
                run=run,
                study=plan.study,
                folder=plan.folder,
                machine=plan.machine,
                data=data,
                source=source,
                images=shared,
            )
            for run, source in _with_sources(plan, tier, report)
        ]
        failures += run_all(tasks, executor=executor)
        update_choice(plan.folder, asked=asked)
    for failure in failures:
        folder = plan.folder / failure.name
        # A process that died had no time to say so itself.
        if (folder / store.RUN).exists() and not (folder / store.FAILURE).exists():
            note_failure(folder, failure)
    return failures


def _with_sources(
    plan: Plan, tier: Collection[Variant], report: Callable[[Event], None]
) -> Iterator[tuple[Run, Source | None]]:
    """The runs left of these variants, with what each starts from; it is noted which ones cannot start."""
    for run in plan.left:
        if run.variant not in tier:
            continue
        try:
            source = find_source(run, study=plan.study, folder=plan.folder)
        except SourceMissingError as missing:
            store.write_text(plan.folder / run.name / store.BLOCKED, f"not run: {missing}\n")
            report(Event(name=run.name, phase="blocked", reason=str(missing)))
        else:
            yield run, source


def _test(plan: Plan, sets: tuple[ImageSet, ...], executor: Executor) -> list[Failure]:
    choice = load_choice(plan.folder)
    chosen = [
        run.name
        for run in read_runs(plan.folder)
        if run.status == "finished" and run.learning_rate == choice[run.variant].learning_rate
    ]
    return run_all(_test_tasks(plan.study, plan.folder, plan.machine, chosen, sets), executor=executor)


def _test_tasks(
    study: Study, folder: Path, machine: Machine, names: Iterable[str], sets: tuple[ImageSet, ...]
) -> Iterator[TestTask]:
    """One task for each name that lacks scores of an image, for the sets that are not whole."""
    for name in names:
        stored = stored_scores(folder / name / store.TEST_SCORES, protocol=study.evaluation)
        missing = tuple(
            tested for tested in sets if lacking(stored, tested.name, tested.images, own=study.metrics)
        )
        if missing:
            yield TestTask(
                name=name,
                study=study,
                folder=folder,
                machine=machine,
                sets=study.test,
                images=missing if machine.jobs == 1 or name == store.BASELINE else None,
            )


@contextmanager
def _executor(machine: Machine, report: Callable[[Event], None]) -> Iterator[Executor]:
    if machine.jobs == 1:
        with reporting_to(report), InProcess() as executor:
            yield executor
    else:
        with Processes(machine.jobs, report=report) as executor:
            yield executor
