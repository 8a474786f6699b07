"""A model card of a study's winner: what it is, what it scores, how it was trained, how it is used.

The card is Markdown as model hubs read it, and a part of the site's index.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from srlab.data.catalogue import entry
from srlab.errors import UserError
from srlab.files import sha256_of
from srlab.folder import store
from srlab.folder.records import RunRecord, StudyFolder, means
from srlab.folder.schema import StoredScores, StudyImage, StudyVariant
from srlab.folder.winner import short_of_bicubic, winner
from srlab.show.grid import Cell, Column, Grid, GridRow
from srlab.show.grid.files import as_markdown as grid_as_markdown
from srlab.verdicts import metric_of
from srlab.words import duration, num_bytes, number, rate

WEIGHTS = "weights.safetensors"  # in the card's folder


@dataclass(frozen=True, kw_only=True)
class ModelCard:
    """The winner of a study, with `facts` and `training` as terms and what they are.

    `weights` is the file in the study. `code` is the folder of the network's code there, if it is a user's
    own: without it the network cannot be built. `about` says how it won.
    """

    title: str
    question: str
    about: str
    weights: Path
    bytes: int
    facts: tuple[tuple[str, str], ...]
    scores: Grid
    protocol: str
    training: tuple[tuple[str, str], ...]
    licence: str | None
    terms: tuple[str, ...]
    code: Path | None

    @property
    def licence_note(self) -> str:
        """What is known of the licence, in a sentence."""
        if self.licence is None:
            return "No licence was named for these weights: ask who published them before you use them."
        return f"The licence of the weights: {self.licence}."

    @property
    def commands(self) -> tuple[str, ...]:
        """How the weights are used, beside them."""
        return (f"srlab upscale photo.jpg --model {WEIGHTS}",)


def make_card(opened: StudyFolder, *, licence: str | None = None) -> ModelCard:
    """The card of the study's winner.

    Raises:
        UserError: the study has no winner yet, or its weights are not there.
    """
    study, best = opened.study, winner(opened)
    variant = study.variant(best.variant)
    weights = best.folder / store.WEIGHTS
    if variant is None or not weights.is_file():
        raise UserError(f"the weights of {best.name} are not in {opened.path}")
    short = short_of_bicubic(opened, best)
    return ModelCard(
        title=f"{best.variant} x{study.scale}",
        question=study.question,
        about="The winner of a study by its validation images. Test images chose nothing."
        + (f" On the validation images {short}." if short else ""),
        weights=weights,
        bytes=weights.stat().st_size,
        facts=tuple(_facts(opened, best, variant, weights)),
        scores=_scores(opened, best),
        protocol=str(study.evaluation),
        training=tuple(_training(opened, best, variant)),
        licence=licence,
        terms=tuple(_terms(study.images.train)),
        code=_code(opened, variant),
    )


def as_markdown(card: ModelCard) -> str:
    """The card as a README, with the header that model hubs read."""
    lines = ["---", "library_name: srlab", "tags:", "- super-resolution", "- image-to-image"]
    if card.licence is not None and _is_identifier(card.licence):
        lines.append(f"license: {card.licence.lower()}")
    lines += ["---", "", f"# {_plain(card.title)}", "", _plain(card.question), ""]
    lines += [card.about, ""]
    lines += ["## Use", "", *(f"    {command}" for command in card.commands), ""]
    lines += ["```python", "import srlab", "", f'srlab.load("{WEIGHTS}").upscale("photo.jpg")', "```", ""]
    if card.code is not None:
        lines += [
            "Its network is not one of srlab's: `code/` has the author's. Read it first. srlab runs it only "
            "after you agree, and says how.",
            "",
        ]
    lines += ["## What it is", "", *_listed(card.facts), ""]
    lines += ["## Scores", "", grid_as_markdown(card.scores).strip(), "", _plain(card.protocol), ""]
    lines += ["## Training", "", *_listed(card.training), ""]
    lines += ["## Licence", "", _plain(card.licence_note), ""]
    lines += [*(f"- {_plain(term)}" for term in card.terms), ""]
    return "\n".join(lines)


def _code(opened: StudyFolder, variant: StudyVariant) -> Path | None:
    identity = variant.network.get("code")
    if identity is None:
        return None
    from srlab.folder.user_networks import kept_code  # loads torch

    folder = kept_code(opened.path, str(identity))
    return folder if folder.is_dir() else None  # of an installed package there is none


def _facts(
    opened: StudyFolder, best: RunRecord, variant: StudyVariant, weights: Path
) -> Iterator[tuple[str, str]]:
    yield "Scale", f"x{opened.study.scale}"
    yield "Network", _options(variant.network)
    yield "Parameters", f"{variant.parameters:,}"
    yield "Weights", f"{num_bytes(weights.stat().st_size)}, SHA-256 {sha256_of(weights)}"
    yield "Run", best.name


def _training(opened: StudyFolder, best: RunRecord, variant: StudyVariant) -> Iterator[tuple[str, str]]:
    study = opened.study
    protocol = study.protocol_of(variant)
    yield "Training images", _sets(study.images.train)
    if study.images.validation:
        yield "Validation images", _sets(study.images.validation)
    yield "Steps", f"{best.steps:,} of {protocol.batch_size} patches"
    yield "Loss", _options(variant.objective)
    yield "Learning rate", f"{rate(best.learning_rate)} ({protocol.schedule})"
    yield "Seed", str(best.seed)
    if best.precision is not None:
        yield "Precision", best.precision
    if best.declared is not None:
        yield "Device", best.declared.device
    if best.seconds is not None:
        yield "Time", duration(best.seconds)


def _scores(opened: StudyFolder, best: RunRecord) -> Grid:
    """Means of this very run on each test set, beside bicubic's."""
    own = opened.scores(best.folder / store.TEST_SCORES)
    bicubic = opened.scores(opened.path / store.BASELINE / store.TEST_SCORES)
    rows = []
    for name in dict.fromkeys(image.set for image in opened.study.images.test):
        found, beside = _means(own, name), _means(bicubic, name)
        for metric, value in found.items():
            rows.append([name, metric, _score(metric, value), _score(metric, beside.get(metric))])
    columns = (
        Column(key="test_set", heading="test set", is_text=True),
        Column(key="metric", heading="metric", is_text=True),
        Column(key="model", heading="this model"),
        Column(key="bicubic", heading="bicubic"),
    )
    return Grid(
        name="scores",
        title="",
        note="",
        columns=columns,
        rows=tuple(GridRow(cells=tuple(Cell(text=text) for text in row)) for row in rows),
    )


