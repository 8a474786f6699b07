"""``srlab models``: the trained networks that are included, and whether they are what their cards say."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from srlab.cli import app
from srlab.cli.output import print_json, say, show, show_grid
from srlab.errors import UserError
from srlab.words import num_bytes

if TYPE_CHECKING:
    from srlab.use.models import Card, FileState
    from srlab.use.models.verifying import Verification


@app.command()
def models(
    verify: Annotated[
        bool,
        typer.Option(
            "--verify",
            help="Check the SHA-256 of each file. Score each network again on Set5 if that set is installed.",
        ),
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object to standard output, with every field.")
    ] = False,
) -> None:
    """List the trained networks that are included with srlab: training, scores, size and licence."""
    from srlab.use.models import file_state, included

    cards = included()
    states = {card.title: file_state(card) for card in cards}
    found = _verify(cards) if verify else []
    if as_json:
        print_json(_as_dict(cards, states, found))
    else:
        _print_list(cards, states)
        for one in found:
            show(_in_words(one))
    broken = [f"{title} are {state}" for title, state in states.items() if state != "whole"]
    if broken and not verify:
        raise UserError(f"the weights of {', of '.join(broken)}; install srlab again")
    wrong = [one.card.title for one in found if not one.is_right]
    if wrong:
        raise UserError(
            f"{', '.join(wrong)}: the file or its scores differ from the model card; install srlab again"
        )


def _verify(cards: "tuple[Card, ...]") -> "list[Verification]":
    from srlab.use.models.verifying import verify

    found = []
    for card in cards:
        say(f"verifying {card.title}")
        found.append(verify(card))
    return found


def _as_dict(
    cards: "tuple[Card, ...]", states: "Mapping[str, FileState]", found: "list[Verification]"
) -> dict[str, Any]:
    import msgspec

    results = {
        one.card.title: {
            "file_is_right": one.file_is_right,
            "outcome": one.outcome,
            "set5": dict(one.scores),
        }
        for one in found
    }
    return {
        "models": [
            {
                **msgspec.to_builtins(card),
                "path": str(card.path),
                "file": states[card.title],
                **({"verified": results[card.title]} if card.title in results else {}),
            }
            for card in cards
        ]
    }


def _print_list(cards: "tuple[Card, ...]", states: "Mapping[str, FileState]") -> None:
    from srlab.show.grid import Column, Grid

    sets = list(dict.fromkeys(found.name for card in cards for found in card.tests))
    rows = []
    for card in cards:
        scores = [found.scores["psnr_y"] if (found := card.on(name)) else None for name in sets]
        rows.append(
            [
                card.name,
                f"x{card.scale}",
                f"{card.parameters:,}",
                *("" if score is None else f"{score:.2f}" for score in scores),
                num_bytes(card.bytes) if states[card.title] == "whole" else states[card.title],
                card.licence.weights,
            ]
        )
    keys = ("model", "scale", "parameters", *sets, "size", "licence")
    columns = [
        Column(
            key=key,
            heading=key,
            is_text=key in ("model", "scale", "licence"),
            is_name=key == "model",
        )
        for key in keys
    ]
    show_grid(Grid.of_texts("models", columns, rows))
    show("")
    if cards:
        show(f"{', '.join(sets)}: mean psnr_y in dB; protocol {cards[0].protocol}", indent="  ")
    for card in cards:
        show(f"{card.title}: {_training(card)} {card.licence.note}", indent="  ")


def _training(card: "Card") -> str:
    how = card.training
    data = " and ".join(f"{one.name} ({one.images} images)" for one in how.data)
    rate = f"{how.learning_rate:g}" + (", falling to zero" if how.schedule == "cosine" else "")
    return (
        f"trained on {data} for {how.steps:,} steps of {how.batch_size} patches, "
        f"rate {rate}, loss {how.loss}, seed {how.seed}, {how.precision}."
    )


def _in_words(one: "Verification") -> str:
    title = one.card.title
    if not one.file_is_right:
        return f"{title}: the weights file is missing or damaged: its SHA-256 differs from the model card"
    expected = one.card.on("set5")
    scores = "" if expected is None else _beside(one.scores, expected.scores)
    return f"{title}: the file is intact; " + {
        "equal": f"the scores on set5 equal those of the card ({scores})",
        "different": f"the scores on set5 differ from those of the card: {scores}",
        "other images": f"the pixels of your set5 differ from the card's, so the scores may differ: {scores}",
        "not scored": "the card has no scores on set5 to compare with",
        "no data": "set5 is not installed, so nothing was scored (fetch it with `srlab data get set5`)",
    }.get(one.outcome, "nothing was scored")


def _beside(found: Any, expected: Any) -> str:
    return ", ".join(
        f"{metric} {_digits(metric, found[metric])}, on the card {_digits(metric, expected[metric])}"
        for metric in ("psnr_y", "ssim_y")
        if metric in found and metric in expected
    )


def _digits(metric: str, value: float) -> str:
    return f"{value:.3f} dB" if metric.startswith("psnr") else f"{value:.4f}"
