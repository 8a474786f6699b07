"""The tasks of a study: train and validate a run, or score one on test images, in any process.

A task never raises for what went wrong in its run: it writes ``failure.txt`` and returns a `Failure`.
"""

from __future__ import annotations

import contextlib
import logging
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Literal

import torch
from msgspec import structs
from torch import nn

from srlab.data.datasets import ImageSet, SetImage, Split, data_hash, load_sets, split
from srlab.data.patches import Patches
from srlab.declare.objectives import AdversarialObjective, remarks_on
from srlab.declare.protocol import EvaluationProtocol
from srlab.declare.study import Run, Study
from srlab.errors import UserError
from srlab.files import remove
from srlab.folder import store
from srlab.folder.checkpoints import load_weights
from srlab.folder.records import mean
from srlab.folder.schema import Provenance, Result, Session
from srlab.folder.sessions import begin_session
from srlab.lab.claims import FREE_TO_DIFFER, declare_run
from srlab.lab.planning import CURVE_IMAGES
from srlab.lab.scheduler import Failure, send_report
from srlab.lab.sources import Source
from srlab.networks import BicubicOptions, Network, build_network, network_color
from srlab.networks.diagram import plot, plot_discriminator
from srlab.networks.summary import discriminator_summary, summary
from srlab.pixels.images import HRImage
from srlab.training.batch_norm import batch_norm_remarks, has_batch_norm
from srlab.training.device import use_threads
from srlab.training.machine import Machine, precision_of_run
from srlab.training.preview import preview_crop
from srlab.training.remarks import discriminator_remarks
from srlab.training.train import CHECKPOINT, Outcome, Progress, train
from srlab.use.evaluation import evaluate_network
from srlab.use.scoring import score_tests, score_validation

logger = logging.getLogger(__name__)

LOCK = "run.lock"
NOTE = "the weights are those of the last step; validation does not choose the step"
AVERAGED = (
    "the weights are averaged over the steps (ema {ema:g}), and those of the last step are in {file}; "
    "validation does not choose the step"
)


@dataclass(frozen=True, kw_only=True)
class Event:
    """What a task reports: where a run is, and in training how far."""

    name: str
    phase: Literal["training", "scoring", "finished", "diverged", "failed", "blocked"]
    progress: Progress | None = None
    reason: str = ""


class TrainingImages:
    """A study's training and validation images, and the patches of them, made once for each kind.

    `made` are patches of the same images for other studies, and for these from now on.
    """

    def __init__(
        self, images: Split, study: Study, *, made: dict[tuple[object, ...], Patches] | None = None
    ) -> None:
        self.validation: tuple[SetImage, ...] = images.validation
        self.data = training_hash(images)
        self._train = images.train
        self._study = study
        self._patches = {} if made is None else made

    def patches(self, run: Run) -> Patches:
        """The batches that `run` trains on: in its network's colour, of its protocol's size."""
        color, protocol = network_color(run.variant.network), run.protocol
        kind = (
            self._study.scale,
            self._study.evaluation.border,
            color,
            protocol.lr_patch_size,
            protocol.batch_size,
            protocol.flips,
            protocol.quarter_turns,
            protocol.jpeg_noise,
        )
        if kind not in self._patches:
            self._patches[kind] = Patches(
                self._train,
                scale=self._study.scale,
                lr_patch_size=protocol.lr_patch_size,
                batch_size=protocol.batch_size,
                color="luma" if color == "luma" else "rgb",
                border=self._study.evaluation.border,
                flips=protocol.flips,
                quarter_turns=protocol.quarter_turns,
                jpeg_noise=protocol.jpeg_noise,
            )
        return self._patches[kind]


def training_hash(images: Split) -> str:
    """SHA-256 of what a study trains on and validates with; its test images may be added to."""
    return data_hash(replace(images, test=()))


