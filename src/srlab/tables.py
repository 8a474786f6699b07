"""A leaderboard as JSON, CSV and Markdown. Needs no torch."""

import csv
import io
from collections.abc import Mapping
from typing import Any

from srlab.leaderboard import Leaderboard, Spread, Standing
from srlab.scores import to_json

_DECIMALS = {"psnr_y": 2, "ssim_y": 4, "psnr_rgb": 2, "ssim_rgb": 4}


def as_dict(board: Leaderboard) -> dict[str, Any]:
    """Everything in a leaderboard, unrounded, as JSON has it."""
    return {
        "study": board.name,
        "question": board.question,
        "scale": board.scale,
        "protocol": str(board.protocol),
        "test_sets": list(board.test_sets),
        "standings": [_row(standing) for standing in board.standings],
        "remarks": list(board.remarks),
    }


def _row(standing: Standing) -> dict[str, Any]:
    return {
        "variant": standing.name,
        "parameters": standing.parameters,
        "running_statistics": standing.running_statistics,
        "multiply_adds": standing.multiply_adds,
        "learning_rate": standing.learning_rate,
        "seconds": standing.seconds,
        "validation": _spreads(standing.validation),
        "tests": {name: _spreads(spreads) for name, spreads in standing.tests.items()},
        "gains": {name: to_json(gain) for name, gain in standing.gains.items()},
        "notes": list(standing.notes),
    }


def _spreads(spreads: Mapping[str, Spread]) -> dict[str, Any]:
    return {
        metric: {"mean": to_json(spread.mean), "sd": spread.sd, "seeds": spread.num_seeds}
        for metric, spread in spreads.items()
    }


def as_csv(board: Leaderboard) -> str:
    """One line for each variant and test set, unrounded; what is not known is empty."""
    metrics = sorted(
        {metric for row in board.standings for spreads in row.tests.values() for metric in spreads}
    )
    metrics = [*_DECIMALS, *(metric for metric in metrics if metric not in _DECIMALS)]
    columns = [
        "variant",
        "test_set",
        "protocol",
        "scale",
        "parameters",
        "multiply_adds",
        "learning_rate",
        "seeds",
    ]
    columns += [name for metric in metrics for name in (metric, f"{metric}_sd")]
    columns += ["gain_psnr_y", "seconds", "notes"]
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    for standing in board.standings:
        for test_set in board.test_sets:
            spreads = standing.tests.get(test_set, {})
            row: dict[str, Any] = {
                "variant": standing.name,
                "test_set": test_set,
                "protocol": board.protocol.id,
                "scale": board.scale,
                "parameters": standing.parameters,
                "multiply_adds": standing.multiply_adds,
                "learning_rate": standing.learning_rate,
                "seeds": spreads["psnr_y"].num_seeds if spreads else 0,
                "gain_psnr_y": standing.gains.get(test_set),
                "seconds": standing.seconds,
                "notes": "; ".join(standing.notes),
            }
            for metric, spread in spreads.items():
                row |= {metric: spread.mean, f"{metric}_sd": spread.sd}
            writer.writerow(row)
    return text.getvalue()


def columns(board: Leaderboard) -> list[str]:
    """The headings of the table that people read."""
    tests = [f"{name} {metric}" for name in board.test_sets for metric in ("psnr_y", "ssim_y", "gain")]
    shown = tests if _has_tests(board) else ["validation psnr_y"]
    return ["variant", "parameters", "rate", *shown, "seconds"]


def _has_tests(board: Leaderboard) -> bool:
    """Whether a variant has test scores yet; until then the validation scores are shown."""
    return any(standing.tests for standing in board.standings if standing.name != "bicubic")


def cells(board: Leaderboard) -> list[list[str]]:
    """The rows of the table that people read: dB to 2 decimals, SSIM to 4."""
    return [_cells(standing, board) for standing in board.standings]


def _cells(standing: Standing, board: Leaderboard) -> list[str]:
    tests: list[str] = []
    for name in board.test_sets:
        spreads = standing.tests.get(name, {})
        tests += [_cell(spreads.get(metric), metric) for metric in ("psnr_y", "ssim_y")]
        tests.append(f"{standing.gains[name]:+.2f}" if name in standing.gains else "")
    if not _has_tests(board):
        tests = [_cell(standing.validation.get("psnr_y"), "psnr_y")]
    return [
        standing.name,
        f"{standing.parameters:,}",
        "" if standing.learning_rate is None else f"{standing.learning_rate:g}",
        *tests,
        "" if standing.seconds is None else f"{standing.seconds:,.0f}",
    ]


def _cell(spread: Spread | None, metric: str) -> str:
    if spread is None:
        return "–"  # noqa: RUF001 - a dash is what a table has where nothing is
    decimals = _DECIMALS[metric]
    return f"{spread.mean:.{decimals}f}" + ("" if spread.sd is None else f" ± {spread.sd:.{decimals}f}")


def notes(board: Leaderboard) -> list[str]:
    """What is said under the table: of each variant what is not as it should be, then how to read it all."""
    of_variants = [f"{row.name}: {note}" for row in board.standings for note in row.notes]
    return [*of_variants, *board.remarks]


def as_markdown(board: Leaderboard) -> str:
    """The table with the study's question above and what must be known below."""
    headings = columns(board)
    lines = [
        f"# {board.name}: {board.question}",
        "",
        "| " + " | ".join(headings) + " |",
        "|---|" + "---:|" * (len(headings) - 1),
        *("| " + " | ".join(cell.replace("|", r"\|") for cell in row) + " |" for row in cells(board)),
        "",
        f"Scale x{board.scale}. Gain is psnr_y in dB over bicubic; rate is the learning rate, "
        "seconds those of training.",
        "",
        *(f"- {note}" for note in notes(board)),
    ]
    return "\n".join(lines) + "\n"
