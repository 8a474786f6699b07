"""How the numbers came about: protocol, data, versions, machine, and the commands that do it again."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from srlab.declare.protocol import TrainingProtocol
from srlab.folder import store
from srlab.folder.choice import rule_of
from srlab.folder.records import RunRecord, StudyFolder
from srlab.folder.schema import Provenance, Session, StudyFile
from srlab.folder.trials import is_halved
from srlab.show.report.commands import Commands, read_commands
from srlab.words import listed, plural, rate


@dataclass(frozen=True, kw_only=True)
class Setting:
    """Terms with what they are in this study; `machines` are those of all sessions, each kind once."""

    protocol: tuple[tuple[str, str], ...]
    machines: tuple[tuple[tuple[str, str], ...], ...]
    commands: Commands
    remarks: tuple[str, ...]


def read_setting(opened: StudyFolder) -> Setting:
    """What the study's folder says about it."""
    machines, remarks = _machines(opened.runs)
    return Setting(
        protocol=tuple(_protocol(opened.study, opened.runs)),
        machines=tuple(machines),
        commands=read_commands(opened),
        remarks=tuple(remarks),
    )


def _precision(asked: str, runs: Sequence[RunRecord]) -> str:
    """What the runs computed in; of those that have not begun, what is asked for."""
    found = {run.precision for run in runs if run.precision is not None} - {asked}
    return f"{listed(sorted(found))} ({asked})" if found else asked


def _protocol(study: StudyFile, runs: Sequence[RunRecord]) -> Iterator[tuple[str, str]]:
    training = study.protocol
    yield "Scale", f"x{study.scale}"
    yield "Training", _training(training)
    yield "Optimizer", _optimizer(training)
    yield "Augmentation", _augmentation(training)
    yield "Precision", f"trained in {_precision(training.precision, runs)}, scored in fp32"
    if rates := study.learning_rates:
        which = "chosen: " if is_halved(study) else ""
        listing = ", ".join(rate(value) for value in rates)
        yield "Learning rates", f"{which}{listing}. {rule_of(study, runs)}"
    if study.seeds:
        yield "Seed numbers", ", ".join(map(str, study.seeds))
    for role, images in (
        ("Training images", study.images.train),
        ("Validation images", study.images.validation),
        ("Test images", study.images.test),
    ):
        counts = Counter(image.set for image in images)
        if counts:
            yield (
                role,
                ", ".join(f"{number} of {name}" if name else str(number) for name, number in counts.items()),
            )
    yield "Scores", str(study.evaluation)
    yield "Weights", _weights(study)
    if study.data:
        yield "Data's SHA-256", study.data
    for name, note in study.notes.items():
        yield f"About {name}", note


def _weights(study: StudyFile) -> str:
    found = list(dict.fromkeys(study.protocol_of(variant).ema for variant in study.variants))
    if found == [None]:
        return "those of the last step"
    averaged = f"averaged over the steps (ema {listed([f'{ema:g}' for ema in found if ema is not None])})"
    where = f"those of the last step are in {store.LAST_WEIGHTS} of each run"
    return f"{averaged}; {where}" if None not in found else f"{averaged} where a variant says so; {where}"


def _training(training: TrainingProtocol) -> str:
    side = training.lr_patch_size
    words = [
        f"{training.num_steps:,} steps",
        f"{training.batch_size} LR patches of {side} x {side} pixels each",
        f"{training.schedule} rate",
    ]
    if training.halve_at:
        words.append(f"halved at {', '.join(map(str, training.halve_at))} of the run")
    return ", ".join(words)


def _optimizer(training: TrainingProtocol) -> str:
    if training.optimizer == "sgd":
        words = [f"SGD, momentum {training.momentum:g}"]
    else:
        betas = ", ".join(map(str, training.adam_betas))
        name = {"adam": "Adam", "adamw": "AdamW"}[training.optimizer]
        words = [f"{name}, betas {betas}, epsilon {rate(training.adam_eps)}"]
    if training.weight_decay:
        words.append(f"weight decay {training.weight_decay:g}")
    if training.gradient_clip_norm:
        words.append(f"gradient norm at most {training.gradient_clip_norm:g}")
    if training.adjustable_clip:
        words.append(f"each number of the gradient within {training.adjustable_clip:g} / rate")
    if training.warmup_steps:
        words.append(f"warm-up of {training.warmup_steps:,} steps")
    return ", ".join(words)


def _augmentation(training: TrainingProtocol) -> str:
    done = {
        "flips": training.flips,
        "quarter turns": training.quarter_turns,
        "JPEG noise": training.jpeg_noise,
    }
    return listed([word for word, is_done in done.items() if is_done]) or "none"


def _machines(runs: Sequence[RunRecord]) -> tuple[list[tuple[tuple[str, str], ...]], list[str]]:
    """Each kind of code, versions and machine that a session ran with, and what to know of them."""
    found: Counter[tuple[tuple[str, str], ...]] = Counter()
    dirty = False
    for run in runs:
        path = run.folder / store.PROVENANCE
        if not path.is_file():
            continue
        for session in store.read(path, Provenance).sessions:
            dirty = dirty or (session.git is not None and session.git.dirty)
            found[tuple(_machine(session))] += 1
    kinds = []
    for machine, number in found.most_common():
        head = (("Sessions", plural(number, "start of a run", "starts of runs")),) if len(found) > 1 else ()
        kinds.append((*head, *machine))
    remarks = []
    if len(found) > 1:
        remarks.append(
            "The runs were made with different software or on different machines. Their times cannot be "
            "compared, and their scores may differ by rounding."
        )
    if dirty:
        remarks.append("Some runs used code with changes that were not committed.")
    return kinds, remarks


def _machine(session: Session) -> Iterator[tuple[str, str]]:
    if git := session.git:
        yield "Commit", git.commit + (", with changes" if git.dirty else "")
    yield "Versions", ", ".join(f"{name} {version}" for name, version in session.versions.items())
    yield "Python", session.python
    yield "System", session.platform
    yield "Processor", f"{session.cpu}, {plural(session.cores or 0, 'core')}"
    yield "Device", f"{session.device}, {plural(session.threads, 'thread')} per run"
