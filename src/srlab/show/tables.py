"""A leaderboard as JSON, CSV, Markdown and LaTeX. Needs no torch."""

import csv
import html
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from srlab.declare.metrics import INCLUDED, LATER_METRICS, OF_PIXELS
from srlab.folder.profile_store import Profile, costs
from srlab.folder.scores import to_json
from srlab.show.leaderboard import Leaderboard, Spread, Standing, notes_of_variants
from srlab.verdicts import Difference, metric_of
from srlab.verdicts.values import BUSY

_NOTHING = "–"  # noqa: RUF001 - a dash is what a table has where nothing is
# Always in a table; others are where a variant has such scores.
_ALWAYS = tuple(name for name in OF_PIXELS if name not in LATER_METRICS)


def as_dict(board: Leaderboard) -> dict[str, Any]:
    """Everything in a leaderboard, unrounded, as JSON has it."""
    return {
        "study": board.name,
        "question": board.question,
        "answer": " ".join(board.answer),
        "scale": board.scale,
        "protocol": str(board.protocol),
        "base": board.base,
        "level": board.rules.level,
        "equal_within": board.rules.equal_within,
        "weigh": board.rules.weigh,
        "primary": [difference_as_dict(test) for test in board.primary],
        "pairs": [difference_as_dict(test) for test in board.pairs],
        "test_sets": list(board.test_sets),
        "standings": [_row(standing) for standing in board.standings],
        "measured": [_measured(profile) for profile in board.profiles],
        "remarks": list(board.remarks),
    }


def _row(standing: Standing) -> dict[str, Any]:
    return {
        "variant": standing.name,
        "rank": asdict(standing.rank) if standing.rank else None,
        "parameters": standing.parameters,
        "running_statistics": standing.running_statistics,
        "multiply_adds": standing.multiply_adds,
        "learning_rate": standing.learning_rate,
        "seconds": standing.seconds,
        "processor_seconds": standing.processor_seconds,
        "busy_machine": standing.is_busy,
        "validation": _spreads(standing.validation),
        "overall": _spreads({"psnr_y": standing.overall} if standing.overall else {}),
        "tests": {name: _spreads(spreads) for name, spreads in standing.tests.items()},
        "gains": {name: to_json(gain) for name, gain in standing.gains.items()},
        "over_bicubic": {name: difference_as_dict(test) for name, test in standing.over_bicubic.items()},
        "over_base": {name: difference_as_dict(test) for name, test in standing.over_base.items()},
        "notes": list(standing.notes),
    }


def _measured(profile: Profile) -> dict[str, Any]:
    """What one setting was measured to cost, by its name with the unit and by variant."""
    return {"setting": asdict(profile.setting), "costs": costs(profile)}


def difference_as_dict(test: Difference) -> dict[str, Any]:
    """A difference as JSON has it; infinities are strings."""
    values = asdict(test)
    if test.estimate is not None:
        values["estimate"] = str(test.estimate) if test.estimate == -float("inf") else to_json(test.estimate)
    return values


def _spreads(spreads: Mapping[str, Spread]) -> dict[str, Any]:
    return {
        metric: {"mean": to_json(spread.mean), "sd": spread.sd, "seeds": spread.num_seeds}
        for metric, spread in spreads.items()
    }


