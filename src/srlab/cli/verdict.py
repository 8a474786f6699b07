"""``srlab verdict``: what follows from anybody's scores."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from srlab.cli import app
from srlab.cli.options import EqualWithin, Weighed
from srlab.cli.output import print_json, show, show_grid, show_path
from srlab.words import plural

if TYPE_CHECKING:
    from srlab.verdicts import Difference, Metric, Verdicts

MOST_NOTES = 2  # without --notes


@app.command()
def verdict(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="A CSV or Parquet file with the columns variant, seed, image and value. Used if there: set, "
            "metric, learning_rate, options, protocol, study.",
        ),
    ],
    base: Annotated[
        str | None,
        typer.Option(
            "--base", help="The variant to compare the others with.", show_default="the file's first"
        ),
    ] = None,
    metric: Annotated[
        str | None,
        typer.Option(
            "--metric",
            help="Judge by this metric alone; in a file without a column metric, what its values are.",
            show_default="all; psnr_y ranks if it is there",
        ),
    ] = None,
    higher: Annotated[
        bool | None,
        typer.Option(
            "--higher-is-better/--lower-is-better",
            help="How to read a metric that srlab does not know.",
            show_default=False,
        ),
    ] = None,
    weigh: Weighed = "images",
    equal_within: EqualWithin = 0.1,
    primary: Annotated[
        str | None,
        typer.Option(
            "--primary",
            metavar="A,B",
            help="Two variants whose comparison was planned before the scores were known: tested alone.",
            show_default="none",
        ),
    ] = None,
    level: Annotated[float, typer.Option("--level", help="Confidence level of intervals and tests.")] = 0.95,
    column: Annotated[
        list[str] | None,
        typer.Option(
            "--column",
            metavar="COLUMN=NAME",
            help="The file has another name for a column, such as variant=model; repeatable.",
            show_default="the names above",
        ),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(
            "--report",
            help="Write a report, without pictures, to this HTML file.",
            show_default="no report",
        ),
    ] = None,
    notes: Annotated[bool, typer.Option("--notes", help="Show all notes on how to read the table.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object to standard output.")
    ] = False,
) -> None:
    """Say which variant is better by a file of scores, whichever tool made them.

    The file has a row for each variant, seed (training) and image. It gives the answer, ranks and intervals
    that `srlab leaderboard` gives for a study; `srlab scores` writes such a file of a study.
    """
    from srlab.cli.parsing import parse_changes
    from srlab.files import check_output
    from srlab.verdicts import declared, judge_scores, read_scores
    from srlab.verdicts.values import as_weigh

    if report is not None:
        check_output(report, ".html", ".htm", what="--report")
    columns = parse_changes(column or [], option="--column")
    table = read_scores(file, columns=columns, metric=metric)
    with declared(_directions(table.metrics if metric is None else (metric,), higher)):
        verdicts = judge_scores(
            table,
            base=base,
            primary=_planned(primary),
            level=level,
            equal_within=equal_within,
            weigh=as_weigh(weigh),
            metrics=None if metric is None else (metric,),
        )
        if report is not None:
            from srlab.show.report import write_scores_report

            words = [
                *("srlab", "verdict", str(file)),
                *(["--base", base] if base else []),
                *(["--metric", metric] if metric else []),
                *([] if higher is None else ["--higher-is-better" if higher else "--lower-is-better"]),
                *(["--weigh", weigh] if weigh != "images" else []),
                *(["--equal-within", f"{equal_within:g}"] if equal_within != 0.1 else []),
                *(["--primary", primary] if primary else []),
                *(["--level", f"{level:g}"] if level != 0.95 else []),
                *(word for one in column or [] for word in ("--column", one)),
                *("--report", str(report)),
            ]
            write_scores_report(verdicts, report, command=shlex.join(words))
        if as_json:
            print_json(_as_dict(verdicts))
        else:
            _show(verdicts, file, with_notes=notes)
            if report is not None:
                show("")
                show_path(report)


def _directions(metrics: Sequence[str], higher: bool | None) -> list["Metric"]:
    """The metrics that srlab does not know, as the options say; a `UserError` where they do not."""
    from srlab.errors import UserError
    from srlab.verdicts import Metric, known_metric
    from srlab.verdicts.values import NO_METRIC

    unknown = [name for name in metrics if known_metric(name) is None]
    if higher is None:
        if named := [name for name in unknown if name != NO_METRIC]:
            raise UserError(
                f"srlab does not know the metric {named[0]}; add --higher-is-better or --lower-is-better, or "
                "choose another with --metric"
            )
        return []
    if not unknown:
        known = known_metric(metrics[0])
        if known is not None and known.is_lower_better == higher:
            word = "lower" if higher else "higher"
            raise UserError(f"of {metrics[0]}, {word} is better; leave the option out, or rename the metric")
    return [Metric(name, better="higher" if higher else "lower") for name in unknown]


def _planned(primary: str | None) -> tuple[str, str] | None:
    from srlab.cli.parsing import parse_names
    from srlab.errors import UserError

    if primary is None:
        return None
    names = parse_names(primary, option="--primary")
    if len(names) != 2:
        raise UserError(f"--primary takes two variants, such as mine,baseline; got {primary!r}")
    return names[0], names[1]


def _as_dict(verdicts: "Verdicts") -> dict[str, Any]:
    first = verdicts.tables[0]
    return {
        "answer": " ".join(verdicts.answer),
        "metric": first.metric,
        "scope": first.scope,
        "base": verdicts.base,
        "level": verdicts.level,
        "equal_within": verdicts.rules.equal_within,
        "weigh": verdicts.rules.weigh,
        "ranks": {name: [rank.best, rank.worst] for name, rank in verdicts.ranks().items()},
        "primary": [_pair_as_dict(test) for test in verdicts.primary],
        "pairs": [_pair_as_dict(pair) for pair in first.pairs],
        "remarks": list(verdicts.remarks),
    }


def _pair_as_dict(pair: "Difference") -> dict[str, Any]:
    from srlab.folder.schema import as_json

    return {
        "variant": pair.variant,
        "other": pair.other,
        "estimate": as_json(pair.estimate),
        "low": None if pair.interval is None else pair.interval.low,
        "high": None if pair.interval is None else pair.interval.high,
        "p_holm": pair.p_holm,
        "outcome": pair.outcome,
    }


def _show(verdicts: "Verdicts", file: Path, *, with_notes: bool) -> None:
    """The answer, then a table for all sets and for each, by the metric that ranks, then the effects."""
    from srlab.show.tables.cells import titled
    from srlab.show.tables.effects import effects_grid
    from srlab.show.tables.plane import plane_grid
    from srlab.show.tables.standings import leaderboard_grid

    ranking = verdicts.tables[0]
    show(f"{titled(verdicts)}: {verdicts.question}")
    for sentence in verdicts.answer if with_notes else verdicts.headline:
        show(sentence, indent="  ")
    shown = [table for table in verdicts.tables if table.metric == ranking.metric]
    grids = {"Distortion and perception together": plane_grid(verdicts)}
    for table in shown:
        grids[table.scope] = leaderboard_grid(table, verdicts, variants=(), costs={}).without(("published",))
    effects = effects_grid(verdicts, scope=ranking.scope, metric=ranking.metric)
    grids[f"What each change brings: {ranking.metric} on {ranking.scope}"] = effects.without(("basis",))
    for title, grid in grids.items():
        if grid.rows:
            show("")
            show_grid(grid, title=title, on_page=True)
    show("")
    scores = [remark for remark in verdicts.remarks if remark.kind in ("protocol", "metric")]
    others = [remark for remark in verdicts.remarks if remark not in scores]
    said = others if with_notes else others[:MOST_NOTES]
    for note in (*scores, *said):
        show(f"- {note}", indent="  ")
    more = [metric for metric in verdicts.metrics if metric != ranking.metric]
    if more:
        show(f"- also in the file: {', '.join(more)}; `--metric {more[0]}` judges by it", indent="  ")
    if left := len(others) - len(said):
        show(f"{plural(left, 'more note')}: srlab verdict {file} --notes")
