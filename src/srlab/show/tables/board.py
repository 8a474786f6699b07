"""A leaderboard as a table: a row for each variant, with the scores on every test set side by side."""

from collections.abc import Mapping, Sequence

from srlab.declare.metrics import INCLUDED, LATER_METRICS, OF_PIXELS
from srlab.show.grid import Cell, Column, Grid, GridRow
from srlab.show.grid.files import as_latex, as_markdown, markdown_text
from srlab.show.leaderboard import Leaderboard, Standing, notes_of_variants
from srlab.show.tables.cells import (
    LEARNING_RATE,
    MISSING,
    MULTIPLY_ADDS,
    PARAMETERS,
    RANK,
    VARIANT,
    count_cell,
    difference_cell,
    name_cell,
    parameters_cell,
    rank_cell,
    rate_cell,
    score_cell,
)
from srlab.show.tables.profile import of_largest_size
from srlab.verdicts import BICUBIC, Difference, Spread, metric_of
from srlab.verdicts.values import BUSY
from srlab.words import capitalized, sentences, whole

# Always in a table; others are where a variant has such scores.
_ALWAYS = tuple(name for name in OF_PIXELS if name not in LATER_METRICS)
_PSNR = metric_of("psnr_y")


def board_grid(board: Leaderboard) -> Grid:
    """The standings as people read them. The columns of each test set are a group."""
    has_tests = any(standing.tests for standing in board.standings if standing.name != BICUBIC)
    columns = [RANK, VARIANT, PARAMETERS, MULTIPLY_ADDS, LEARNING_RATE]
    if not has_tests:
        columns.append(Column(key="validation_psnr_y", heading="validation psnr_y"))
    elif overall := _overall(board):
        columns.append(Column(key="psnr_y", heading=f"{overall} psnr_y"))
    sets = board.test_sets if has_tests else ()
    metrics = _metrics(board)
    for name in sets:
        columns += [
            Column(key=f"{name}_{what}", heading=f"{name} {what}", short=what, group=name)
            for what in (*metrics, "gain")
        ]
    columns += _times(board)
    rows = []
    for standing in board.standings:
        cells = [
            rank_cell(standing.rank),
            name_cell(standing.name),
            parameters_cell(standing.parameters),
            count_cell(standing.multiply_adds or None),
            rate_cell(standing.learning_rate),
        ]
        if not has_tests:
            cells.append(_spread_cell(standing.validation.get("psnr_y"), "psnr_y"))
        elif _overall(board):
            cells.append(_spread_cell(standing.overall, "psnr_y"))
        for name in sets:
            spreads = standing.tests.get(name, {})
            cells += [_spread_cell(spreads.get(metric), metric) for metric in metrics]
            cells.append(
                difference_cell(standing.over_bicubic.get(name) if spreads else None, _PSNR.decimals)
            )
        rows.append(GridRow(cells=(*cells, *_time_cells(standing, board)), kind=_kind(standing, board)))
    return Grid(
        name="leaderboard",
        title=board.question,
        note=f"{legend(board)} {sentences(notes(board))}",
        columns=tuple(columns),
        rows=tuple(rows),
    )


def _kind(standing: Standing, board: Leaderboard) -> str:
    return "bicubic" if standing.name == BICUBIC else "base" if standing.name == board.base else ""


def _overall(board: Leaderboard) -> str:
    """Over what the rows are ranked, where no test set's column has it."""
    if len(board.test_sets) < 2 or board.is_adversarial:
        return ""
    return "all" if board.rules.weigh == "images" else "mean"


def _metrics(board: Leaderboard) -> list[str]:
    shown = [name for name in dict.fromkeys([*_ALWAYS, *board.metrics]) if _is_shown(name)]
    if not board.is_adversarial and "gmsd_y" in shown:  # it ranks nothing there; the CSV has it
        shown.remove("gmsd_y")
    return shown


def _is_shown(metric: str) -> bool:
    """Whether people see a column of it beside the CSV; they do of one of a user's own."""
    return metric not in INCLUDED or INCLUDED[metric].is_shown


def _spread_cell(spread: Spread | None, metric: str) -> Cell:
    return score_cell(spread.mean, spread.sd, metric_of(metric)) if spread else MISSING