@dataclass(frozen=True, kw_only=True)
class TrainTask:
    """Train a run from where it is and score it on the validation images; ``result.json`` comes last.

    `source` is what it starts from; a run taken from another study is copied from there instead. `images` are
    those of the study if they are at hand; a task in a process of its own reads them itself.
    """

    run: Run
    study: Study
    folder: Path  # the study's
    machine: Machine
    data: str
    source: Source | None = None
    images: TrainingImages | None = field(default=None, repr=False, compare=False)

    @property
    def name(self) -> str:
        return self.run.name

    def __call__(self) -> Failure | None:
        folder = self.folder / self.run.name
        try:
            # A run of a study that was killed may hold its lock for the moment that its process takes to
            # leave.
            with store.locked(folder / LOCK, busy=f"another srlab process is training {folder}", timeout=20):
                return None if store.is_finished(folder) else self._try(folder)
        except (UserError, OSError) as error:  # the lock's: the run's folder is not ours to write in
            return _report(Failure.of(self.name, error))
        finally:
            _give_memory_back(self.machine)

    def _try(self, folder: Path) -> Failure | None:
        try:
            self._train(folder)
        except Exception as error:
            failure = Failure.of(self.name, error)
            note_failure(folder, failure)
            return _report(failure)
        return None

    def _train(self, folder: Path) -> None:
        declaration = declare_run(
            self.run,
            study=self.study,
            machine=self.machine,
            folder=self.folder,
            data=self.data,
            source=self.source,
        )
        threads = store.claim(folder, declaration, ignoring=FREE_TO_DIFFER).threads
        for name in (store.FAILURE, store.BLOCKED):
            remove(folder / name)
        use_threads(threads)
        session = _begin_session(folder, device=self.machine.device, threads=threads)
        describe_network(folder, self.run)
        outcome = self._fit(folder) if self.run.variant.taken_from is None else self._take(folder)
        if outcome.status == "finished":
            send_report(Event(name=self.name, phase="scoring"))
            self._validate(folder)
        _end_session(folder, session)
        remarks = self._remarks(folder, outcome)
        is_finished = outcome.status == "finished"
        result = Result(
            status=outcome.status,
            step=outcome.step,
            seconds=outcome.seconds,
            processor_seconds=outcome.processor_seconds,
            loss=outcome.loss,
            reason=outcome.reason,
            remarks=tuple(remarks),
            note=self._note() if is_finished else "a diverged run keeps no weights",
        )
        store.save(folder / store.RESULT, result)
        remove(folder / CHECKPOINT)  # there is nothing left to go on with
        send_report(Event(name=self.name, phase=outcome.status, reason=outcome.reason or ""))

    def _note(self) -> str:
        ema = self.run.protocol.ema
        return NOTE if ema is None else AVERAGED.format(ema=ema, file=store.LAST_WEIGHTS)

    def _fit(self, folder: Path) -> Outcome:
        images = self.images or read_training_images(self.study, data=self.data)
        evaluation, device = self.study.evaluation, torch.device(self.machine.device)
        num_images = self.run.protocol.validation_images or CURVE_IMAGES

        def validate(network: nn.Module) -> dict[str, float]:
            return mean_scores(network, images.validation[:num_images], protocol=evaluation, device=device)

        def report(progress: Progress) -> None:
            send_report(Event(name=self.name, phase="training", progress=progress))

        return train(
            self.run,
            batches=images.patches(self.run),
            validate=validate,
            preview=preview_crop(images.validation[0], scale=self.run.scale, border=evaluation.border),
            folder=folder,
            device=device,
            precision=precision_of_run(self.run, study=self.study, machine=self.machine, folder=self.folder),
            report=report,
            source=None if self.source is None else self.source.weights,
        )

    def _remarks(self, folder: Path, outcome: Outcome) -> list[str]:
        """What must be known to read the run's scores; [] for most runs."""
        objective = self.run.variant.objective
        found = list(remarks_on(objective))
        if isinstance(objective, AdversarialObjective) and outcome.status == "finished":
            found += discriminator_remarks(folder, num_steps=self.run.protocol.num_steps)
        if outcome.status == "finished" and self.run.variant.taken_from is None:
            found += self._batch_norm_remarks(folder)
        return found

    def _batch_norm_remarks(self, folder: Path) -> list[str]:
        network = load_weights(folder / store.WEIGHTS).network
        if not has_batch_norm(network):
            return []
        images = self.images or read_training_images(self.study, data=self.data)
        start = self.run.variant.start
        # A batch that the training has not seen: the one after its last.
        lr, hr = images.patches(self.run).batch(self.run.protocol.num_steps, seed=self.run.seed)
        frozen = start.keep if start is not None and start.freeze else ()
        return batch_norm_remarks(network, lr, hr, frozen=frozen)

    def _take(self, folder: Path) -> Outcome:
        """Copy the weights and logs of the finished run that this one is taken from."""
        assert self.source is not None
        there = self.source.weights.parent
        result = store.read(there / store.RESULT, Result)
        for name in (store.METRICS, store.WEIGHTS):
            store.write_atomically(folder / name, partial(shutil.copyfile, there / name))
        if (there / store.LAST_WEIGHTS).exists():
            last = partial(shutil.copyfile, there / store.LAST_WEIGHTS)
            store.write_atomically(folder / store.LAST_WEIGHTS, last)
        return Outcome(
            status="finished",
            step=result.step,
            seconds=result.seconds or 0.0,
            processor_seconds=result.processor_seconds,
            loss=result.loss,
            reason=f"copied from {there}",
        )

    def _validate(self, folder: Path) -> None:
        images = self.images or read_training_images(self.study, data=self.data)
        network = load_weights(folder / store.WEIGHTS).network
        score_validation(
            folder,
            network,
            images.validation,
            protocol=self.study.evaluation,
            scale=self.study.scale,
            device=torch.device(self.machine.device),
        )


