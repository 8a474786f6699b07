"""What `srlab.notebook` promises: a study shown in place, in a notebook and nowhere else."""

import io
import re
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from made_study import MadeRun, MadeStudy, scene
from srlab import notebook
from srlab.errors import UserError
from srlab.folder.records import logged_lines, logged_values
from srlab.show.draw.crop import Crop
from srlab.show.draw.curves import Line, Panel, draw_training
from srlab.show.draw.panel import NARROW_DPI, Shown, draw_narrow
from srlab.show.draw.patches import draw_pairs
from tiny_study import QUESTION, tiny_study


class Page:
    """What a notebook shows, instead of one: a list of media bundles, each replaced as it is updated."""

    def __init__(self) -> None:
        self.shown: list[dict[str, str]] = []
        self.updates = 0

    def display(self, bundle: dict[str, str], **_: Any) -> "Place":
        self.shown.append(bundle)
        return Place(self, len(self.shown) - 1)

    @property
    def words(self) -> list[str]:
        return [bundle["text/plain"] for bundle in self.shown]

    def picture(self, index: int) -> Image.Image:
        return Image.open(io.BytesIO(b64decode(self.shown[index]["image/png"])))


class Place:
    def __init__(self, page: Page, index: int) -> None:
        self.page, self.index = page, index

    def update(self, bundle: dict[str, str], **_: Any) -> None:
        self.page.shown[self.index] = bundle
        self.page.updates += 1


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> Page:
    found = Page()
    monkeypatch.setattr("IPython.get_ipython", lambda: found)
    monkeypatch.setattr("IPython.display.display", found.display)
    return found


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.texts]


def test_a_study_is_run_with_one_picture_that_grows_and_ends_with_all_runs(
    page: Page, tmp_path: Path
) -> None:
    study = tiny_study(tmp_path / "data")
    notebook.run_study(study, tmp_path / "study", question=QUESTION, threads=1)
    assert len(page.shown) == 1
    assert page.updates >= 1
    assert page.words[0].startswith("4 of 4 runs finished, ")
    notebook.show_leaderboard(tmp_path / "study")
    assert "| bicubic |" in page.shown[1]["text/markdown"]
    assert page.shown[1]["text/markdown"].startswith(f"#### tiny: {QUESTION}")
    notebook.show_pictures(tmp_path / "study")
    assert re.fullmatch(r"tiny, x2: [01] of set", page.words[2])


def test_a_finished_study_is_not_run_again(page: Page, tmp_path: Path) -> None:
    study = tiny_study(tmp_path / "data", learning_rates=(1e-3,))
    notebook.run_study(study, tmp_path / "study", question=QUESTION, threads=1)
    weights = sorted((tmp_path / "study").rglob("weights.safetensors"))
    times = [path.stat().st_mtime_ns for path in weights]
    notebook.run_study(study, tmp_path / "study", question=QUESTION, threads=1)
    assert len(times) == 2
    assert [path.stat().st_mtime_ns for path in weights] == times
    assert page.words[1].startswith("2 of 2 runs finished")


@pytest.mark.usefixtures("page")
def test_a_changed_study_is_refused_before_anything_is_trained(tmp_path: Path) -> None:
    study = tiny_study(tmp_path / "data", learning_rates=(1e-3,))
    notebook.run_study(study, tmp_path / "study", question=QUESTION, threads=1)
    with pytest.raises(UserError, match="number of steps"):
        notebook.run_study(study.with_steps(5), tmp_path / "study", question=QUESTION, threads=1)


def test_a_run_that_fails_is_an_error_when_the_others_have_ended(
    page: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise UserError("no luck")

    study = tiny_study(tmp_path / "data", learning_rates=(1e-3,))
    monkeypatch.setattr("srlab.lab.execution.train", fail)
    with pytest.raises(UserError, match=r"tiny-edsr-lr0\.001-seed0 failed: no luck"):
        notebook.run_study(study, tmp_path / "study", question=QUESTION, threads=1)
    assert page.words[0].startswith("0 of 2 runs finished")


def test_a_study_asks_something(page: Page, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="question mark"):
        notebook.run_study(tiny_study(tmp_path / "data"), tmp_path / "study", question="SRCNN")
    assert page.shown == []


def test_data_are_the_patches_of_the_first_step(page: Page, tmp_path: Path) -> None:
    notebook.show_data(tiny_study(tmp_path / "data"), count=2)
    assert page.words == ["LR and HR patches"]
    assert page.picture(0).format == "PNG"


def test_a_network_is_shown_as_a_table_and_drawn(page: Page, tmp_path: Path) -> None:
    notebook.show_network(tiny_study(tmp_path / "data"), "edsr")
    assert page.words[0].startswith("EDSR x2, rgb")
    assert page.words[1] == "tiny/edsr, drawn"
    assert page.picture(1).width > 100
    with pytest.raises(UserError, match="has no variant 'srgan'"):
        notebook.show_network(tiny_study(tmp_path / "data"), "srgan")


def test_outside_a_notebook_there_is_an_error_that_says_what_to_use(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="use `srlab study`"):
        notebook.show_network(tiny_study(tmp_path / "data"), "edsr")


@pytest.mark.usefixtures("page")
def test_pictures_that_are_not_there_yet_are_an_error(tmp_path: Path) -> None:
    made = MadeStudy(runs=[MadeRun(variant="srcnn/vanilla", psnr_y=30.0)]).write(tmp_path)
    with pytest.raises(UserError, match=r"no variant of .* has test pictures yet"):
        notebook.show_pictures(made)


def test_what_a_run_logged_is_read_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "metrics.jsonl").write_text('{"step": 1, "loss": 0.5}\n{"step": 2, "loss": null}\n{"st')
    assert logged_values(logged_lines(tmp_path), "loss") == ((1, 0.5),)
    assert logged_values(logged_lines(tmp_path), "psnr_y") == ()


