"""The commands that do a study again, as far as its folder tells them."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import srlab
from srlab.declare.protocol import TrainingProtocol
from srlab.folder.looks import load_looks
from srlab.folder.records import StudyFolder
from srlab.folder.schema import Look, StudyFile
from srlab.folder.trials import HALVING, is_halved, read_trials

_SHIPPED = Path(srlab.__file__).parent / "declare" / "studies"
_OF_ADVERSARIAL = ("adversarial_weight", "pixel_weight", "pixel_loss", "discriminator_learning_rate")


@dataclass(frozen=True, kw_only=True)
class Commands:
    """`lines` in the order to type them; `remarks` explain what stands for what the folder does not tell."""

    lines: tuple[str, ...]
    remarks: tuple[str, ...]


def read_commands(opened: StudyFolder) -> Commands:
    """What to type to get a study again, then its report."""
    study, study_dir = opened.study, opened.path
    remarks: list[str] = []
    begun = [run.declared for run in opened.runs if run.declared is not None]
    precisions, threads = {run.protocol.precision for run in begun}, {run.threads for run in begun}
    precision = precisions.pop() if len(precisions) == 1 else study.protocol.precision
    words = _train(study, precision, remarks) if _is_of_train(study) else _study(opened, precision, remarks)
    if study.device:
        words += ["--device", study.device]
    if len(threads) == 1:  # sums depend on it
        words += ["--threads", str(threads.pop())]
    words += ["--out", str(study_dir)]
    lines = shlex.join(words), shlex.join(["srlab", "report", str(study_dir)])
    return Commands(lines=lines, remarks=tuple(remarks))


def _is_of_train(study: StudyFile) -> bool:
    """Whether `srlab train` made it: a study of one run, named after its variant."""
    names = [variant.name for variant in study.variants]
    is_one_run = len(study.learning_rates) == len(study.seeds) == len(names) == 1
    return is_one_run and study.name == f"train-{names[0].replace('/', '-')}-x{study.scale}"


def _train(study: StudyFile, precision: str, remarks: list[str]) -> list[str]:
    (variant,) = study.variants
    name, *changes = variant.name.split("+")
    words = ["srlab", "train", name, "--scale", str(study.scale)]
    for change in changes:
        option, _, typed = change.partition("-")  # what could not stand in a name is a "-" in it
        value = _text(variant.network.get(option)) if "-" in typed else typed
        words += ["--set", f"{option}={value}"]
    words += [*_data(study), "--learning-rate", _rate(study.learning_rates[0])]
    words += ["--loss", variant.objective["loss"], *_vgg(variant.objective, remarks)]
    words += ["--schedule", study.protocol.schedule]
    return [*words, *_amounts(study.protocol, precision), "--seed", str(study.seeds[0])]


def _study(opened: StudyFolder, precision: str, remarks: list[str]) -> list[str]:
    study, looks, trials = opened.study, load_looks(opened.path), read_trials(opened)
    name = study.name
    is_shipped = name.isidentifier() and (_SHIPPED / f"{name}.py").is_file()
    if not is_shipped:
        remarks.append(f"{name}.py is the file that declares the study.")
    words = ["srlab", "study", name if is_shipped else f"{name}.py"]
    words += ["--variants", ",".join(variant.name for variant in study.variants)]
    words += [*_data(study), *_amounts(study.protocol, precision)]
    if rates := trials[0].study.learning_rates if trials else _rates(study):
        words += ["--learning-rates", ",".join(map(_rate, rates))]
    if seeds := study.seeds[: _seeds_asked(looks)]:
        is_range = list(seeds) == list(range(len(seeds)))
        words += [
            "--seeds",
            str(len(seeds)) if is_range else ",".join(map(str, seeds)) + ("," if len(seeds) == 1 else ""),
        ]
    if is_halved(study):
        words += ["--rate-search", HALVING]
    if looks and looks[-1].most is not None:
        words += ["--until-decided", "--max-seeds", str(looks[-1].most)]
    words += _objective(study, remarks)
    if taken := [variant.name for variant in study.variants if variant.taken]:
        words += ["--source", "STUDY_DIR"]
        remarks.append(f"STUDY_DIR is the study that these variants were taken from: {', '.join(taken)}.")
    return words


def _seeds_asked(looks: Sequence[Look]) -> int | None:
    """How many seeds the study began with, if it adds some until it is decided; None for all."""
    until = [look.seeds for look in looks if look.most is not None]
    return until[0] if until and looks[-1].most is not None else None


def _data(study: StudyFile) -> Iterator[str]:
    named = (("--train", study.train), ("--validate", study.validate), ("--test", study.test))
    for option, names in named:
        if names:
            yield from (option, ",".join(names))


def _amounts(protocol: TrainingProtocol, precision: str) -> Iterator[str]:
    for option, value in (
        ("--steps", protocol.num_steps),
        ("--batch-size", protocol.batch_size),
        ("--lr-patch-size", protocol.lr_patch_size),
        ("--precision", precision),
        ("--ema", protocol.ema),
    ):
        if value:
            yield from (option, str(value))


def _rates(study: StudyFile) -> Sequence[float]:
    """The study's rates without those that only variants with a protocol of their own are trained at."""
    own = {variant.name for variant in study.variants if variant.protocol}
    shared = {run.learning_rate for run in study.runs if run.variant not in own}
    return [rate for rate in study.learning_rates if rate in shared] or study.learning_rates


def _objective(study: StudyFile, remarks: list[str]) -> Iterator[str]:
    """What all adversarial variants are trained for; where they differ, that is the study's own."""
    objectives = [variant.objective for variant in study.variants if variant.is_adversarial]
    if not objectives or any(objective != objectives[0] for objective in objectives):
        return
    shared = objectives[0]
    if "content" in shared:
        yield from ("--content", shared["content"])
    for name in _OF_ADVERSARIAL:
        if name in shared:
            yield from ("--objective", f"{name}={_text(shared[name])}")
    for name, value in shared.get("discriminator", {}).items():
        yield from ("--objective", f"discriminator.{name}={_text(value)}")
    yield from _vgg(shared, remarks)


def _vgg(objective: Mapping[str, Any], remarks: list[str]) -> Iterator[str]:
    """VGG19's weights, where they are not the official ones."""
    if len(objective.get("vgg") or "") == 64:  # a SHA-256, not the official file's name
        yield from ("--vgg", "FILE")
        remarks.append(f"FILE is the file of VGG19's weights with the SHA-256 {objective['vgg']}.")


def _rate(value: float) -> str:
    """As it is typed, every digit kept."""
    return f"{value:g}" if float(f"{value:g}") == value else repr(value)


def _text(value: Any) -> str:
    """An option's value as `--set` and `--objective` read it.

    >>> _text([64, 32]), _text(None), _text(True), _text("prelu:0.25")
    ('64,32', 'none', 'true', 'prelu:0.25')
    """
    if isinstance(value, list):
        return ",".join(map(_text, value))
    if isinstance(value, bool):
        return str(value).lower()
    return "none" if value is None else str(value)