# What this process read last: its next task needs the same pictures.
_read_for_training: tuple[object, Split, dict[tuple[object, ...], Patches]] | None = None
_read_for_tests: tuple[object, tuple[ImageSet, ...]] | None = None


def read_training_images(study: Study, *, data: str) -> TrainingImages:
    """The study's images, if they still are those of SHA-256 `data`. What was read last is kept."""
    global _read_for_training
    wanted = study.train, study.validate, data
    if _read_for_training is None or _read_for_training[0] != wanted:
        _read_for_training = None  # never two of them in memory
        found = split(train=study.train, validate=study.validate, test=())
        if training_hash(found) != data:
            raise UserError(
                f"the images of {', '.join(study.train)} have changed since the study began; put the old "
                "ones back, or give the study another --out"
            )
        _read_for_training = wanted, found, {}
    _, found, made = _read_for_training
    return TrainingImages(found, study, made=made)


def _test_images(sets: tuple[str, ...]) -> tuple[ImageSet, ...]:
    global _read_for_tests
    if _read_for_tests is None or _read_for_tests[0] != sets:
        _read_for_tests = sets, load_sets(sets, role="test")
    return _read_for_tests[1]


@dataclass(frozen=True, kw_only=True)
class TestTask:
    """Score a run, or bicubic, on the test sets it has no scores of yet, and keep the SR pictures."""

    __test__ = False  # pytest: not a class of tests

    name: str  # of the run, or "bicubic"
    study: Study
    folder: Path  # the study's
    machine: Machine
    sets: tuple[str, ...]  # as `load_sets` takes them
    images: tuple[ImageSet, ...] | None = field(default=None, repr=False, compare=False)

    def __call__(self) -> Failure | None:
        folder = self.folder / self.name
        try:
            use_threads(self.machine.threads)
            send_report(Event(name=self.name, phase="scoring"))
            images = self.images if self.images is not None else _test_images(self.sets)
            network = baseline(self.study) if self.name == store.BASELINE else _load(folder)
            score_tests(
                folder,
                network,
                images,
                protocol=self.study.evaluation,
                scale=self.study.scale,
                device=torch.device(self.machine.device),
                own=self.study.metrics,
            )
        except Exception as error:
            failure = Failure.of(self.name, error)
            note_failure(folder / store.TEST, failure)  # not in the run's own folder: it has finished
            return _report(failure)
        finally:
            _give_memory_back(self.machine)
        remove(folder / store.TEST / store.FAILURE)
        send_report(Event(name=self.name, phase="finished"))
        return None