def line(label: str, variant: int, *values: float, dashes: int = 0) -> Line:
    return Line(label=label, number=variant, points=tuple(enumerate(values, start=1)), dashes=dashes)


def test_a_variant_has_a_color_and_its_rates_have_dashes() -> None:
    lines = (
        line("a, rate 0.1", 0, 1.0, 2.0),
        line("a, rate 0.1", 0, 1.5, 2.5),
        line("a, rate 0.01", 0, 1.2, 2.2, dashes=1),
        line("b, rate 0.1", 1, 1.1, 2.1),
    )
    figure = draw_training([Panel(title="t", lines=lines)], title="study", status="running")
    first, second, third, fourth = figure.axes[0].lines
    assert first.get_color() == second.get_color() == third.get_color() != fourth.get_color()
    assert first.get_linestyle() == second.get_linestyle() != third.get_linestyle()
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["a, rate 0.1", "a, rate 0.01", "b, rate 0.1"]
    assert texts(figure) == ["study", "running"]


def test_losses_are_drawn_by_magnitude_and_scores_beside_bicubic() -> None:
    panels = [
        Panel(title="loss", lines=(line("a", 0, 0.1, 0.001),), is_loss=True),
        Panel(title="psnr_y", lines=(line("a", 0, 5.0, 29.0),), bicubic=30.0),
    ]
    loss, score = draw_training(panels, title="t", status="s").axes
    assert loss.get_yscale() == "log"
    assert score.get_ylim()[0] == 18.0  # a start far below does not flatten the rest
    assert [text.get_text() for text in score.texts] == ["bicubic 30.00"]


@pytest.mark.parametrize(
    "panels", [[Panel(title="t", lines=())], [Panel(title="t", lines=(line("a", 0, 0.0),))]]
)
def test_before_anything_is_logged_the_picture_is_empty(panels: list[Panel]) -> None:
    draw_training(panels, title="t", status="s").draw_without_rendering()


def boxes(figure: Figure) -> Iterator[tuple[float, float, float, float]]:
    """Left, top, width and height of each picture in a figure, in pixels."""
    width, height = figure.get_size_inches() * figure.dpi
    for axes in figure.axes:
        box = axes.get_position()
        yield box.x0 * width, (1 - box.y1) * height, box.width * width, box.height * height


@pytest.mark.parametrize("count", [2, 7])
def test_crops_are_shown_pixel_by_pixel_on_a_narrow_page(count: int) -> None:
    pixels = scene(90, 120)
    shown = tuple(
        Shown(name=f"srcnn/a_rather_long_name_{n}", pixels=pixels, note="psnr_y") for n in range(count)
    )
    crop = Crop(top=10, left=20, side=64, spread=1.0)
    figure = draw_narrow(shown, crop=crop, title="t")
    whole, *crops = boxes(figure)
    assert len(crops) == count
    assert whole[2:] == pytest.approx((256, 192), abs=1e-6)
    for box in crops:
        assert list(box) == pytest.approx([round(value) for value in box], abs=1e-6)
        assert box[2:] == pytest.approx((4 * 64, 4 * 64))
    assert figure.get_size_inches()[0] * NARROW_DPI < 900
    for axes in figure.axes[1:]:
        assert np.array_equal(np.asarray(axes.images[0].get_array()), crop.of(pixels))
        assert axes.images[0].get_interpolation() == "nearest"
    figure.draw_without_rendering()
    edges = [text.get_window_extent().x1 for text in figure.texts]
    assert max(edges) <= figure.get_size_inches()[0] * NARROW_DPI


@pytest.mark.parametrize("channels", [1, 3])
def test_pairs_stand_one_above_the_other(channels: int) -> None:
    rng = np.random.default_rng(0)
    lr, hr = rng.random((3, 8, 8, channels)), rng.random((3, 16, 16, channels))
    figure = draw_pairs(lr, hr, title="t", caption="c")
    found = list(boxes(figure))
    assert len(found) == 6
    assert [box[0] for box in found[:3]] == pytest.approx([box[0] for box in found[3:]])
    assert found[0][1] < found[3][1]
    assert {"LR", "8 x 8", "HR", "16 x 16"} <= set(texts(figure))


def test_a_gan_has_a_panel_for_its_discriminator(tmp_path: Path) -> None:
    made = MadeStudy(runs=[MadeRun(variant="a"), MadeRun(variant="b", learning_rate=0.1)]).write(tmp_path)
    log = '{"step": 1, "loss": 0.5, "discriminator_real": 0.9, "discriminator_fake": 0.1}\n'
    for run in ("a-lr0.001-seed0", "b-lr0.1-seed0"):
        (made / run).mkdir(exist_ok=True)
        (made / run / "metrics.jsonl").write_text(log)
    *_, judged = notebook._panels(made)
    assert [line.label for line in judged.lines] == ["a, on HR", "b, on HR", "a, on SR", "b, on SR"]
    assert replace(judged, lines=()).title == "discriminator: share taken for HR"
