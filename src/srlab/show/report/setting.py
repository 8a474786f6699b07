"""How the numbers came about: protocol, data, versions, machine, and the commands that do it again."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from srlab.declare.protocol import EvaluationProtocol
from srlab.folder import store
from srlab.folder.choice import rule_of
from srlab.folder.records import RunRecord
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


def read_setting(study_dir: Path, study: Mapping[str, Any], runs: Sequence[RunRecord]) -> Setting:
    """What the study's folder says about it."""
    machines, remarks = _machines(runs)
    return Setting(
        protocol=tuple(_protocol(study, runs)),
        machines=tuple(machines),
        commands=read_commands(study_dir, study),
        remarks=tuple(remarks),
    )


def _precision(training: Mapping[str, Any], runs: Sequence[RunRecord]) -> str:
    """What the runs computed in; of those that have not begun, what is asked for."""
    asked = str(training.get("precision", "fp32"))
    found = {run.precision for run in runs if run.precision is not None} - {asked}
    return f"{listed(sorted(found))} ({asked})" if found else asked


def _protocol(study: Mapping[str, Any], runs: Sequence[RunRecord]) -> Iterator[tuple[str, str]]:
    training = study.get("protocol", {})
    yield "Scale", f"x{study['scale']}"
    if training:
        yield "Training", _training(training)
        yield "Optimizer", _optimizer(training)
        yield "Augmentation", _augmentation(training)
        yield "Precision", f"trained in {_precision(training, runs)}, scored in fp32"
    if rates := study.get("learning_rates"):
        which = "chosen: " if is_halved(study) else ""
        listing = ", ".join(rate(value) for value in rates)
        yield "Learning rates", f"{which}{listing}. {rule_of(study, runs)}"
    if seeds := study.get("seeds"):
        yield "Seed numbers", ", ".join(map(str, seeds))
    images = study.get("images", {})
    for role, key in (
        ("Training images", "train"),
        ("Validation images", "validation"),
        ("Test images", "test"),
    ):
        counts = Counter(image.get("set", "") for image in images.get(key, []))
        if counts:
            yield (
                role,
                ", ".join(f"{number} of {name}" if name else str(number) for name, number in counts.items()),
            )
    yield "Scores", str(EvaluationProtocol(**study["evaluation"]))
    yield "Weights", _weights(study)
    if digest := study.get("data"):
        yield "Data's SHA-256", digest
    for name, note in study.get("notes", {}).items():
        yield f"About {name}", note


def _weights(study: Mapping[str, Any]) -> str:
    protocols = [variant.get("protocol") or study.get("protocol", {}) for variant in study["variants"]]
    found = list(dict.fromkeys(protocol.get("ema") for protocol in protocols))
    if found == [None]:
        return "those of the last step"
    averaged = f"averaged over the steps (ema {listed([f'{ema:g}' for ema in found if ema is not None])})"
    where = f"those of the last step are in {store.LAST_WEIGHTS} of each run"
    return f"{averaged}; {where}" if None not in found else f"{averaged} where a variant says so; {where}"


def _training(training: Mapping[str, Any]) -> str:
    side = training.get("lr_patch_size")
    words = [
        f"{training.get('num_steps', 0):,} steps",
        f"{training.get('batch_size')} LR patches of {side} x {side} pixels each",
        f"{training.get('schedule')} rate",
    ]
    if training.get("halve_at"):
        words.append(f"halved at {', '.join(map(str, training['halve_at']))} of the run")
    return ", ".join(words)


def _optimizer(training: Mapping[str, Any]) -> str:
    kind = training.get("optimizer", "adam")
    if kind == "sgd":
        words = [f"SGD, momentum {training.get('momentum', 0.0):g}"]
    else:
        betas = ", ".join(map(str, training.get("adam_betas", ())))
        name = {"adam": "Adam", "adamw": "AdamW"}.get(kind, kind)
        words = [f"{name}, betas {betas}, epsilon {rate(training.get('adam_eps'))}"]
    if decay := training.get("weight_decay"):
        words.append(f"weight decay {decay:g}")
    if clip := training.get("gradient_clip_norm"):
        words.append(f"gradient norm at most {clip:g}")
    if bound := training.get("adjustable_clip"):
        words.append(f"each number of the gradient within {bound:g} / rate")
    if steps := training.get("warmup_steps"):
        words.append(f"warm-up of {steps:,} steps")
    return ", ".join(words)


def _augmentation(training: Mapping[str, Any]) -> str:
    done = {"flips": "flips", "quarter_turns": "quarter turns", "jpeg_noise": "JPEG noise"}
    return listed([word for key, word in done.items() if training.get(key)]) or "none"


def _machines(runs: Sequence[RunRecord]) -> tuple[list[tuple[tuple[str, str], ...]], list[str]]:
    """Each kind of code, versions and machine that a session ran with, and what to know of them."""
    found: Counter[tuple[tuple[str, str], ...]] = Counter()
    dirty = False
    for run in runs:
        path = run.folder / "provenance.json"
        if not path.is_file():
            continue
        for session in store.load_object(path, "sessions")["sessions"]:
            git = session.get("git")
            dirty = dirty or bool(git and git.get("dirty"))
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


def _machine(session: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    git = session.get("git")
    if git:
        yield "Commit", git.get("commit", "") + (", with changes" if git.get("dirty") else "")
    versions = session.get("versions", {})
    yield "Versions", ", ".join(f"{name} {version}" for name, version in versions.items())
    yield "Python", str(session.get("python", ""))
    yield "System", str(session.get("platform", ""))
    yield "Processor", f"{session.get('cpu', '')}, {plural(int(session.get('cores') or 0), 'core')}"
    yield (
        "Device",
        f"{session.get('device', '')}, {plural(int(session.get('threads') or 0), 'thread')} per run",
    )
