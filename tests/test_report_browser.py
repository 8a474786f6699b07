"""What the report's page promises whoever reads it, tried in a real Chromium: offline, from the disk."""

import base64
import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect

from browser import chromium, opened
from report_study import THREE, Made, ReportStudy
from srlab.show.draw.crop import luma
from srlab.show.report import write_report
from srlab.verdicts import Table, judge
from srlab.verdicts.family import holm

__all__ = ["chromium"]  # the browser, opened once

HOSTILE = "<img src=x onerror=\"document.title='broken into'\">"
CLOSE = Made(name="srcnn/close", gain=1.78, options={"kernel_sizes": [9, 5, 5]}, parameters=500)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return ReportStudy(
        variants=(*THREE, CLOSE), question=f"Does a skip help {HOSTILE}?", notes={"five": HOSTILE}
    ).write(tmp_path_factory.mktemp("study"))


@pytest.fixture(scope="module")
def report(study: Path) -> Path:
    return write_report(study, study.parent / "page.html")[0]


@pytest.fixture
def page(chromium: Browser, report: Path) -> Iterator[Page]:
    """The page, opened from the disk without a network; what it complains of or asks for fails the test."""
    yield from opened(chromium, report.as_uri(), offline=True)


def board(page: Page) -> Locator:
    return page.locator("#leaderboard .switch:visible table")


def column(page: Page, key: str) -> list[str]:
    return (
        board(page)
        .locator(f"tbody tr:visible [data-key={key}]")
        .evaluate_all("all => all.map(one => one.dataset.value ?? '')")
    )


def sort_by(page: Page, key: str) -> None:
    board(page).locator(f"th[data-key={key}] button").click()


def image_boxes(page: Page) -> list[dict[str, float]]:
    """Where the pictures stand in their windows: left, top and width, in shares of the window."""
    return page.locator(".scene:visible .pane:visible .window").evaluate_all(
        """all => all.map(one => {
            const [outer, inner] = [one, one.querySelector('img')].map(part => part.getBoundingClientRect());
            const share = (x) => Math.round(1000 * x / outer.width) / 1000;
            const [left, top] = [inner.left - outer.left, inner.top - outer.top];
            return { left: share(left), top: share(top), width: share(inner.width) };
        })"""
    )


def decoded(uri: str) -> NDArray[np.uint8]:
    """The pixels of a picture in the page."""
    data = base64.b64decode(uri.partition(",")[2])
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def test_a_heading_sorts_best_first_then_the_other_way_and_the_unknown_stays_last(page: Page) -> None:
    sort_by(page, "parameters")
    assert column(page, "parameters") == ["500", "2000", "2100", "4000", ""]
    assert board(page).locator("th[data-key=parameters]").get_attribute("aria-sort") == "ascending"
    sort_by(page, "parameters")
    assert column(page, "parameters") == ["4000", "2100", "2000", "500", ""]
    sort_by(page, "psnr_y")
    values = [float(value) for value in column(page, "psnr_y")]
    assert values == sorted(values, reverse=True)
    assert board(page).locator("th[aria-sort]").count() == 1


def test_every_test_set_and_metric_has_its_own_table(page: Page) -> None:
    seen = set()
    for scope in page.locator("#scope option").all_inner_texts():
        for metric in page.locator("#metric option").all_inner_texts():
            page.locator("#scope").select_option(scope)
            page.locator("#metric").select_option(metric)
            assert page.locator("#leaderboard .switch:visible").count() == 1
            assert metric in board(page).locator("thead").inner_text()
            assert page.locator("#effects .switch:visible").count() >= 1
            seen.add(board(page).get_attribute("id"))
    assert len(seen) == 3 * 2


@pytest.mark.parametrize("hidden", [["srcnn/close"], ["srcnn/skip", "srcnn/leaky"]])
def test_hiding_a_variant_ranks_the_others_anew_as_the_library_does(
    page: Page, study: Path, hidden: list[str]
) -> None:
    for name in hidden:
        page.locator(".chip", has_text=name.removeprefix("srcnn/")).click()
    left = [name for name in judge(study).variants if name not in hidden]
    table = judge(study, variants=left).table()
    assert table is not None
    expected = {row.variant: str(row.rank.best) for row in table.rows if row.rank is not None}
    shown = dict(zip(column(page, "variant"), column(page, "rank"), strict=True))
    assert {name: rank for name, rank in shown.items() if rank} == expected
    assert places_shown(page) == places_of(table)
    assert f"{len(left)} of 4 variants are shown" in page.locator("#filter-status").inner_text()
    assert page.locator(".card:visible").count() == len(left)
    page.get_by_role("button", name="Show all").click()
    assert len(column(page, "variant")) == 5


