"""Trained networks that are included with srlab: a weights file and a card for each. Needs no torch.

A card is a JSON file in this folder. It says what the network is, how it was trained, what it scores, under
which licence it may be used, and the SHA-256 of its weights. docs/models.md explains it.
"""

import difflib
import os
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Literal

import msgspec

from srlab.declare.protocol import EvaluationProtocol
from srlab.errors import UserError
from srlab.files import sha256_of
from srlab.folder.winner import Found, find_weights, variant_in_study

FOLDER = Path(__file__).parent
DEFAULT_SCALE = 2


class _Value(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A part of a card."""


class DataSet(_Value, frozen=True):
    """Images that a network was trained or chosen by."""

    name: str
    images: int
    terms: str  # under which the images may be used


class Training(_Value, frozen=True):
    """How the weights came about. `seconds` are of training alone, on `device` with `threads`."""

    data: tuple[DataSet, ...]
    validation: tuple[DataSet, ...]
    steps: int
    batch_size: int
    lr_patch_size: int
    loss: str
    learning_rate: float
    schedule: str
    seed: int
    precision: str
    seconds: float
    device: str
    threads: int
    commit: str  # of srlab


class TestSet(_Value, frozen=True):
    """Mean scores on a set that had no part in the training, by metric; bicubic's beside them.

    `pixels` is a SHA-256 over the pixels of all images (`pixels_hash`).
    """

    name: str
    images: int
    pixels: str
    scores: dict[str, float]
    bicubic: dict[str, float]


class Licence(_Value, frozen=True):
    """`weights` is the licence of the file itself (SPDX); `note` says what else is known."""

    weights: str
    note: str


class Card(_Value, frozen=True):
    """One network that is included.

    It is asked for by its `name`. `weights` is its file in this folder, of so many `bytes` and that `sha256`.
    """

    format: Literal[1]
    name: str
    variant: str
    scale: Literal[2, 3, 4]
    color: Literal["rgb", "luma"]
    parameters: int
    weights: str
    bytes: int
    sha256: str
    training: Training
    protocol: EvaluationProtocol
    tests: tuple[TestSet, ...]
    licence: Licence

    @property
    def path(self) -> Path:
        """The weights file."""
        return FOLDER / self.weights

    @property
    def title(self) -> str:
        """Name and scale, as ``srcnn/vanilla x2``."""
        return f"{self.name} x{self.scale}"

    def on(self, test_set: str) -> TestSet | None:
        """What it scores on that set."""
        return next((found for found in self.tests if found.name == test_set), None)


def read_card(path: Path) -> Card:
    """The card in a file.

    Raises:
        UserError: it is not a card as this version of srlab writes it.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=Card)
    except msgspec.MsgspecError as error:
        raise UserError(f"{path} is not a valid model card ({error}); install srlab again") from error


@cache
def included() -> tuple[Card, ...]:
    """Every card, by scale, the best of each scale first (`best`)."""
    found = [read_card(path) for path in sorted(FOLDER.glob("*.json"))]
    return tuple(
        card
        for scale in sorted({card.scale for card in found})
        for card in _best_first([card for card in found if card.scale == scale])
    )


def best(scale: int = DEFAULT_SCALE) -> Card:
    """The included network with the highest psnr_y, mean over the test sets that all of that scale have.

    Raises:
        UserError: there is no network for that scale.
    """
    for card in included():
        if card.scale == scale:
            return card
    if scale not in (2, 3, 4):
        raise UserError(f"srlab enlarges by 2, 3 or 4, or by 8 as a chain, not by {scale}")
    raise UserError(
        f"srlab includes no trained network for x{scale}; it includes {_listed(included())}. Train one and "
        f"name it with --model, or take --model bicubic --scale {scale}, which needs no training"
    )


def find_model(path: str | os.PathLike[str] | None, *, scale: int | None = None) -> Found:
    """The weights that `path` means: a file, a folder, STUDY/VARIANT, or the name of an included network.

    A file or folder of that name wins over an included network. None takes the best for `scale`, or for x2.

    Raises:
        UserError: there is no such file, folder or network, or not at that scale; the folder has no weights;
            the included file is missing or damaged.
    """
    if path is None:
        card = best(DEFAULT_SCALE if scale is None else scale)
        return Found(
            weights=_whole(card),
            why=f"{card.name}, the best network for x{card.scale} that is included with srlab{_score(card)}",
        )
    if Path(path).exists() or variant_in_study(Path(path)) is not None:
        return find_weights(Path(path))
    name = path if isinstance(path, str) else Path(path).as_posix()
    named = [card for card in included() if card.name == name]
    if not named:
        raise _unknown(name)
    fitting = [card for card in named if scale in (None, card.scale)]
    if not fitting:
        raise UserError(f"srlab includes {_listed(named)}, not {name} x{scale}; leave the scale out")
    if len(fitting) > 1:
        scales = " and ".join(f"x{card.scale}" for card in fitting)
        raise UserError(f"{name} is included for {scales}: choose one, such as --scale {fitting[0].scale}")
    (card,) = fitting
    return Found(weights=_whole(card), why=f"{card.name}, which is included with srlab{_score(card)}")


def is_included(name: str) -> bool:
    """Whether a network of this name is included, at any scale."""
    return any(card.name == name for card in included())


FileState = Literal["whole", "missing", "damaged"]


def file_state(card: Card) -> FileState:
    """Whether the weights file is there, and is the one of the card's SHA-256."""
    if not card.path.is_file():
        return "missing"
    return "whole" if sha256_of(card.path) == card.sha256 else "damaged"


def _whole(card: Card) -> Path:
    """The weights file, or a `UserError` if it is not what was included."""
    state = file_state(card)
    if state != "whole":
        raise UserError(
            f"the weights of {card.title} that come with srlab are {state}: install srlab again ({card.path})"
        )
    return card.path


def _unknown(name: str) -> UserError:
    names = list(dict.fromkeys(card.name for card in included()))
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    near = near or [known for known in names if name.strip("/") in known]
    what = f"did you mean {' or '.join(near)}?" if near else f"it includes {_listed(included())}."
    return UserError(
        f"{name} does not exist, and srlab includes no trained network of that name; {what} Give a weights "
        "file, a run's or a study's folder, or a name that `srlab models` lists"
    )


def _best_first(cards: list[Card]) -> list[Card]:
    """Highest psnr_y first; of equal ones the smaller file."""
    shared = set.intersection(*({found.name for found in card.tests} for card in cards))
    return sorted(cards, key=lambda card: (-_mean_psnr(card, shared), card.bytes, card.name))


def _mean_psnr(card: Card, test_sets: Iterable[str]) -> float:
    values = [found.scores["psnr_y"] for found in card.tests if found.name in test_sets]
    return sum(values) / len(values) if values else 0.0


def _score(card: Card) -> str:
    first = card.tests[0] if card.tests else None
    if first is None:
        return ""
    return (
        f" ({first.scores['psnr_y']:.2f} dB on {first.name}, where bicubic has "
        f"{first.bicubic['psnr_y']:.2f} dB)"
    )


def _listed(cards: Iterable[Card]) -> str:
    return ", ".join(card.title for card in cards) or "none"