def _give_memory_back(machine: Machine) -> None:
    """Of a GPU, which other processes share: torch would keep what the largest picture took."""
    if machine.device.startswith("cuda"):
        torch.cuda.empty_cache()


def _load(folder: Path) -> nn.Module:
    return load_weights(folder / store.WEIGHTS).network


def baseline(study: Study) -> Network:
    """Bicubic enlargement, a network like any other."""
    return build_network(BicubicOptions(), scale=study.scale).eval()


def mean_scores(
    network: nn.Module, images: Sequence[HRImage], *, protocol: EvaluationProtocol, device: torch.device
) -> dict[str, float]:
    """The mean over `images` of each metric of Y: what a curve of training shows."""
    values: dict[str, list[float]] = {}
    for evaluation in evaluate_network(network, images, protocol=protocol, device=device, y_only=True):
        for metric, value in evaluation.scores.items():
            values.setdefault(metric, []).append(value)
    return {metric: mean(found) for metric, found in values.items()}


def describe_network(folder: Path, run: Run) -> None:
    """Write the layer summaries and the diagrams of the run's network and its discriminator, if they are not
    there."""
    options, scale, start = run.variant.network, run.scale, run.variant.start
    frozen = start.keep if start is not None and start.freeze else ()
    if not (folder / "summary.txt").exists():
        store.write_text(folder / "summary.txt", summary(options, scale=scale, frozen=frozen) + "\n")
    if not (folder / "diagram.svg").exists():
        with _drawing_may_fail(run):
            plot(options, folder / "diagram.svg", scale=scale, title=run.variant.name, frozen=frozen)
    objective, side = run.variant.objective, scale * run.protocol.lr_patch_size
    if not isinstance(objective, AdversarialObjective) or run.variant.taken_from is not None:
        return
    judge = objective.discriminator
    if not (folder / "discriminator.txt").exists():
        text = discriminator_summary(judge, hr_patch_size=side)
        store.write_text(folder / "discriminator.txt", text + "\n")
    if not (folder / "discriminator.svg").exists():
        title = f"{run.variant.name}: discriminator"
        with _drawing_may_fail(run):
            plot_discriminator(judge, folder / "discriminator.svg", hr_patch_size=side, title=title)


@contextlib.contextmanager
def _drawing_may_fail(run: Run) -> Iterator[None]:
    """Where Graphviz lacks a library of the system, the run goes on without its diagram."""
    try:
        yield
    except UserError as error:
        logger.warning("%s has no diagram: %s", run.name, error)


def _begin_session(folder: Path, *, device: str, threads: int) -> tuple[Session, ...]:
    """Note where the run is carried on, after the sessions before: an interrupted run has several."""
    path = folder / store.PROVENANCE
    before = store.read(path, Provenance).sessions if path.exists() else ()
    gpu = torch.cuda.get_device_name(device) if device.startswith("cuda") else None
    sessions = (*before, begin_session(device=device, threads=threads, gpu=gpu))
    store.save(path, Provenance(sessions=sessions))
    return sessions


def _end_session(folder: Path, sessions: tuple[Session, ...]) -> None:
    *before, last = sessions
    ended = structs.replace(last, ended=store.now())
    store.save(folder / store.PROVENANCE, Provenance(sessions=(*before, ended)))


def _report(failure: Failure) -> Failure:
    send_report(Event(name=failure.name, phase="failed", reason=failure.reason))
    return failure


def note_failure(folder: Path, failure: Failure) -> None:
    """Write ``failure.txt``, if the disk lets it."""
    with contextlib.suppress(OSError):
        store.write_text(folder / store.FAILURE, f"{failure.reason}\n\n{failure.traceback}")