def places_shown(page: Page) -> list[str]:
    """The text of each rank, of bicubic none."""
    texts = board(page).locator("tbody tr:visible [data-key=rank]").all_inner_texts()
    return [text for text in texts if text[0].isdigit()]


def places_of(table: Table) -> list[str]:
    ranks = [row.rank for row in table.rows if row.rank is not None]
    return [str(one.best) if one.best == one.worst else f"{one.best}-{one.worst}" for one in ranks]


def test_a_rank_names_every_place_that_the_data_allow(page: Page, study: Path) -> None:
    table = judge(study).table()
    assert table is not None
    assert any("-" in text for text in places_of(table))
    assert places_shown(page) == places_of(table)
    page.locator(".chip", has_text="close").click()
    page.get_by_role("button", name="Show all").click()
    assert places_shown(page) == places_of(table)


def test_variants_are_filtered_by_name(page: Page) -> None:
    page.get_by_label("Filter by name").fill("skip")
    assert column(page, "variant") == ["srcnn/skip", "bicubic"]
    assert page.locator(".scene:visible .pane:visible").count() == 3


def test_a_line_separates_ranks_and_nothing_else(page: Page) -> None:
    ranks = column(page, "rank")
    lines = (
        board(page)
        .locator("tbody tr")
        .evaluate_all("all => all.map(one => one.classList.contains('new-group'))")
    )
    expected = [i > 0 and rank != "" and rank != ranks[i - 1] for i, rank in enumerate(ranks)]
    assert lines == expected
    assert any(lines)


def test_all_pictures_zoom_and_move_together(page: Page) -> None:
    before = image_boxes(page)
    assert len(before) == 6
    assert {box["width"] for box in before} == {1.0}
    page.get_by_role("button", name="Zoom in").click()
    zoomed = image_boxes(page)
    assert {tuple(box.values()) for box in zoomed} == {(-0.25, -0.25, 1.5)}
    window = page.locator(".scene:visible .window").nth(1)
    box = window.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 20, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + 20 + 0.1 * box["width"], box["y"] + 20, steps=3)
    page.mouse.up()
    moved = {tuple(round(value, 2) for value in one.values()) for one in image_boxes(page)}
    assert moved == {(-0.15, -0.25, 1.5)}
    page.get_by_role("button", name="Fit").click()
    assert image_boxes(page) == before


def test_the_wheel_scrolls_the_page_and_with_ctrl_zooms_at_the_pointer(page: Page) -> None:
    window = page.locator(".scene:visible .window").first
    window.hover(position={"x": 4, "y": 4})
    page.keyboard.down("Control")
    page.mouse.wheel(0, -200)
    page.keyboard.up("Control")
    expect(page.locator("#zoom-level")).not_to_have_text("1 \N{MULTIPLICATION SIGN}")
    boxes = image_boxes(page)
    assert len({tuple(box.values()) for box in boxes}) == 1
    assert boxes[0]["left"] == pytest.approx(0, abs=0.04)  # the corner under the pointer stayed


def test_the_pictures_are_moved_with_the_keyboard(page: Page) -> None:
    page.locator(".scene:visible .panes").focus()
    page.keyboard.press("+")
    page.keyboard.press("ArrowRight")
    assert {tuple(box.values()) for box in image_boxes(page)} == {(-0.37, -0.25, 1.5)}
    for _ in range(9):
        page.keyboard.press("ArrowRight")
    assert {tuple(box.values()) for box in image_boxes(page)} == {(-0.5, -0.25, 1.5)}  # never beyond the edge
    page.keyboard.press("0")
    assert {tuple(box.values()) for box in image_boxes(page)} == {(0, 0, 1)}


def test_another_scene_is_chosen_with_the_keyboard(page: Page) -> None:
    first = page.locator(".scene:visible .panes").get_attribute("aria-label")
    page.locator("input[name=scene]").first.focus()
    page.keyboard.press("ArrowRight")
    assert page.locator(".scene:visible").count() == 1
    assert page.locator(".scene:visible .panes").get_attribute("aria-label") != first


def test_the_slider_shows_any_two_and_follows_the_keyboard(page: Page) -> None:
    page.get_by_label("slider", exact=True).check()
    page.locator("#slider-left").select_option("original")
    page.locator("#slider-right").select_option("srcnn/leaky")
    under, over = page.locator(".slider .under"), page.locator(".slider .over img")
    expected = {
        pane.get_attribute("data-label"): pane.locator("img").get_attribute("src")
        for pane in page.locator(".scene").first.locator(".pane").all()
    }
    assert under.get_attribute("src") == expected["original"]
    assert over.get_attribute("src") == expected["srcnn/leaky"]
    page.locator("#split").focus()
    for _ in range(20):
        page.keyboard.press("ArrowLeft")
    clip = page.locator(".slider .over").evaluate("one => getComputedStyle(one).clipPath")
    assert clip == "inset(0px 0px 0px 30%)"


