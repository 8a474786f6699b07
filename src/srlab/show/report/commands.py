"""The commands that do a study again, as far as its folder tells them."""

import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import srlab
from srlab.folder import store
from srlab.folder.looks import Look, load_looks
from srlab.folder.trials import HALVING, is_halved, read_trials

_SHIPPED = Path(srlab.__file__).parent / "declare" / "studies"
_OF_ADVERSARIAL = ("adversarial_weight", "pixel_weight", "pixel_loss", "discriminator_learning_rate")


@dataclass(frozen=True, kw_only=True)
class Commands:
    """`lines` in the order to type them; `remarks` explain what stands for what the folder does not tell."""

    lines: tuple[str, ...]
    remarks: tuple[str, ...]


def read_commands(study_dir: Path, study: Mapping[str, Any]) -> Commands:
    """What to type to get the study in `study_dir` again, then its report; `study` is its ``study.json``."""
    remarks: list[str] = []
    if precision := _same(study_dir, study, lambda run: run.get("protocol", {}).get("precision")):
        study = {**study, "protocol": {**study.get("protocol", {}), "precision": precision}}
    words = _train(study, remarks) if _is_of_train(study) else _study(study_dir, study, remarks)
    if study.get("device"):
        words += ["--device", study["device"]]
    if threads := _same(study_dir, study, lambda run: run.get("threads")):  # sums depend on it
        words += ["--threads", str(threads)]
    words += ["--out", str(study_dir)]
    lines = shlex.join(words), shlex.join(["srlab", "report", str(study_dir)])
    return Commands(lines=lines, remarks=tuple(remarks))


def _same(study_dir: Path, study: Mapping[str, Any], value_of: Callable[[dict[str, Any]], Any]) -> Any:
    """What every run was declared with; None if they differ or none began."""
    files = [study_dir / planned["name"] / store.RUN for planned in study.get("runs", ())]
    declared = {value_of(store.load_json(file)) for file in files if file.is_file()}
    return declared.pop() if len(declared) == 1 else None


def _is_of_train(study: Mapping[str, Any]) -> bool:
    """Whether `srlab train` made it: a study of one run, named after its variant."""
    names = [variant["name"] for variant in study["variants"]]
    is_one_run = len(study.get("learning_rates", ())) == len(study.get("seeds", ())) == len(names) == 1
    return is_one_run and study["name"] == f"train-{names[0].replace('/', '-')}-x{study['scale']}"


def _train(study: Mapping[str, Any], remarks: list[str]) -> list[str]:
    (variant,) = study["variants"]
    protocol = study.get("protocol", {})
    name, *changes = variant["name"].split("+")
    words = ["srlab", "train", name, "--scale", str(study["scale"])]
    for change in changes:
        option, _, typed = change.partition("-")  # what could not stand in a name is a "-" in it
        value = _text(variant["network"].get(option)) if "-" in typed else typed
        words += ["--set", f"{option}={value}"]
    words += [*_data(study), "--learning-rate", _rate(study["learning_rates"][0])]
    words += ["--loss", variant["objective"]["loss"], *_vgg(variant["objective"], remarks)]
    if protocol.get("schedule"):
        words += ["--schedule", protocol["schedule"]]
    return [*words, *_amounts(protocol), "--seed", str(study["seeds"][0])]


def _study(study_dir: Path, study: Mapping[str, Any], remarks: list[str]) -> list[str]:
    looks, trials = load_looks(study_dir), read_trials(study_dir, study)
    name = study["name"]
    is_shipped = name.isidentifier() and (_SHIPPED / f"{name}.py").is_file()
    if not is_shipped:
        remarks.append(f"{name}.py is the file that declares the study.")
    words = ["srlab", "study", name if is_shipped else f"{name}.py"]
    words += ["--variants", ",".join(variant["name"] for variant in study["variants"])]
    words += [*_data(study), *_amounts(study.get("protocol", {}))]
    if rates := trials[0][0]["learning_rates"] if trials else _rates(study):
        words += ["--learning-rates", ",".join(map(_rate, rates))]
    if seeds := study.get("seeds", [])[: _seeds_asked(looks)]:
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
    if taken := [variant["name"] for variant in study["variants"] if variant.get("taken")]:
        words += ["--source", "STUDY_DIR"]
        remarks.append(f"STUDY_DIR is the study that these variants were taken from: {', '.join(taken)}.")
    return words


def _seeds_asked(looks: Sequence[Look]) -> int | None:
    """How many seeds the study began with, if it adds some until it is decided; None for all."""
    until = [look.seeds for look in looks if look.most is not None]
    return until[0] if until and looks[-1].most is not None else None


def _data(study: Mapping[str, Any]) -> Iterator[str]:
    for option, key in (("--train", "train"), ("--validate", "validate"), ("--test", "test")):
        if study.get(key):
            yield from (option, ",".join(study[key]))


def _amounts(protocol: Mapping[str, Any]) -> Iterator[str]:
    for option, key in (
        ("--steps", "num_steps"),
        ("--batch-size", "batch_size"),
        ("--lr-patch-size", "lr_patch_size"),
        ("--precision", "precision"),
        ("--ema", "ema"),
    ):
        if protocol.get(key):
            yield from (option, str(protocol[key]))


def _rates(study: Mapping[str, Any]) -> Sequence[float]:
    """The study's rates without those that only variants with a protocol of their own are trained at."""
    own = {variant["name"] for variant in study["variants"] if variant.get("protocol")}
    shared = {run["learning_rate"] for run in study.get("runs", ()) if run["variant"] not in own}
    rates: list[float] = study.get("learning_rates", [])
    return [rate for rate in rates if rate in shared] or rates


def _objective(study: Mapping[str, Any], remarks: list[str]) -> Iterator[str]:
    """What all adversarial variants are trained for; where they differ, that is the study's own."""
    objectives = [
        variant["objective"]
        for variant in study["variants"]
        if variant.get("objective", {}).get("kind") == "adversarial"
    ]
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