def as_csv(board: Leaderboard) -> str:
    """One line for each variant and test set, unrounded; what is not known is empty."""
    metrics = dict.fromkeys([*_ALWAYS, *board.metrics])
    columns = [
        "rank",
        "rank_worst",
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
    columns += [
        f"{name}_psnr_y{end}" for name in ("gain", "over_base") for end in ("", "_low", "_high", "_p_holm")
    ]
    columns += ["seconds", "processor_seconds", "notes"]
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    for standing in board.standings:
        for test_set in board.test_sets:
            spreads = standing.tests.get(test_set, {})
            row: dict[str, Any] = {
                "rank": standing.rank.best if standing.rank else None,
                "rank_worst": standing.rank.worst if standing.rank else None,
                "variant": standing.name,
                "test_set": test_set,
                "protocol": board.protocol.id,
                "scale": board.scale,
                "parameters": standing.parameters,
                "multiply_adds": standing.multiply_adds,
                "learning_rate": standing.learning_rate,
                "seeds": spreads["psnr_y"].num_seeds if spreads else 0,
                "seconds": standing.seconds,
                "processor_seconds": standing.processor_seconds,
                "notes": "; ".join(standing.notes),
            }
            row |= _difference_columns("gain", standing.over_bicubic.get(test_set))
            row |= _difference_columns("over_base", standing.over_base.get(test_set))
            for metric, spread in spreads.items():
                row |= {metric: spread.mean, f"{metric}_sd": spread.sd}
            writer.writerow(row)
    return text.getvalue()


def _difference_columns(name: str, test: Difference | None) -> dict[str, float | None]:
    if test is None:
        return {}
    low, high = (test.interval.low, test.interval.high) if test.interval else (None, None)
    values = {"": test.estimate, "_low": low, "_high": high, "_p_holm": test.p_holm}
    return {f"{name}_psnr_y{end}": value for end, value in values.items()}


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """A table as people read it: a title (or none), headings, and as many cells in each row."""

    title: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def columns(board: Leaderboard) -> list[str]:
    """The headings of the table that people read."""
    shown = [f"{name} {heading}" for name in board.test_sets for heading in _set_headings(board)]
    shown = [*_overall_headings(board), *shown]
    return [
        "rank",
        "variant",
        "parameters",
        "multiply-adds",
        "rate",
        *(shown if _has_tests(board) else ["validation psnr_y"]),
        *_time_headings(board),
    ]


def _time_headings(board: Leaderboard) -> tuple[str, ...]:
    """Processor time has a column where a variant has it: a GPU's and older runs do not."""
    has_processor = any(standing.processor_seconds is not None for standing in board.standings)
    return ("cpu s", "clock s") if has_processor else ("s by the clock",)


def cells(board: Leaderboard) -> list[list[str]]:
    """The rows of the table that people read: dB to 2 decimals, SSIM and LPIPS to 4."""
    rows = []
    for standing in board.standings:
        scores = _overall_cells(standing, board)
        scores += [cell for name in board.test_sets for cell in _set_cells(standing, name, board)]
        if not _has_tests(board):
            scores = [_cell(standing.validation.get("psnr_y"), "psnr_y")]
        sizes, times = _size_cells(standing), _time_cells(standing, board)
        rows.append([_rank(standing), standing.name, *sizes, *scores, *times])
    return rows


def sheets(board: Leaderboard) -> list[Sheet]:
    """The same in narrow tables, for a terminal: ranks and costs, then one for each test set."""
    if not _has_tests(board):
        rows = tuple(map(tuple, cells(board)))
        return [Sheet(title="", headings=tuple(columns(board)), rows=rows)]
    ranks = Sheet(
        title="",
        headings=(
            "rank",
            "variant",
            "parameters",
            "mult-adds",
            "rate",
            *_overall_headings(board),
            *_time_headings(board),
        ),
        rows=tuple(
            (_rank(row), row.name, *_size_cells(row), *_overall_cells(row, board), *_time_cells(row, board))
            for row in board.standings
        ),
    )
    scores = [
        Sheet(
            title=name,
            headings=("variant", *_set_headings(board)),
            rows=tuple((row.name, *_set_cells(row, name, board)) for row in board.standings),
        )
        for name in board.test_sets
    ]
    return [ranks, *scores]


def _has_tests(board: Leaderboard) -> bool:
    """Whether a variant has test scores yet; until then the validation scores are shown."""
    return any(standing.tests for standing in board.standings if standing.name != "bicubic")


def _overall_headings(board: Leaderboard) -> list[str]:
    """By what the rows are ranked, where no column of a test set has it."""
    if len(board.test_sets) < 2 or board.is_adversarial:
        return []
    return ["all psnr_y" if board.rules.weigh == "images" else "mean psnr_y"]


def _overall_cells(standing: Standing, board: Leaderboard) -> list[str]:
    return [_cell(standing.overall, "psnr_y") for _ in _overall_headings(board)]


def _set_headings(board: Leaderboard) -> list[str]:
    shown = [name for name in dict.fromkeys([*_ALWAYS, *board.metrics]) if _is_shown(name)]
    if not board.is_adversarial and "gmsd_y" in shown:  # it ranks nothing there; the CSV has it
        shown.remove("gmsd_y")
    return [*shown, "gain"]


def _is_shown(metric: str) -> bool:
    """Whether people see a column of it beside the CSV; they do of one of a user's own."""
    return metric not in INCLUDED or INCLUDED[metric].is_shown


def _set_cells(standing: Standing, test_set: str, board: Leaderboard) -> list[str]:
    spreads = standing.tests.get(test_set, {})
    shown = [_cell(spreads.get(metric), metric) for metric in _set_headings(board)[:-1]]
    return [*shown, _gain(standing.over_bicubic.get(test_set)) if spreads else ""]


def _gain(test: Difference | None) -> str:
    if test is None or test.estimate is None:
        return ""
    text = f"{test.estimate:+.2f}"
    return text if test.interval is None else f"{text} [{test.interval.low:+.2f}, {test.interval.high:+.2f}]"


def _rank(standing: Standing) -> str:
    """The places that the data allow, as ``1`` or ``1-3``."""
    if standing.rank is None:
        return ""
    best, worst = standing.rank.best, standing.rank.worst
    return str(best) if best == worst else f"{best}-{worst}"


def measured_sheets(board: Leaderboard) -> list[Sheet]:
    """What `srlab profile` measured, a narrow table for each setting; none where nothing was measured."""
    return [_measured_sheet(profile, board) for profile in board.profiles]


def _measured_sheet(profile: Profile, board: Leaderboard) -> Sheet:
    width, height = max(profile.sizes, key=lambda size: size[0] * size[1])
    rows = []
    for standing in board.standings:
        found = profile.variant(standing.name)
        enlarging = found.of_size((width, height)) if found else None
        step = found.training.median if found and found.training else None
        values = (
            _scaled(enlarging.median if enlarging else None, 1000),
            _scaled(enlarging.peak if enlarging else None, 1e-6),
            _scaled(step, 1000),
        )
        if any(values):
            rows.append((standing.name, *(value or _NOTHING for value in values)))
    return Sheet(
        title=f"measured for {width} x {height}: {profile.setting.label} ({profile.setting.device_name})",
        headings=("variant", "ms", "peak MB", "ms a training step"),
        rows=tuple(rows),
    )


def _scaled(value: float | None, factor: float) -> str:
    """Three digits of a measured number in its table's unit; empty if it was not measured."""
    if value is None:
        return ""
    scaled = factor * value
    return f"{scaled:,.0f}" if scaled >= 100 else f"{scaled:.3g}"


def _size_cells(standing: Standing) -> tuple[str, str, str]:
    return (
        f"{standing.parameters:,}",
        _multiply_adds(standing.multiply_adds),
        "" if standing.learning_rate is None else f"{standing.learning_rate:g}",
    )


def _time_cells(standing: Standing, board: Leaderboard) -> tuple[str, ...]:
    processor = "" if standing.processor_seconds is None else f"{standing.processor_seconds:,.0f}"
    seconds = "" if standing.seconds is None else f"{standing.seconds:,.0f}"
    both = (processor, "busy machine" if standing.is_busy else seconds)
    return both[-len(_time_headings(board)) :]


def _multiply_adds(count: int) -> str:
    """In G, as `srlab networks` has them, or in M where that would be next to nothing."""
    if count == 0:
        return ""
    return f"{count / 1e9:,.1f} G" if count >= 1e8 else f"{count / 1e6:,.1f} M"


def _cell(spread: Spread | None, metric: str) -> str:
    if spread is None:
        return _NOTHING
    decimals = metric_of(metric).decimals
    return f"{spread.mean:.{decimals}f}" + ("" if spread.sd is None else f" ± {spread.sd:.{decimals}f}")


def notes(board: Leaderboard) -> list[str]:
    """What is said under the table: of each variant what is not as it should be, then how to read it all."""
    return [*notes_of_variants(board.standings), *board.remarks]


def as_markdown(board: Leaderboard) -> str:
    """The table with the study's question and the answer above, and what must be known below."""
    headings = [markdown_text(heading) for heading in columns(board)]
    lines = [
        f"# {markdown_text(f'{board.name}: {board.question}')}",
        "",
        *(line for sentence in board.answer for line in (markdown_text(sentence), "")),
        "| " + " | ".join(headings) + " |",
        "|---:|---|" + "---:|" * (len(headings) - 2),
        *("| " + " | ".join(map(markdown_text, row)) + " |" for row in cells(board)),
        "",
        legend(board),
        "",
        *(line for sheet in measured_sheets(board) for line in _sheet_as_markdown(sheet)),
        *(f"- {markdown_text(note)}" for note in notes(board)),
    ]
    return "\n".join(lines) + "\n"


_MARKDOWN = re.compile(r"""[\\`*|~$] | \](?=[(\[:]) | (?<![A-Za-z0-9])_ | _(?![A-Za-z0-9])""", re.VERBOSE)
_COMMAND = re.compile(r"(`srlab [^`|]*`)")


def markdown_text(text: str) -> str:
    r"""`text` in one line of Markdown, in which names mean nothing but themselves; commands stay code.

    >>> markdown_text("my|set and <b>`x`</b>, as `srlab leaderboard` shows srcnn/pixel_shuffle")
    'my\\|set and &lt;b&gt;\\`x\\`&lt;/b&gt;, as `srlab leaderboard` shows srcnn/pixel_shuffle'
    """
    parts = _COMMAND.split(" ".join(text.split()))
    parts[::2] = [_MARKDOWN.sub(r"\\\g<0>", html.escape(part, quote=False)) for part in parts[::2]]
    return "".join(parts)


def _sheet_as_markdown(sheet: Sheet) -> list[str]:
    return [
        markdown_text(f"{sheet.title[:1].upper()}{sheet.title[1:]}"),
        "",
        "| " + " | ".join(map(markdown_text, sheet.headings)) + " |",
        "|---|" + "---:|" * (len(sheet.headings) - 1),
        *("| " + " | ".join(map(markdown_text, row)) + " |" for row in sheet.rows),
        "",
    ]


def legend(board: Leaderboard) -> str:
    """What the columns of the table mean."""
    has_interval = any(
        test.interval is not None for row in board.standings for test in row.over_bicubic.values()
    )
    interval = f" with its {100 * board.rules.level:g} % interval" if has_interval else ""
    return (
        f"Scale x{board.scale}. Gain is psnr_y in dB over bicubic{interval}. "
        "Multiply-adds are for SR of 1280 x 720. Rate is the learning rate. " + _legend_of_times(board)
    )


def _legend_of_times(board: Leaderboard) -> str:
    if len(_time_headings(board)) == 1:
        return "The time is that of one run's training, by the clock."
    busy = (
        f" Busy machine: other work ran beside it, so the clock showed more than {BUSY:g} times as much."
        if any(standing.is_busy for standing in board.standings)
        else ""
    )
    return (
        "Times are seconds of one run's training. Cpu s is processor time, all threads; compare "
        f"by it. Clock s is time by the clock.{busy}"
    )


_LATEX = {
    "\\": r"\textbackslash{}",
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "±": r"$\pm$",
    "–": "--",  # noqa: RUF001 - the dash of an empty cell
    "→": r"$\to$",
    "×": r"$\times$",  # noqa: RUF001
}


def latex_text(text: str) -> str:
    r"""`text` as LaTeX prints it.

    >>> latex_text("srcnn/leaky_relu: 95 %")
    'srcnn/leaky\\_relu: 95 \\%'
    """
    return "".join(_LATEX.get(sign, sign) for sign in text)


def as_latex(board: Leaderboard) -> str:
    """A ``table*`` for a paper, with the package booktabs; what must be known stands in its caption."""
    headings = columns(board)
    caption = f"{board.question} {legend(board)} {_sentences(notes(board))}"
    lines = [
        "% \\usepackage{booktabs}",
        r"\begin{table*}",
        r"\centering",
        rf"\caption{{{latex_text(caption)}}}",
        rf"\begin{{tabular}}{{rl{'r' * (len(headings) - 2)}}}",
        r"\toprule",
        _latex_row(headings),
        r"\midrule",
        *map(_latex_row, cells(board)),
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table*}",
    ]
    return "\n".join(lines) + "\n"


def _latex_row(row: Sequence[str]) -> str:
    return " & ".join(map(latex_text, row)) + r" \\"


def _sentences(notes: Sequence[str]) -> str:
    return " ".join(note[0].upper() + note[1:].rstrip(".") + "." for note in notes)
