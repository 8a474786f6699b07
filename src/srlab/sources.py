"""Which weights a run starts from: those of another run of its study, of a file, or of another study."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from srlab import store
from srlab.checkpoints import load_weights
from srlab.choice import load_choice
from srlab.errors import UserError
from srlab.networks import options_to_dict
from srlab.networks.parts import check_fits
from srlab.records import run_status
from srlab.study import Run, Study, TrainingProtocol, Variant


@dataclass(frozen=True, kw_only=True)
class Source:
    """A weights file that a run starts from; `run` is the run that it is of, or the file's name."""

    run: str
    weights: Path
    sha256: str

    def as_dict(self) -> dict[str, str]:
        """What of it is the run's declaration: not where the file lies."""
        return {"run": self.run, "weights": self.sha256}


class SourceMissingError(UserError):
    """The run that another one starts from has not finished."""


def find_source(run: Run, *, study: Study, folder: Path) -> Source | None:
    """What `run` starts from; None where that is nothing.

    A variant's source is its source variant's run of the same seed, at that variant's chosen learning rate.
    Once a run has started from one rate, all that start from that variant take the same, whatever is chosen
    later.

    Raises:
        SourceMissingError: that run has not finished.
        UserError: a weights file is missing, or does not fit.
    """
    if run.variant.taken_from is not None:
        return _taken(run)
    start = run.variant.start
    if start is None:
        return None
    if start.is_file:
        return _checked_file(run)
    source = study.source_of(run.variant)
    assert source is not None
    rate = _fixed_rate(source, study=study, folder=folder)
    if rate is None:
        rate = load_choice(folder).get(source.name, {}).get("learning_rate")
    if rate is None:
        raise SourceMissingError(f"no run of {source.name}, from which it starts, has finished")
    name = study.run(source, learning_rate=rate, seed=run.seed).name
    status = run_status(folder / name)
    if status != "finished":
        raise SourceMissingError(f"{name}, from which it starts, has {_ENDS.get(status, 'not finished')}")
    return _source(name, folder / name / store.WEIGHTS)


_ENDS = {"diverged": "diverged", "failed": "failed", "blocked": "not run either"}


def _source(name: str, weights: Path) -> Source:
    if not weights.is_file():
        raise UserError(f"there are no weights {weights} to start from")
    with weights.open("rb") as file:
        return Source(run=name, weights=weights, sha256=hashlib.file_digest(file, "sha256").hexdigest())


def _checked_file(run: Run) -> Source:
    """A weights file that the variant starts from, if it fits."""
    from srlab.networks import meta_network

    assert run.variant.start is not None
    path = Path(run.variant.start.source).expanduser()
    source = _source(path.name, path)
    state = load_weights(path).network.state_dict()
    check_fits(
        state,
        meta_network(run.variant.network, scale=run.scale),
        run.variant.start.keep,
        what=f"the weights {path}",
    )
    return source


def _fixed_rate(source: Variant, *, study: Study, folder: Path) -> float | None:
    """The rate of `source` that a run has started from already."""
    names = {
        study.run(source, learning_rate=rate, seed=seed).name: rate
        for rate in study.rates_of(source)
        for seed in study.seeds
    }
    for run in study.runs():
        begun = folder / run.name / store.RUN
        if run.variant.start is not None and run.variant.start.source == source.name and begun.exists():
            known = store.load_object(begun, "variant").get("source") or {}
            if known.get("run") in names:
                return names[known["run"]]
    return None


# Sources from another study


def take_sources(study: Study, other: Path) -> Study:
    """`study` with the variants that others start from taken, as they are, from the study in `other`.

    Taken are its runs at the learning rate that it chose, with the study's seeds. Variants that it does not
    have are trained.

    Raises:
        UserError: `other` is no study, has none of the sources, or has one that is another network, at
            another scale, or not finished with every seed.
    """
    there = store.load_study(other)
    sources = {source.name for variant in study.variants if (source := study.source_of(variant))}
    if not sources:
        raise UserError(f"no variant of study {study.name!r} starts from another one: --source has no use")
    known = {variant["name"] for variant in there["variants"]}
    if not sources & known:
        raise UserError(
            f"{other} has none of the variants that study {study.name!r} starts from: "
            f"{', '.join(sorted(sources))}"
        )
    if there["scale"] != study.scale:
        raise UserError(f"{other} is of x{there['scale']}, and study {study.name!r} of x{study.scale}")
    variants = tuple(
        _take(variant, study, other) if variant.name in sources & known else variant
        for variant in study.variants
    )
    return replace(study, variants=variants)


def _take(variant: Variant, study: Study, other: Path) -> Variant:
    rate = load_choice(other).get(variant.name, {}).get("learning_rate")
    if rate is None:
        raise UserError(
            f"{other} has chosen no learning rate for {variant.name} yet: finish that study first"
        )
    declared: dict[str, Any] = {}
    for seed in study.seeds:
        folder = (
            other / study.run(replace(variant, learning_rates=(rate,)), learning_rate=rate, seed=seed).name
        )
        if not folder.is_dir() or run_status(folder) != "finished":
            raise UserError(f"{folder} is not finished, and seed {seed} starts from it")
        declared = store.load_object(folder / store.RUN, "variant", "network", "protocol")
        if declared["network"] != store.plain(options_to_dict(variant.network)):
            raise UserError(f"{variant.name} of {other} is another network than that of study {study.name!r}")
    return replace(
        variant,
        learning_rates=(rate,),
        protocol=_protocol(declared["protocol"]),
        taken_from=str(other),
    )


def _protocol(values: Mapping[str, Any]) -> TrainingProtocol:
    known = {field.name for field in fields(TrainingProtocol)}
    values = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
    if values.get("precision") == "fp16":
        values["precision"] = "auto"
    return TrainingProtocol(**{name: value for name, value in values.items() if name in known})


def _taken(run: Run) -> Source:
    assert run.variant.taken_from is not None
    return _source(run.name, Path(run.variant.taken_from) / run.name / store.WEIGHTS)
