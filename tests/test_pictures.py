"""What a study's pictures promise: all runs, no false impression, the place where variants differ."""

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text
from numpy.typing import NDArray
from PIL import Image

from made_study import MadeRun, MadeStudy, scene
from srlab import UserError
from srlab.declare.protocol import EvaluationProtocol
from srlab.show.draw.bars import Bar, axis_for, draw_bars
from srlab.show.draw.crop import most_different_crop, psnr
from srlab.show.draw.panel import Shown, arrange, draw_panel, wrapped
from srlab.show.pictures import write_pictures

BASELINE = {"psnr_y": 28.4, "ssim_y": 0.81}


def bar(name: str, psnr_y: float | None, status: str = "finished") -> Bar:
    scores = None if psnr_y is None else {"psnr_y": psnr_y, "ssim_y": psnr_y / 40}
    return Bar(name=name, scores=scores, status=status)


def texts(figure: Figure) -> list[Text]:
    """What can be read in a figure, laid out as it is drawn."""
    figure.draw_without_rendering()
    beyond = set()  # ticks that matplotlib holds ready and does not draw
    for axes in figure.axes:
        low, high = axes.get_xlim()
        beyond |= {tick.label1 for tick in axes.xaxis.get_major_ticks() if not low <= tick.get_loc() <= high}
    found = [text for text in figure.findobj(Text) if isinstance(text, Text) and text not in beyond]
    return [text for text in found if text.get_visible() and text.get_text()]


def words(figure: Figure) -> list[str]:
    """Every text of a figure, from the top, those of one height from the left."""
    placed = [(text.get_window_extent(), text.get_text()) for text in texts(figure)]
    return [word for box, word in sorted(placed, key=lambda item: (-item[0].y0, item[0].x0))]


def saved_words(path: Path) -> str:
    return " ".join(
        "".join(element.itertext()) for element in ElementTree.parse(path).iter() if "text" in element.tag
    )


def test_the_best_run_is_on_top_and_those_without_scores_are_named_below_with_the_reason() -> None:
    bars = [bar("lost", None, "diverged"), bar("low", 29.0), bar("high", 31.0), bar("none", None, "missing")]
    found = words(draw_bars(bars, title="t", caption="c", baseline=BASELINE))
    names = [word for word in found if word in ("lost", "low", "high", "none")]
    assert names == ["high", "low", "lost", "none"]
    assert found.count("diverged") == found.count("missing") == 2  # once in each panel
    assert "31.00" in found
    assert "0.7750" in found
    assert "bicubic 28.40" in found


def test_axes_start_near_the_lowest_score_and_say_where() -> None:
    axis = axis_for("psnr_y", [30.0, 30.1, 30.2], 29.9)
    assert 29.8 < axis.start < 29.9
    assert axis.end > 30.2
    figure = draw_bars([bar("a", 30.0), bar("b", 30.2)], title="t", caption="c", baseline=None)
    (label,) = [word for word in words(figure) if word.startswith("psnr_y in dB")]
    assert label == f"psnr_y in dB (the axis starts at {figure.axes[0].get_xlim()[0]:.2f}, not at zero)"


def test_a_run_that_learnt_nothing_does_not_flatten_the_others() -> None:
    figure = draw_bars(
        [bar("a", 30.0), bar("b", 30.2), bar("c", 6.1)], title="t", caption="c", baseline=BASELINE
    )
    assert figure.axes[0].get_xlim()[0] > 25
    assert "« 6.10, off the axis" in words(figure)


