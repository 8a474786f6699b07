"""What the picture of the ranking promises: a line to variants that share a place, and none to others."""

from pathlib import Path

import pytest

from scored_study import ScoredStudy, noisy
from srlab.show.draw.canvas import Size
from srlab.show.draw.colors import FOR_PAPERS
from srlab.show.draw.forest import ForestRow, draw_forest
from srlab.show.draw.ranking import RankedMean, draw_ranking
from srlab.show.report.figures import drawings
from srlab.verdicts import judge


def lines_of(*rows: RankedMean, size: Size = "wide") -> list[tuple[float, float]]:
    figure = draw_ranking(rows, colors=FOR_PAPERS, size=size, axis_name="psnr_y, dB")
    found = [[float(x) for x in line.get_xdata()] for line in figure.axes[0].lines]  # type: ignore[arg-type, union-attr]
    return [(xs[0], xs[1]) for xs in found if len(xs) == 2]


@pytest.mark.parametrize("size", ["wide", "narrow"])
def test_a_line_reaches_from_the_worst_to_the_best_that_shares_a_place(size: Size) -> None:
    best = RankedMean(label="a", mean=30.0, tied=(29.9,), equal=(), reading="rank 1-2")
    second = RankedMean(label="b", mean=29.9, tied=(30.0, 29.8), equal=(29.8,), reading="rank 1-3")
    last = RankedMean(label="c", mean=28.0, tied=(), equal=(), reading="rank 4")
    assert lines_of(best, second, last, size=size) == [(29.9, 30.0), (29.8, 30.0), (29.8, 29.9)]


def test_the_report_draws_the_ranking_and_a_wild_variant_does_not_stretch_the_others(tmp_path: Path) -> None:
    study = ScoredStudy(tmp_path / "mine", sets={"one": 19}).bicubic(28.0)
    for key, (name, mean, sd) in enumerate(
        (("best", 31.0, 0.01), ("middle", 30.5, 0.01), ("lower", 30.0, 0.01), ("wild", 29.0, 3.0))
    ):
        study.variant(name, {"one": noisy(mean, sd=sd, key=key)}, network={"x": key})
    verdicts = judge(study.write())
    ranks = verdicts.ranks()
    assert (ranks["best"].best, ranks["middle"].best, ranks["lower"].best, ranks["wild"].best) == (1, 2, 3, 1)
    (drawing,) = (one for one in drawings(verdicts, bicubic=None) if one.group == "ranking")
    figure = drawing.draw(FOR_PAPERS, "wide")
    lines = [[float(x) for x in line.get_xdata()] for line in figure.axes[0].lines]  # type: ignore[arg-type, union-attr]
    assert len([line for line in lines if len(line) == 2]) == 1
    assert "wild" in drawing.description


def test_one_seed_has_no_ranking_to_draw(tmp_path: Path) -> None:
    study = ScoredStudy(tmp_path / "mine", sets={"one": 19})
    for key, name in enumerate(("a", "b")):
        study.variant(name, {"one": noisy(30.0 + key, seeds=1, key=key)}, network={"x": key})
    assert not [one for one in drawings(judge(study.write()), bicubic=None) if one.group == "ranking"]


@pytest.mark.parametrize(("band", "shaded"), [(0.1, 1), (None, 0)])
def test_the_differences_that_count_as_equal_are_shaded(band: float | None, shaded: int) -> None:
    rows = [ForestRow(label="a", estimate=0.3), ForestRow(label="b", estimate=-0.2)]
    figure = draw_forest(rows, colors=FOR_PAPERS, size="wide", axis_name="dB", band=band)
    assert len(figure.axes[0].patches) == shaded
