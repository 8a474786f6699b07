"""Which weights a run starts from: those of another run of its study, of a file, or of another study."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from srlab.declare.objectives import objective_to_dict
from srlab.declare.protocol import TrainingProtocol
from srlab.declare.study import Run, Study, Variant
from srlab.errors import UserError
from srlab.files import sha256_of
from srlab.folder import store
from srlab.folder.checkpoints import load_weights
from srlab.folder.choice import load_choice, open_runs, started_rate, why_waiting
from srlab.folder.records import run_status
from srlab.folder.schema import NO_CHOICE, RunFile, RunSource, StudyImage, as_json
from srlab.networks import options_to_dict
from srlab.networks.parts import check_fits


@dataclass(frozen=True, kw_only=True)
class Source:
    """A weights file that a run starts from; `run` is the run that it is of, or the file's name."""

    run: str
    weights: Path
    sha256: str
    declared: RunFile | None = None  # how a run that is taken was trained

    @property
    def row(self) -> RunSource:
        """What of it is the run's declaration: not where the file lies."""
        return RunSource(run=self.run, weights=self.sha256)


class SourceMissingError(UserError):
    """The run that another one starts from has not finished."""


def find_source(run: Run, *, study: Study, folder: Path) -> Source | None:
    """What `run` starts from; None if that is nothing.

    A variant's source is its source variant's run of the same seed, at that variant's chosen learning rate.
    Once a run has started from one rate, all that start from that variant take the same, whatever is chosen
    later (`srlab.folder.choice.outdated_starts` says where that is another one).

    Raises:
        SourceMissingError: that run has not finished, or the source variant's rate is not chosen yet.
        UserError: a weights file is missing, or does not fit.
    """
    if run.variant.taken_from is not None:
        return _taken(run, folder)
    start = run.variant.start
    if start is None:
        return None
    if start.is_file:
        return _checked_file(run)
    source = study.source_of(run.variant)
    assert source is not None
    if not (folder / run.name / store.RUN).exists() and (reason := why_waiting(source.name, folder)):
        raise SourceMissingError(f"its source {source.name} has no learning rate yet, because {reason}")
    rate = started_rate(source.name, folder)
    if rate is None:
        rate = load_choice(folder).get(source.name, NO_CHOICE).learning_rate
    if rate is None:
        raise SourceMissingError(_no_run(source, run, study=study, folder=folder))
    name = study.run(source, learning_rate=rate, seed=run.seed).name
    status = run_status(folder / name)
    if status != "finished":
        raise SourceMissingError(f"its source {name} has {_ENDS.get(status, 'not finished')}")
    return _source(name, folder / name / store.WEIGHTS)


_ENDS = {"diverged": "diverged", "failed": "failed", "blocked": "not run either"}


def _source(name: str, weights: Path) -> Source:
    if not weights.is_file():
        raise UserError(f"the weights file {weights} to start from does not exist")
    return Source(run=name, weights=weights, sha256=sha256_of(weights))


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


def _no_run(source: Variant, run: Run, *, study: Study, folder: Path) -> str:
    """Why no rate of `source` was chosen, in words."""
    names = [study.run(source, learning_rate=rate, seed=run.seed).name for rate in study.rates_of(source)]
    ends = {_ENDS.get(run_status(folder / name), "not finished") for name in names}
    how = ends.pop() if len(ends) == 1 else "not finished at any rate"
    return f"its source {source.name} has {how}"


def check_sources(study: Study, folder: Path) -> None:
    """Raise `UserError` if a variant cannot start from its weights file, or from a run of another study."""
    for run in study.runs():
        is_file = run.variant.start is not None and run.variant.start.is_file
        if is_file or run.variant.taken_from is not None:
            find_source(run, study=study, folder=folder)


# Sources from another study