@pytest.mark.parametrize("good", range(7))
def test_no_more_than_one_run_or_a_quarter_of_them_are_off_the_axis(good: int) -> None:
    values = [31.8] * good + [28.6, 28.5, 27.0, 21.0, 12.0, 6.0][: 8 - good]
    for baseline in (32.3, 28.0, None):
        start = axis_for("psnr_y", values, baseline).start
        assert sum(value <= start for value in values) <= max(1, len(values) // 4)


def test_several_runs_below_bicubic_are_drawn_and_only_a_clear_outlier_is_not() -> None:
    scores = [31.87, 31.81, 31.74, 28.57, 28.56, 26.93]
    assert axis_for("psnr_y", scores, 32.3).start < 26.93
    assert 26.93 < axis_for("psnr_y", [*scores[:-1], 6.0], 32.3).start < 28.56


def test_equal_scores_are_not_blown_up() -> None:
    axis = axis_for("psnr_y", [30.0, 30.0001], None)
    assert axis.end - axis.start > 0.2


def test_what_did_not_beat_bicubic_is_said() -> None:
    assert "did not beat bicubic" in words(
        draw_bars([bar("a", 28.0), bar("b", 30.2)], title="t", caption="c", baseline=BASELINE)
    )
    assert "did not beat bicubic" not in words(
        draw_bars([bar("b", 34.2)], title="t", caption="c", baseline=BASELINE)
    )


@pytest.mark.parametrize("count", [0, 1, 2, 60])
def test_the_figure_grows_with_the_runs_and_no_words_overlap(count: int) -> None:
    bars = [
        bar(f"srcnn/pixel_shuffle_residual_leaky_relu  rate 0.0003  seed {i}", 29 + i / 50)
        for i in range(count)
    ]
    bars.append(bar("lost", None, "diverged"))
    figure = draw_bars(bars, title="made, x2: validation scores", caption="one\ntwo", baseline=BASELINE)
    width, height = figure.get_size_inches() * figure.dpi
    assert height > 20 * (count + 1)
    boxes = [text.get_window_extent() for text in texts(figure)]
    for box in boxes:
        assert box.x0 >= 0
        assert box.y0 >= 0
        assert box.x1 <= width
        assert box.y1 <= height
    for i, one in enumerate(boxes):
        for other in boxes[:i]:
            assert not (
                min(one.x1, other.x1) - max(one.x0, other.x0) > 1
                and min(one.y1, other.y1) - max(one.y0, other.y0) > 1
            )


def planted(top: int, left: int, *, seed: int, side: int = 16) -> NDArray[np.uint8]:
    pixels = scene()
    area = pixels[top : top + side, left : left + side].astype(int)
    area += np.random.default_rng(seed).integers(-60, 61, area.shape)
    pixels = pixels.copy()
    pixels[top : top + side, left : left + side] = area.clip(0, 255)
    return pixels


def test_the_crop_is_where_the_variants_differ_most() -> None:
    crop = most_different_crop([planted(50, 70, seed=1), planted(50, 70, seed=2)], side=16)
    assert (crop.top, crop.left, crop.side) == (50, 70, 16)


def test_a_difference_from_the_scene_that_all_share_counts_for_nothing() -> None:
    same = planted(10, 10, seed=1)
    assert most_different_crop([same, same]).spread == 0


def test_what_is_shaved_is_not_shown_and_a_small_picture_gives_a_small_crop() -> None:
    first, second = planted(0, 0, seed=1), planted(0, 0, seed=2)
    crop = most_different_crop([first, second], side=16, border=4)
    assert crop.top >= 4
    assert crop.left >= 4
    small = most_different_crop([first[:20, :30], second[:20, :30]], side=64)
    assert small.side == 20


def test_psnr_is_infinite_for_equal_pictures() -> None:
    assert psnr(np.ones((2, 2)), np.ones((2, 2))) == float("inf")


@pytest.mark.parametrize("count", [2, 3, 4, 5, 8])
def test_crops_are_shown_pixel_by_pixel_without_smoothing(count: int, tmp_path: Path) -> None:
    pictures = [planted(30, 40, seed=i) for i in range(count)]
    crop = most_different_crop(pictures, side=16)
    figure = draw_panel(
        [Shown(name=f"variant {i}", pixels=pixels) for i, pixels in enumerate(pictures)],
        crop=crop,
        title="t",
        caption="c",
    )
    path = tmp_path / "panel.png"
    figure.savefig(path)
    drawn = np.asarray(Image.open(path).convert("RGB"))
    axes = [axes for axes in figure.axes if len(axes.patches) == 0]
    assert len(axes) == count
    for pixels, place in zip(pictures, axes, strict=True):
        box = place.get_position()
        top, left = round((1 - box.y1) * drawn.shape[0]), round(box.x0 * drawn.shape[1])
        times = round(box.width * drawn.shape[1]) // 16
        assert times >= 8
        middle = drawn[top + times // 2 :: times, left + times // 2 :: times][:16, :16]
        assert (middle == crop.of(pixels)).all()


def test_all_names_of_a_panel_are_of_one_size_and_none_is_wider_than_its_crop() -> None:
    names = ["a", "srcnn/pixel_shuffle_residual_leaky_relu", "srresnet/transfer_no_batch_norm", "M" * 60]
    pixels = planted(30, 40, seed=1)
    crop = most_different_crop([pixels, planted(30, 40, seed=2)], side=16)
    figure = draw_panel(
        [Shown(name=name, pixels=pixels) for name in names], crop=crop, title="t", caption="c"
    )
    drawn = {text.get_text().replace("\n", ""): text for text in texts(figure)}
    assert len({drawn[name].get_fontsize() for name in names}) == 1
    crops = [axes for axes in figure.axes if len(axes.patches) == 0]
    for name, axes in zip(names[:3], crops, strict=False):
        written, place = drawn[name].get_window_extent(), axes.get_window_extent()
        assert written.x1 <= place.x1
        assert written.y0 >= place.y1


def test_a_panel_of_few_pictures_is_as_wide_as_its_caption() -> None:
    caption = "The original is not shown: " + "data set set5 is not in /root/.local/share/srlab, get it " * 5
    pixels = planted(30, 40, seed=1)
    crop = most_different_crop([pixels, planted(30, 40, seed=2)], side=16)
    figure = draw_panel([Shown(name="a", pixels=pixels)] * 2, crop=crop, title="t", caption=caption)
    (line,) = [text for text in texts(figure) if text.get_text() == caption]
    assert line.get_window_extent().x1 < figure.bbox.x1


def test_a_long_name_is_broken_between_its_words_into_lines_about_equally_long() -> None:
    assert wrapped("short", 27) == "short"
    assert (
        wrapped("srcnn/pixel_shuffle_residual_leaky_relu", 27) == "srcnn/pixel_shuffle_\nresidual_leaky_relu"
    )
    assert wrapped("abcdefgh_ij", 10) == "abcdefgh_\nij"
    assert wrapped("abcdefghij", 4) == "abcd\nefgh\nij"


@pytest.mark.parametrize("count", range(1, 9))
@pytest.mark.parametrize("whole", [(300, 451), (256, 256), (480, 320)])
def test_a_panel_leaves_little_empty_and_has_a_place_for_every_crop(
    count: int, whole: tuple[int, int]
) -> None:
    grid = arrange(count, whole, cell=384, above=62)
    assert len(grid.free()) in (count, count + 1)
    places = grid.rows * grid.columns * 384**2
    assert (count * 384**2 + grid.whole_height * grid.whole_width) / places > 0.8


def test_a_whole_study(tmp_path: Path) -> None:
    runs = [MadeRun(variant=f"net/{name}", psnr_y=30 + i) for i, name in enumerate("abcdefgh")]
    runs += [
        MadeRun(variant="net/h", psnr_y=20.0, learning_rate=0.1),
        MadeRun(variant="net/lost", status="diverged"),
    ]
    runs += [MadeRun(variant="net/late", status="not started")]
    study = MadeStudy(
        runs=runs,
        scenes={"five": {"one": scene(), "two": scene(seed=1)}, "six": {"three": scene(60, 41, seed=2)}},
    ).write(tmp_path)
    paths = write_pictures(study)
    folder = study / "pictures"
    assert paths == [
        folder / name
        for name in ("scores.png", "scores.svg", "curves.png", "panel-five.png", "panel-six.png")
    ]
    assert sorted(path.name for path in folder.iterdir()) == sorted(path.name for path in paths)
    for path in paths:
        if path.suffix == ".png":
            with Image.open(path) as image:
                image.load()
                assert min(image.size) > 200
    text = saved_words(folder / "scores.svg")
    for word in ("net/a", "diverged", "missing", "validation", "last step", str(EvaluationProtocol())):
        assert word in text


def test_the_same_scores_give_the_same_files(tmp_path: Path) -> None:
    study = MadeStudy(runs=[MadeRun(variant="net/a", psnr_y=30)]).write(tmp_path)
    first = [path.read_bytes() for path in write_pictures(study)]
    assert first == [path.read_bytes() for path in write_pictures(study)]


@pytest.mark.parametrize(
    "runs",
    [
        [MadeRun(variant="net/a", psnr_y=30)],
        [MadeRun(variant="net/a", status="diverged")],
        [MadeRun(variant="net/a", status="failed"), MadeRun(variant="net/b", status="started")],
    ],
    ids=["one run", "diverged", "none finished"],
)
@pytest.mark.parametrize("has_baseline", [True, False])
def test_bars_are_drawn_of_whatever_there_is(tmp_path: Path, runs: list[MadeRun], has_baseline: bool) -> None:
    study = MadeStudy(runs=runs, has_baseline=has_baseline).write(tmp_path)
    assert [path.name for path in write_pictures(study)] == ["scores.png", "scores.svg", "curves.png"]


def test_one_variant_is_compared_with_bicubic(tmp_path: Path) -> None:
    study = MadeStudy(runs=[MadeRun(variant="net/a", psnr_y=30)], scenes={"five": {"one": scene()}}).write(
        tmp_path
    )
    assert write_pictures(study)[-1].name == "panel-five.png"


def size_of(path: Path) -> tuple[int, int]:
    with Image.open(path) as image:
        return image.size


def test_a_panel_without_the_originals_says_so_and_is_still_drawn(tmp_path: Path) -> None:
    study = MadeStudy(
        runs=[MadeRun(variant="net/a", psnr_y=30), MadeRun(variant="net/b", psnr_y=31)],
        scenes={"five": {"one": scene()}},
    ).write(tmp_path)
    whole = size_of(write_pictures(study)[-1])
    (tmp_path / "data" / "five" / "one.png").unlink()
    without = size_of(write_pictures(study)[-1])
    assert without[0] < whole[0]


def test_scores_of_another_protocol_are_not_drawn(tmp_path: Path) -> None:
    runs = [MadeRun(variant="net/a", psnr_y=30), MadeRun(variant="net/b", psnr_y=31)]
    scenes = {"five": {"one": scene()}}
    study = MadeStudy(runs=runs, scenes=scenes).write(tmp_path)
    other = MadeStudy(runs=runs, scenes=scenes, protocol=EvaluationProtocol(color="luma")).write(
        tmp_path / "other"
    )
    (other / "study.json").write_bytes((study / "study.json").read_bytes())
    assert [path.name for path in write_pictures(other)] == ["scores.png", "scores.svg", "curves.png"]
    assert "no scores under this protocol" in saved_words(other / "pictures" / "scores.svg")


def test_what_is_no_study_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no study\.json"):
        write_pictures(tmp_path)