def _means(stored: StoredScores | None, dataset: str) -> dict[str, float]:
    if stored is None or not any(score.dataset == dataset for score in stored.scores):
        return {}
    return means(stored, dataset=dataset)


def _score(metric: str, value: float | None) -> str:
    return number(value, metric_of(metric).decimals)


def _sets(images: Sequence[StudyImage]) -> str:
    counts = Counter(image.set for image in images)
    return ", ".join(f"{count:,} of {name}" if name else f"{count:,}" for name, count in counts.items())


def _terms(images: Sequence[StudyImage]) -> Iterator[str]:
    """The terms of the training images: of sets that srlab knows."""
    for name in dict.fromkeys(image.set for image in images if image.set):
        try:
            yield f"Training images {name}: {entry(name).terms}."
        except UserError:
            yield f"Training images {name}: their own terms, which srlab does not know."


def _options(values: Mapping[str, object]) -> str:
    """``SRCNN: skip bicubic``: the options as they are stored."""
    left = {key: value for key, value in values.items() if key not in ("architecture", "code")}
    options = ", ".join(
        _value(value) if key == "loss" else f"{key} {_value(value)}"
        for key, value in left.items()
        if value is not None
    )
    head = values.get("architecture")
    return options if head is None else f"{head}: {options}" if options else str(head)


def _value(value: object) -> str:
    return "x".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _listed(pairs: Sequence[tuple[str, str]]) -> Iterator[str]:
    return (f"- {term}: {_plain(what)}" for term, what in pairs)


def _plain(text: str) -> str:
    """As Markdown and HTML show it: a study's words may hold marks of both."""
    for sign in "\\`*[]<>":
        text = text.replace(sign, f"\\{sign}")
    return " ".join(text.split())


def _is_identifier(licence: str) -> bool:
    return all(sign.isalnum() or sign in ".-+" for sign in licence)