def take_sources(study: Study, other: Path) -> Study:
    """`study` with the variants that others start from taken, as they are, from the study in `other`.

    Its runs at the learning rate that it chose are taken, with the study's seeds. Variants that it does not
    have are trained.

    Raises:
        UserError: `other` is no study, has none of the sources, or has one that is another network, at
            another scale, or not finished with every seed.
    """
    there = store.load_study(other)
    sources = {source.name for variant in study.variants if (source := study.source_of(variant))}
    if not sources:
        raise UserError(f"no variant of study {study.name!r} starts from another one; leave --source out")
    known = {variant.name for variant in there.variants}
    if not sources & known:
        raise UserError(
            f"{other} has none of the sources of study {study.name!r}: {', '.join(sorted(sources))}"
        )
    if there.scale != study.scale:
        raise UserError(
            f"{other} is a study at x{there.scale}, but study {study.name!r} is at x{study.scale}"
        )
    variants = tuple(
        _take(variant, study, other) if variant.name in sources & known else variant
        for variant in study.variants
    )
    return replace(study, variants=variants)


def _take(variant: Variant, study: Study, other: Path) -> Variant:
    rate = load_choice(other).get(variant.name, NO_CHOICE).learning_rate
    if rate is None:
        raise UserError(
            f"{other} has chosen no learning rate for {variant.name} yet: finish that study first"
            + (f" ({reason})" if (reason := why_waiting(variant.name, other)) else "")
        )
    if left := open_runs(variant.name, other):
        raise UserError(
            f"{other} has not finished {left[0]}, on which the learning rate of {variant.name} depends: "
            "finish that study first"
        )
    protocol = variant.protocol
    for seed in study.seeds:
        folder = (
            other / study.run(replace(variant, learning_rates=(rate,)), learning_rate=rate, seed=seed).name
        )
        if not folder.is_dir() or run_status(folder) != "finished":
            raise UserError(f"{folder} is not finished, and seed {seed} starts from it")
        declared = store.read(folder / store.RUN, RunFile)
        protocol = declared.protocol
        for what, there, here in (
            ("network", declared.network, options_to_dict(variant.network)),
            ("objective", declared.objective, objective_to_dict(variant.objective)),
            ("start", as_json(declared.start), as_json(variant.start)),
        ):
            if there != store.plain(here):
                raise UserError(
                    f"{variant.name} in {other} and in study {study.name!r} differ in their {what}: "
                    f"{store.describe_differences(store.differences(there, store.plain(here), path=what))}"
                )
    return replace(
        variant,
        learning_rates=(rate,),
        protocol=protocol and _as_asked(protocol),
        taken_from=str(other),
    )


def _as_asked(protocol: TrainingProtocol) -> TrainingProtocol:
    """A run's protocol as that of a study: fp16 is what ``auto`` came to."""
    values = asdict(protocol)
    precision = "auto" if protocol.precision not in TrainingProtocol.precisions else protocol.precision
    return TrainingProtocol(**values | {"precision": precision})


def _taken(run: Run, folder: Path) -> Source:
    """The finished run that is taken: as it lies in the study's own folder already, or in the other's."""
    assert run.variant.taken_from is not None
    here = folder / run.name
    there = here if store.is_finished(here) else Path(run.variant.taken_from) / run.name
    source = _source(run.name, there / store.WEIGHTS)
    return replace(source, declared=store.read(there / store.RUN, RunFile))


def check_taken(study: Study, *, tested: Iterable[StudyImage]) -> None:
    """Raise `UserError` if a run that is taken was trained on, or validated with, an image of the test sets.

    `tested` is that part of the manifest.
    """
    for folder in {variant.taken_from for variant in study.variants if variant.taken_from is not None}:
        if not store.is_study(Path(folder)):
            continue  # all was taken before, and checked then
        images = store.load_study(Path(folder)).images
        seen = {image.sha256 for image in (*images.train, *images.validation)}
        for image in tested:
            if image.sha256 in seen:
                raise UserError(
                    f"{image.name} of the test set {image.set} was used to train or validate "
                    f"{folder}; test on other images"
                )
