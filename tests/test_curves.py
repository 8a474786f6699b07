"""What the picture of the training curves promises."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from srlab.folder.records import logged_lines, logged_values
from srlab.show.draw.canvas import MARKERS
from srlab.show.draw.curves import Line, draw_all_runs


def curve(name: str, last: float, *, is_chosen: bool = False, variant: int = 0) -> Line:
    return Line(label=name, number=variant, points=((1, 20.0), (2, last)), is_strong=is_chosen)


def legend(figure: Figure) -> list[str]:
    found = figure.axes[0].get_legend()
    return [] if found is None else [text.get_text() for text in found.get_texts()]


def test_points_are_the_steps_at_which_there_was_a_number(tmp_path: Path) -> None:
    metrics = tmp_path / "metrics.jsonl"
    metrics.write_text(
        '{"step": 1, "loss": 0.5}\n{"step": 2, "psnr_y": 30.5}\n{"step": 3, "psnr_y": null}\n'
        '{"step": 4, "psnr_y": 31}\n{"step": 5, "psn'
    )
    assert logged_values(logged_lines(tmp_path), "psnr_y") == ((2, 30.5), (4, 31.0))
    assert logged_lines(tmp_path / "missing") == ()


def test_runs_are_named_in_the_order_in_which_they_end_with_the_last_value() -> None:
    figure = draw_all_runs([curve("worse", 21.0), curve("better", 31.25)], title="t", caption="c")
    assert legend(figure) == ["better: 31.25", "worse: 21.00"]
    ends = [float(np.asarray(line.get_ydata())[-1]) for line in figure.axes[0].lines]
    assert ends == [31.25, 21.0]


def test_the_chosen_rate_is_bold_and_a_variant_keeps_its_color() -> None:
    runs = [curve("a", 25.0, is_chosen=True), curve("b", 24.0), curve("c", 23.0, variant=1)]
    first, second, third = draw_all_runs(runs, title="t", caption="c").axes[0].lines
    assert first.get_linewidth() > second.get_linewidth()
    assert first.get_color() == second.get_color() != third.get_color()


@pytest.mark.parametrize("count", [1, 60])
def test_the_legend_is_whole(count: int) -> None:
    runs = [curve(f"tiny/a_variant_with_a_long_name  rate 0.001  seed {n}", 20.0 + n) for n in range(count)]
    figure = draw_all_runs(runs, title="t", caption="c")
    figure.draw_without_rendering()
    found = figure.axes[0].get_legend()
    assert found is not None
    box, whole = found.get_window_extent(), figure.bbox
    assert box.x1 <= whole.x1
    assert box.y0 >= whole.y0


def test_before_the_first_validation_the_picture_says_so() -> None:
    figure = draw_all_runs([Line(label="a", number=0, points=())], title="t", caption="c")
    assert [text.get_text() for text in figure.axes[0].texts] == ["no run has been validated yet"]


def test_the_steps_start_at_zero() -> None:
    for points in (((60, 30.0),), ((1000, 30.0), (2000, 31.0))):
        figure = draw_all_runs([Line(label="a", number=0, points=points)], title="t", caption="c")
        assert figure.axes[0].get_xlim()[0] == 0


def test_single_points_that_cover_each_other_can_be_told_apart() -> None:
    runs = [Line(label=f"{n}", number=n, points=((60, 28.57),)) for n in range(len(MARKERS))]
    figure = draw_all_runs(runs, title="t", caption="c")
    lines = figure.axes[0].lines
    assert len({str(line.get_marker()) for line in lines}) == len(MARKERS)
    sizes = [line.get_markersize() for line in lines]
    assert sizes == sorted(set(sizes), reverse=True)  # the later lie on top, and are smaller
    assert {line.get_fillstyle() for line in lines} == {"none"}
    in_legend = figure.axes[0].get_legend()
    assert in_legend is not None
    assert [str(handle.get_marker()) for handle in in_legend.get_lines()] == [
        str(line.get_marker()) for line in lines
    ]
