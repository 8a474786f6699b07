"""What the pages of `srlab serve` promise whoever uses them, in a real Chromium: nothing from outside."""

import io
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from browser import chromium, opened
from served import served, study_with_weights
from srlab.serve.limits import Limits
from srlab.serve.running import Ready

__all__ = ["chromium"]  # the browser, opened once

WIDTHS = (360, 1280)
PATIENCE = 60_000  # milliseconds: a machine may be busy, and a study is looked at every few seconds


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return study_with_weights(tmp_path_factory.mktemp("study"))


@pytest.fixture(scope="module")
def server(study: Path) -> Iterator[Ready]:
    with served([study], limits=Limits(max_bytes=100_000)) as ready:
        yield ready


def at(chromium: Browser, server: Ready, path: str = "", *, width: int = 1280) -> Iterator[Page]:
    size = {"width": width, "height": 800}
    yield from opened(
        chromium,
        server.address + path,
        inside=(server.address, "data:"),
        viewport=size,
        has_touch=width < 500,
    )


@pytest.fixture
def page(chromium: Browser, server: Ready) -> Iterator[Page]:
    yield from at(chromium, server)


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("photo") / "my <b>photo.png"
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 256, (20, 30, 3)).astype(np.uint8)).save(path)
    return path


def enlarge(page: Page, photo: Path, *networks: str) -> None:
    """Choose the picture and the networks, and wait for the viewer."""
    page.locator("[name=picture]").set_input_files(photo)
    for name in networks:
        page.get_by_role("checkbox", name=f"{name} ").check()
    page.get_by_role("button", name="Enlarge").click()
    page.locator(".viewer").wait_for(timeout=PATIENCE)  # until the worker has loaded torch


def boxes(page: Page) -> list[list[float]]:
    """Where the pictures stand in their windows, in shares of the window."""
    found: list[list[float]] = page.locator(".pane:visible .window").evaluate_all(
        """all => all.map(one => {
            const [outer, inner] = [one, one.querySelector('img')].map(part => part.getBoundingClientRect());
            const share = (x) => Math.round(100 * x / outer.width) / 100;
            return [share(inner.left - outer.left), share(inner.top - outer.top), share(inner.width)];
        })"""
    )
    return found


@pytest.mark.parametrize("width", WIDTHS)
def test_a_picture_is_seen_beside_bicubic_and_all_zoom_together(
    chromium: Browser, server: Ready, photo: Path, width: int
) -> None:
    for page in at(chromium, server, width=width):
        enlarge(page, photo, "srcnn/pixel_shuffle_residual_leaky_relu")
        expect(page.locator("h1")).to_have_text("my <b>photo.png")
        names = page.locator(".pane:visible strong").all_inner_texts()
        assert names == ["bicubic", "srcnn/skip", "srcnn/pixel_shuffle_residual_leaky_relu"]
        sizes = page.locator(".pane img").evaluate_all("all => all.map(one => one.naturalWidth)")
        assert sizes == [60, 60, 60]
        window = page.locator(".pane .window").first.bounding_box()
        assert window is not None
        assert window["width"] / window["height"] == pytest.approx(1.5, abs=0.02)
        page.get_by_role("button", name="Zoom in").click()
        page.locator(".panes:visible").first.focus()
        page.keyboard.press("ArrowRight")
        first, *others = boxes(page)
        assert first[2] == pytest.approx(1.5)
        assert others == [first, first]
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_slider_divides_two_and_error_maps_show_where_they_differ(page: Page, photo: Path) -> None:
    enlarge(page, photo)
    page.get_by_label("slider").check()
    assert page.locator("#slider-left").input_value() == "bicubic"
    assert page.locator("#slider-right").input_value() == "srcnn/skip"
    page.locator("#split").fill("30")
    clip = page.locator(".over").evaluate("one => getComputedStyle(one).clipPath")
    assert re.match(r"inset\(0(px)? 0(px)? 0(px)? 30%\)", clip)
    page.get_by_label("error maps").check()
    expect(page.locator(".pane canvas:visible")).to_have_count(1)
    expect(page.locator(".error-note:visible")).to_contain_text("mean difference")


def test_downloads_are_what_is_shown(page: Page, photo: Path) -> None:
    enlarge(page, photo)
    with page.expect_download() as started:
        page.locator("#downloads tr", has_text="srcnn/skip").get_by_role("link").click()
    download = started.value
    assert download.suggested_filename == "my-b-photo-srcnn-skip-x2.png"
    with Image.open(io.BytesIO(Path(download.path()).read_bytes())) as image:
        assert image.size == (60, 40)
    with page.expect_download() as started:
        page.get_by_role("link", name="All in one archive").click()
    assert started.value.suggested_filename.endswith(".zip")


def test_a_picture_that_is_dropped_is_chosen(page: Page, photo: Path) -> None:
    drop = """async ([data, name]) => {
        const bytes = Uint8Array.from(data);
        const transfer = new DataTransfer();
        transfer.items.add(new File([bytes], name, { type: 'image/png' }));
        const event = new DragEvent('drop', { dataTransfer: transfer, bubbles: true, cancelable: true });
        document.body.dispatchEvent(event);
    }"""
    page.evaluate(drop, [list(photo.read_bytes()), "dropped.png"])
    expect(page.locator("#drop-name")).to_contain_text("dropped.png")
    page.get_by_role("button", name="Enlarge").click()
    expect(page.locator("h1")).to_have_text("dropped.png", timeout=PATIENCE)
    page.locator(".viewer").wait_for(timeout=PATIENCE)


def test_what_would_be_refused_is_told_before_it_is_sent(page: Page, photo: Path, tmp_path: Path) -> None:
    large = tmp_path / "large.png"
    large.write_bytes(bytes(100_001))
    page.locator("[name=picture]").set_input_files(large)
    page.get_by_role("button", name="Enlarge").click()
    expect(page.locator("#send-status")).to_contain_text("The file is too large")
    page.locator("[name=picture]").set_input_files(photo)
    page.get_by_label("srcnn/skip").uncheck()
    page.get_by_role("button", name="Enlarge").click()
    expect(page.locator("#send-status")).to_have_text("Choose at least one network.")


def test_the_networks_of_the_chosen_scale_are_shown(page: Page) -> None:
    expect(page.locator(".networks:visible")).to_have_count(1)
    expect(page.get_by_label("srcnn/skip")).to_be_visible()
    page.locator("[name=scale][value='4']").check()
    expect(page.get_by_label("srcnn/skip")).to_be_hidden()
    expect(page.locator(".networks:visible [name=network]:checked")).to_have_count(1)


def test_a_study_is_watched_while_it_runs(chromium: Browser, server: Ready, study: Path) -> None:
    (result,) = study.glob("variant0-lr0.001-seed1/result.json")
    stored = result.read_bytes()
    for page in at(chromium, server, "study/1", width=WIDTHS[0]):
        expect(page.get_by_text("The study is not finished")).to_be_hidden()
        page.locator("th[data-key=parameters] button").click()
        assert page.locator("th[aria-sort]").count() == 1
        result.unlink()
        expect(page.get_by_text("The study is not finished")).to_be_visible(timeout=PATIENCE)
        result.write_bytes(stored)
        expect(page.get_by_text("The study is not finished")).to_be_hidden(timeout=PATIENCE)
        assert page.evaluate("document.documentElement.scrollWidth") <= WIDTHS[0]