def _times(board: Leaderboard) -> tuple[Column, ...]:
    """Processor time has a column where a variant has it: a GPU's and older runs do not."""
    if not any(standing.processor_seconds is not None for standing in board.standings):
        return (Column(key="seconds", heading="s by the clock", is_low_first=True),)
    return (
        Column(key="processor_seconds", heading="cpu s", is_low_first=True),
        Column(key="seconds", heading="clock s", is_low_first=True),
    )


def _time_cells(standing: Standing, board: Leaderboard) -> tuple[Cell, ...]:
    both = (
        Cell(text=whole(standing.processor_seconds), value=standing.processor_seconds),
        Cell(text="busy machine", tone="warning")
        if standing.is_busy
        else Cell(text=whole(standing.seconds), value=standing.seconds),
    )
    return both[-len(_times(board)) :]


def scores_grid(board: Leaderboard) -> Grid:
    """The same for programs: a row for each variant and test set, with every metric."""
    metrics = dict.fromkeys([*_ALWAYS, *board.metrics])
    keys = (
        *("rank", "variant", "test_set", "protocol", "scale", "parameters", "multiply_adds"),
        *("learning_rate", "seeds", *metrics, "gain_psnr_y", "over_base_psnr_y"),
        *("seconds", "processor_seconds", "notes"),
    )
    rows = []
    for standing in board.standings:
        for test_set in board.test_sets:
            spreads = standing.tests.get(test_set, {})
            rank = standing.rank
            values: Mapping[str, float | str | None] = {
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
            cells = {key: Cell(text="", value=value) for key, value in values.items()} | {
                "rank": Cell(
                    text="",
                    value=rank.best if rank else None,
                    more=(("worst", rank.worst if rank else None),),
                ),
                **{metric: _values_of(spreads.get(metric)) for metric in metrics},
                "gain_psnr_y": _values_of_test(standing.over_bicubic.get(test_set)),
                "over_base_psnr_y": _values_of_test(standing.over_base.get(test_set)),
            }
            rows.append(GridRow(cells=tuple(cells[key] for key in keys)))
    columns = tuple(Column(key=key, heading=key) for key in keys)
    return Grid(name="leaderboard", columns=columns, rows=tuple(rows))


def _values_of(spread: Spread | None) -> Cell:
    """All columns are there, whatever is known."""
    return Cell(text="", value=spread.mean if spread else None, more=(("sd", spread.sd if spread else None),))


def _values_of_test(test: Difference | None) -> Cell:
    low, high = (test.interval.low, test.interval.high) if test and test.interval else (None, None)
    more = (("low", low), ("high", high), ("p_holm", test.p_holm if test else None))
    return Cell(text="", value=test.estimate if test else None, more=more)


def measured_grids(board: Leaderboard) -> list[Grid]:
    """What `srlab profile` measured, a narrow table for each setting; none where nothing was measured."""
    order = [standing.name for standing in board.standings]
    return [of_largest_size(profile, order) for profile in board.profiles]


def notes(board: Leaderboard) -> list[str]:
    """What is said under the table: of each variant what is not as it should be, then how to read it all."""
    return [*notes_of_variants(board.standings), *board.remarks]


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
    if len(_times(board)) == 1:
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


def board_as_markdown(board: Leaderboard) -> str:
    """The table with the study's question and the answer above, and what must be known below."""
    parts: Sequence[str] = (
        f"# {markdown_text(f'{board.name}: {board.question}')}",
        *map(markdown_text, board.answer),
        as_markdown(board_grid(board), has_caption=False),
        legend(board),
        *(
            f"{markdown_text(capitalized(grid.title))}\n\n{as_markdown(grid, has_caption=False)}"
            for grid in measured_grids(board)
        ),
        "\n".join(f"- {markdown_text(note)}" for note in notes(board)),
    )
    return "\n\n".join(part.rstrip("\n") for part in parts) + "\n"


def board_as_latex(board: Leaderboard) -> str:
    """A ``table*`` for a paper; what must be known stands in its caption."""
    return as_latex(board_grid(board), is_wide=True)
