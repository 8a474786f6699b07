"""What the page promises of pictures and tables at any width: no word is crossed, cut off or left out."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from browser import chromium, opened
from report_study import THREE, Made, ReportStudy
from srlab.show.draw.curves import spread
from srlab.show.grid.files import as_csv
from srlab.show.report import gather, write_report
from srlab.verdicts import BICUBIC
from srlab.words import MINUS, true_minus

__all__ = ["chromium"]  # the browser, opened once

WORSE = Made(name="srcnn/worse", gain=-0.6, options={"activation": "leaky_relu:0.1"})
LONG = Made(
    name="srcnn/with_a_name_that_takes_more_than_a_line", gain=0.2, options={"activation": "prelu:0.25"}
)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five variants, one of them worse than bicubic, by three seeds."""
    made = ReportStudy(variants=(*THREE, WORSE, LONG), has_pictures=False, metrics=("psnr_y",))
    return made.write(tmp_path_factory.mktemp("page"))


@pytest.fixture(scope="module")
def report(study: Path) -> Path:
    return write_report(study, study.parent / "page.html")[0]


@pytest.fixture(scope="module")
def one_image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One image, one rate, one seed, one network that is far below bicubic."""
    made = ReportStudy(
        variants=(Made(name="srcnn/bad", gain=-7.0),), sets={"one": ("a",)}, seeds=(0,), rates=(1e-3,)
    )
    study = made.write(tmp_path_factory.mktemp("one"))
    return write_report(study, study.parent / "page.html")[0]


def at(chromium: Browser, report: Path, width: int, **options: Any) -> Iterator[Page]:
    yield from opened(
        chromium, report.as_uri(), offline=True, viewport={"width": width, "height": 900}, **options
    )


OUTSIDE = """all => all.flatMap(svg => {
    const page = svg.getBoundingClientRect();
    return [...svg.querySelectorAll('text')].filter(text => {
        const box = text.getBoundingClientRect();
        return box.left < page.left - 1 || box.right > page.right + 1
            || box.top < page.top - 1 || box.bottom > page.bottom + 1;
    }).map(text => text.textContent);
})"""
CROSSED = """all => all.flatMap(svg => {
    const uprights = [...svg.querySelectorAll('path')].map(path => path.getBoundingClientRect())
        .filter(box => box.width < 3 && box.height > 9);
    return [...svg.querySelectorAll('text')].filter(text => {
        const word = text.getBoundingClientRect();
        return uprights.some(line => line.left > word.left && line.right < word.right
            && line.top < word.bottom - 2 && line.bottom > word.top + 2);
    }).map(text => text.textContent);
})"""
TOP_AND_BOTTOM = """all => all.map(one => one.querySelector('text').getBoundingClientRect())
    .map(box => [box.top, box.bottom])"""
SMALLEST = """all => Math.min(...all.flatMap(svg => [...svg.querySelectorAll('text')].map(
    text => parseFloat(getComputedStyle(text).fontSize) * svg.getBoundingClientRect().width
        / svg.viewBox.baseVal.width)))"""


@pytest.mark.parametrize("width", [360, 500, 1280])
def test_no_line_of_a_forest_crosses_its_words_and_all_are_large_enough(
    chromium: Browser, report: Path, width: int
) -> None:
    for page in at(chromium, report, width):
        forests = page.locator("#effects .plot svg:visible")
        assert forests.count() == 2
        assert forests.evaluate_all(CROSSED) == []
        assert forests.evaluate_all(OUTSIDE) == []
        assert forests.evaluate_all(SMALLEST) >= 10


@pytest.mark.parametrize("width", [360, 1280])
def test_bicubic_far_beyond_the_axis_is_told_within_the_plot(
    chromium: Browser, one_image: Path, width: int
) -> None:
    for page in at(chromium, one_image, width):
        plots = page.locator("#training .plot svg:visible")
        assert plots.evaluate_all(OUTSIDE) == []
        assert plots.last.get_by_text("bicubic 27.00 ↑").count() == 1


@pytest.mark.parametrize("width", [360, 1280])
def test_a_table_that_is_wider_than_the_page_says_so_and_only_then(
    chromium: Browser, report: Path, width: int
) -> None:
    for page in at(chromium, report, width):
        regions = page.locator(".scroll:visible")
        found = regions.evaluate_all(
            """all => all.map(one => [
                one.scrollWidth > one.clientWidth + 1,
                one.previousElementSibling.matches('.sideways:not([hidden])'),
                one.ariaDescription !== null,
                one.tabIndex,
            ])"""
        )
        assert all(is_wider == is_told == is_described for is_wider, is_told, is_described, _ in found)
        assert any(is_wider for is_wider, *_ in found) == (width == 360)
        assert {tab for *_, tab in found} == {0}
        assert "gradient" in regions.first.evaluate("one => getComputedStyle(one).backgroundImage")


def test_each_curve_ends_at_its_seed_and_tells_its_name(chromium: Browser, report: Path) -> None:
    for page in at(chromium, report, 1280):
        plot = page.locator("#training .plot svg:visible").first
        labels = plot.locator("g[data-seed]:has(text)")
        seeds = labels.evaluate_all("all => all.map(one => one.querySelector('text').textContent)")
        assert sorted(seeds) == ["0"] * 5 + ["1"] * 5 + ["2"] * 5
        boxes = sorted(labels.evaluate_all(TOP_AND_BOTTOM))
        assert all(below[0] >= above[1] - 3 for above, below in pairwise(boxes))
        names = set(plot.locator("[data-seed] > title").all_text_contents())
        assert "srcnn/skip, seed 2" in names
        assert len(names) == 15


def test_a_variant_that_is_hidden_takes_its_seeds_with_it(chromium: Browser, report: Path) -> None:
    for page in at(chromium, report, 1280):
        page.locator(".chip", has_text="worse").click()
        labels = page.locator("#training .plot svg:visible").first.locator("g[data-seed]:has(text):visible")
        assert labels.count() == 12


def test_negative_numbers_have_a_true_minus_in_the_page_and_a_hyphen_in_its_csv(
    chromium: Browser, report: Path, study: Path
) -> None:
    for page in at(chromium, report, 1280):
        words = page.locator("main").inner_text()
        assert f"{MINUS}0.6" in words
        assert true_minus(words) == words
        drawn = page.locator(".plot svg text").all_text_contents()
        assert [text for text in drawn if true_minus(text) != text] == []
    text = as_csv(gather(study).leaderboards["all sets", "psnr_y"])
    assert MINUS not in text
    assert ",-0." in text


def test_who_did_not_beat_bicubic_is_said_in_one_word_everywhere(chromium: Browser, report: Path) -> None:
    for page in at(chromium, report, 1280):
        answer = page.locator("#answer").inner_text()
        assert "Not above bicubic by its mean: srcnn/worse." in answer
        assert "srcnn/worse: mean not above bicubic's on five, six" in answer
        assert (
            "A variant's score that does not beat bicubic has another color."
            in page.locator("#images").inner_text()
        )
        cells = page.locator("#images .switch:visible tbody td[data-key='srcnn/worse']")
        assert cells.count() == 7
        for cell in cells.all():
            assert cell.get_attribute("title") == "did not beat bicubic"
            assert "warning" in (cell.get_attribute("class") or "")


def test_the_best_score_of_an_image_is_bicubics_where_no_variant_beats_it(tmp_path: Path) -> None:
    bad = tuple(Made(name=f"srcnn/{name}", gain=gain) for name, gain in (("a", -1.0), ("b", -2.0)))
    contents = gather(ReportStudy(variants=bad, has_pictures=False).write(tmp_path))
    grid = contents.images["psnr_y"]
    keys = [column.key for column in grid.columns]
    for row in grid.rows:
        assert [key for key, cell in zip(keys, row.cells, strict=True) if cell.tone == "better"] == [BICUBIC]
    board = contents.leaderboards["all sets", "psnr_y"]
    assert not any(
        cell.tone == "better" for row in board.rows for cell in row.cells if row.variant is not None
    )
    assert all(
        "No variant beats bicubic" in one.description for one in contents.drawings if one.group == "pareto"
    )


def test_labels_are_spread_no_further_than_it_takes() -> None:
    assert spread([0.1, 0.5], 0.1) == [0.1, 0.5]
    assert spread([0.5, 0.5, 0.5], 0.1) == pytest.approx([0.5, 0.6, 0.7])
    assert spread([0.95, 1.0, 1.0], 0.1) == pytest.approx([0.8, 0.9, 1.0])