def test_error_maps_are_the_distance_from_the_original(page: Page) -> None:
    page.get_by_label("error maps").check()
    expect(page.locator(".scene:visible canvas:visible")).to_have_count(5)
    notes = {
        pane.get_attribute("data-label"): pane.locator(".error-note").inner_text()
        for pane in page.locator(".scene:visible .pane").all()
        if pane.locator("canvas").count()
    }
    pixels = {
        pane.get_attribute("data-label"): decoded(pane.locator("img").get_attribute("src") or "")
        for pane in page.locator(".scene:visible .pane").all()
    }
    errors = {name: np.abs(luma(sr) - luma(pixels["original"])).mean() for name, sr in pixels.items()}
    assert notes == {
        name: f"mean difference {error:.2f} levels" for name, error in errors.items() if name != "original"
    }
    page.locator("#error-reference").select_option("bicubic")
    expect(page.locator(".scene:visible .pane[data-label=original] canvas")).to_be_visible()


def test_ranks_are_corrected_for_the_pairs_shown_and_for_no_more(page: Page) -> None:
    pairs = [[0, 1, 0.02], [0, 2, 0.03], [1, 2, 0.9]]
    best = """([shown, pairs]) => [...ranksAmong(new Set(shown), pairs).best.values()]"""
    assert page.evaluate(best, [[0, 1, 2], pairs]) == [1, 1, 1]
    assert page.evaluate(best, [[0, 1], pairs]) == [1, 2]
    assert page.evaluate(best, [[0, 1, 2], [[0, 1, 0.02], [0, 2, None], [1, 2, None]]]) == [1, 2, 1]
    p_values = [float(p) for p in np.random.default_rng(0).uniform(0, 0.2, 10)]
    corrected = page.evaluate("all => holm(all.map((p, i) => [i, 0, p]), 5).map(one => one.p)", p_values)
    assert corrected == pytest.approx(sorted(p for p in holm(p_values, all_pairs_of=5) if p is not None))


def test_hostile_words_are_shown_as_they_are(page: Page) -> None:
    assert HOSTILE in page.locator("h1").inner_text()
    assert page.title() != "broken into"
    assert page.locator("img[src=x]").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_theme_is_the_systems_until_the_reader_chooses(
    chromium: Browser, report: Path, scheme: str
) -> None:
    grounds = {}
    for page in opened(chromium, report.as_uri(), offline=True, color_scheme=scheme):
        for theme in ("auto", "light", "dark"):
            page.locator("#theme").select_option(theme)
            grounds[theme] = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert grounds["light"] != grounds["dark"]
    assert grounds["auto"] == grounds[scheme]


@pytest.mark.parametrize("width", [320, 390, 900, 1600])
def test_no_width_makes_the_page_scroll_sideways(chromium: Browser, report: Path, width: int) -> None:
    for page in opened(chromium, report.as_uri(), offline=True, viewport={"width": width, "height": 800}):
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        is_narrow = width < 840
        assert page.locator(".plot .narrow:visible").count() == (
            page.locator(".plot:visible").count() if is_narrow else 0
        )


def test_without_scripts_every_table_is_there(chromium: Browser, report: Path) -> None:
    for page in opened(chromium, report.as_uri(), offline=True, java_script_enabled=False):
        assert page.locator("#leaderboard table:visible").count() == 6
        assert page.locator(".tools:visible").count() == 0


def test_in_print_controls_are_gone_and_the_ground_is_white(page: Page) -> None:
    page.emulate_media(media="print", color_scheme="dark")
    assert page.locator(".bar:visible, .tools:visible, .filter:visible").count() == 0
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.locator("#leaderboard table:visible").count() == 1


def test_everything_that_is_clicked_can_be_reached_by_tab_and_has_a_name(page: Page) -> None:
    nameless = page.locator("button, select, input, a").evaluate_all(
        """all => all
            .filter(one => !(one.textContent.trim() || one.ariaLabel || one.labels?.length))
            .map(one => one.outerHTML)"""
    )
    assert nameless == []
    unreachable = page.locator("button, select, input, a").evaluate_all(
        "all => all.filter(one => one.tabIndex < 0).length"
    )
    assert unreachable == 0
    for drawing in page.locator(".plot svg").all()[:4]:
        title = drawing.locator("title").first
        assert drawing.get_attribute("role") == "img"
        assert (title.get_attribute("id") or "?") in (drawing.get_attribute("aria-labelledby") or "")
