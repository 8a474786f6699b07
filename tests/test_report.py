"""What `srlab report` promises: one page that says what the files say, whatever state the study is in."""

import csv
import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from msgspec import structs
from PIL import Image

from report_study import THREE, TWO, Made, ReportStudy, run_name
from srlab.declare.protocol import RunProtocol, TrainingProtocol
from srlab.declare.start import Start
from srlab.errors import UserError
from srlab.folder import store
from srlab.folder.profile_store import Enlarging, Profile, Setting, VariantProfile, add_profile, digest_of
from srlab.folder.records import StudyFolder, read_runs
from srlab.folder.schema import Session
from srlab.show.draw.canvas import plain_style
from srlab.show.draw.colors import FOR_THE_PAGE
from srlab.show.draw.pareto import CostAxis, draw_pareto
from srlab.show.grid.files import as_csv
from srlab.show.published import published
from srlab.show.report import gather, write_report
from srlab.show.report.assets import for_script
from srlab.show.report.page import render
from srlab.show.report.setting import read_setting
from srlab.show.report.viewer import Viewer, make_viewer
from srlab.show.texts import place
from srlab.verdicts import BICUBIC, Rank
from stored_files import run_file, stored_variant

SMALL = {"sets": {"five": ("a", "b", "c")}, "metrics": ("psnr_y",)}
HOSTILE = "<img src=x onerror=alert(1)>\"'</script><script>alert(2)</script>&amp;{{ 7 * 7 }}"
NO_PICTURES = Viewer(scenes=(), remarks=())


class Page(HTMLParser):
    """A page's elements, its texts, and what it would fetch."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.tags: list[str] = []
        self.fetched: list[str] = []
        self.words: list[str] = []
        self._inside: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self._inside.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            if name in ("src", "srcset", "poster", "data", "action") or (name == "href" and tag != "a"):
                self.fetched.append(value or "")
            assert not name.startswith("on"), f"{tag} has {name}"

    def handle_endtag(self, tag: str) -> None:
        if tag in self._inside:
            while self._inside.pop() != tag:
                pass

    def handle_data(self, data: str) -> None:
        if not {"script", "style"} & set(self._inside):
            self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.words))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A finished study with a question that tries to break out, its page, and its files for papers."""
    folder = tmp_path_factory.mktemp("whole")
    study = ReportStudy(**SMALL, question=HOSTILE, notes={"five": HOSTILE}).write(folder)  # type: ignore[arg-type]
    write_report(study, folder / "out.html", figures=folder / "figures")
    return study, folder


def page_without_pictures(study: Path) -> Page:
    return Page(render(gather(study), NO_PICTURES))


def test_the_page_has_every_part_and_each_variant(whole: tuple[Path, Path]) -> None:
    page = Page((whole[1] / "out.html").read_text(encoding="utf-8"))
    for part in (
        "answer",
        "leaderboard",
        "effects",
        "pictures",
        "images",
        "training",
        "cost",
        "networks",
        "setting",
    ):
        assert part in page.ids
    for variant in THREE:
        assert variant.name in page.text.replace("/ ", "/").replace("_ ", "_")
    assert "c0ffee" in page.text
    assert "A processor, 2 cores" in page.text
    assert "300 steps, 16 LR patches of 24 x 24 pixels each" in page.text


def test_the_page_fetches_nothing_and_forbids_itself_to(whole: tuple[Path, Path]) -> None:
    text = (whole[1] / "out.html").read_text(encoding="utf-8")
    page = Page(text)
    assert [address for address in page.fetched if not re.match(r"data:|#", address)] == []
    assert "default-src 'none'" in text
    assert "@import" not in text
    assert not re.search(r"url\((?!#)", text)


def test_ids_are_never_used_twice(whole: tuple[Path, Path]) -> None:
    page = Page((whole[1] / "out.html").read_text(encoding="utf-8"))
    assert len(page.ids) == len(set(page.ids))


def test_what_users_wrote_stays_text(whole: tuple[Path, Path]) -> None:
    text = (whole[1] / "out.html").read_text(encoding="utf-8")
    page = Page(text)
    assert (
        page.text.count("<img src=x onerror=alert(1)>") >= 2
    )  # the question and the note, as they were written
    assert "{{ 7 * 7 }}" in page.text
    assert page.tags.count("script") == 2  # the data and the program
    assert "alert(1)" not in re.sub(r"&lt;img src=x onerror=alert\(1\)&gt;", "", text)


def test_names_cannot_leave_the_data_they_stand_in() -> None:
    names = ["</script><script>alert(1)", "<!--", "\u2028", "&", "é"]
    text = str(for_script({"names": names}))
    assert not re.search(r"[<>&\u2028]", text)
    assert json.loads(text)["names"] == names


def test_the_page_is_written_without_torch(whole: tuple[Path, Path], tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from srlab.show.report import gather; "
        "gather(Path(sys.argv[1])); sys.exit('torch' in sys.modules)"
    )
    assert (
        subprocess.run([sys.executable, "-c", code, str(whole[0])], check=False, cwd=tmp_path).returncode == 0
    )


def test_figures_and_tables_are_files_for_papers(whole: tuple[Path, Path]) -> None:
    figures = whole[1] / "figures"
    stems = {path.stem for path in figures.iterdir()}
    assert {
        "curves",
        "learning-rates",
        "effects-five-psnr-y",
        "against-base-five-psnr-y",
        "cost-five-psnr-y",
    } <= stems
    for path in figures.glob("*.png"):
        with Image.open(path) as image:
            assert image.width > 1500
        assert "var(--" not in path.with_suffix(".svg").read_text(encoding="utf-8")  # plain colors
    for name in (
        "cost-five-psnr-y",
        "curves",
    ):  # which sign is whose stands with the figure, not only on the page
        drawn = (figures / f"{name}.svg").read_text(encoding="utf-8")
        assert all(f">{variant.name}<" in drawn for variant in THREE)
    rows = list(
        csv.DictReader(io.StringIO((figures / "leaderboard-five-psnr_y.csv").read_text(encoding="utf-8")))
    )
    assert [row["variant"] for row in rows][0::3] == ["srcnn/skip", BICUBIC]
    assert len(rows) == 4
    assert len(rows[0]["psnr_y"]) > 8  # unrounded
    tex = (figures / "leaderboard-five-psnr_y.tex").read_text(encoding="utf-8")
    assert r"psnr\_y" in tex
    assert tex.count(r"\\") == 6 - 1
    markdown = (figures / "costs.md").read_text(encoding="utf-8")
    assert markdown.count("\n|") == 4


def test_tables_say_what_was_stored(whole: tuple[Path, Path]) -> None:
    contents = gather(whole[0])
    grid = contents.leaderboards["five", "psnr_y"]
    table = contents.verdicts.table(scope="five")
    assert table is not None
    for row, standing in zip(grid.rows, table.rows, strict=True):
        values = dict(zip((column.key for column in grid.columns), row.cells, strict=True))
        assert values["psnr_y"].value == standing.mean
        if standing.to_base is not None and standing.variant != BICUBIC:
            assert values["to_base"].value == standing.to_base.estimate
    assert [cell.text for cell in contents.costs.rows[0].cells][1] == "2,000"


def test_csv_has_the_ends_of_intervals_and_the_spreads_beside_what_they_are_of(
    whole: tuple[Path, Path],
) -> None:
    contents = gather(whole[0])
    (row, *_) = csv.DictReader(io.StringIO(as_csv(contents.leaderboards["five", "psnr_y"])))
    low, found, high = (float(row[key]) for key in ("to_base_low", "to_base", "to_base_high"))
    assert low < found < high
    assert float(row["psnr_y_sd"]) > 0
    (effect, *_) = csv.DictReader(io.StringIO(as_csv(contents.effects["five", "psnr_y"])))
    assert float(effect["effect_low"]) < float(effect["effect"]) < float(effect["effect_high"])


STATES = {
    "one run": {"variants": TWO[:1], "seeds": (0,), "rates": (1e-3,)},
    "one image": {"sets": {"five": ("a",)}},
    "one seed": {"seeds": (0,), "rates": (1e-3,)},
    "still running": {
        "variants": (
            TWO[0],
            Made(name="srcnn/skip", gain=1.8, states={(1, 1e-3): "started", (2, 1e-3): "not started"}),
        ),
    },
    "half failed": {
        "variants": (
            TWO[0],
            Made(
                name="srcnn/skip",
                gain=1.8,
                states={(seed, rate): "failed" for seed in (0, 1, 2) for rate in (1e-3, 1e-4)},
            ),
        ),
    },
    "diverged": {
        "variants": (
            TWO[0],
            Made(name="srcnn/skip", gain=1.8, states={(seed, 1e-3): "diverged" for seed in (0, 1, 2)}),
        ),
    },
    "all diverged": {
        "variants": (Made(name="a", gain=0, states={(0, 1e-3): "diverged"}),),
        "seeds": (0,),
        "rates": (1e-3,),
    },
    "nothing started": {
        "variants": (Made(name="a", gain=0, states={(0, 1e-3): "not started"}),),
        "seeds": (0,),
        "rates": (1e-3,),
        "has_bicubic": False,
    },
    "an exact copy": {"variants": (TWO[0], Made(name="srcnn/exact", gain=float("inf")))},
    "no pictures": {"has_pictures": False},
    "no test scores": {"variants": tuple(Made(name=one.name, gain=one.gain, has_tests=False) for one in TWO)},
    "no test set": {"sets": {}},
}


@pytest.mark.parametrize("state", STATES)
def test_the_report_is_right_in_any_state(state: str, tmp_path: Path) -> None:
    study = ReportStudy(**{**SMALL, "variants": TWO, **STATES[state]}).write(tmp_path)  # type: ignore[arg-type, dict-item]
    contents = gather(study)
    text = render(contents, make_viewer(StudyFolder(study), contents.verdicts))
    page = Page(text)
    assert len(page.ids) == len(set(page.ids))
    assert "nan" not in re.sub(r"[a-z]*nan[a-z]+", "", page.text.lower())
    said = {
        "one run": "1 of 1 finished",
        "one image": "1 image",
        "one seed": "one seed",
        "still running": "1 run started, 1 run not started",
        "half failed": "6 runs failed",
        "diverged": "3 diverged",
        "all diverged": "0 of 1 finished",
        "nothing started": "1 run not started",
        "an exact copy": "∞",
        "no pictures": "No variant has pictures of a test set yet",
        "no test scores": "No variant has pictures of a test set yet",
        "no test set": "No variant has pictures of a test set yet",
    }[state]
    assert said in page.text
    with_intervals = ("one seed", "no pictures")
    assert ("The line through it is the 95 % interval." in page.text) == (state in with_intervals)
    assert ("None could be tested, so each may be chance." in page.text) == (state == "one image")
    assert state in with_intervals or "Intervals: 95 %." not in page.text
    is_open = state in ("still running", "half failed", "nothing started")
    assert ("The study is not finished." in page.text) == is_open
    assert not is_open or "Some scores are missing" not in page.text


def test_a_base_of_ones_own_is_the_one_compared_with(tmp_path: Path) -> None:
    study = ReportStudy(**SMALL).write(tmp_path)  # type: ignore[arg-type]
    contents = gather(study, base="srcnn/skip")
    assert [card.name for card in contents.cards if card.is_base] == ["srcnn/skip"]
    changed = {
        card.name: [(one.option, one.base, one.own) for one in card.changed] for card in contents.cards
    }
    assert changed["srcnn/vanilla"] == [("skip", "bicubic", "none")]
    assert ("activation", "relu", "leaky_relu:0.3") in changed["srcnn/leaky"]
    with pytest.raises(UserError):
        gather(study, base="nobody")


def test_what_is_no_study_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no study\.json"):
        write_report(tmp_path)


@pytest.fixture
def two_sets(tmp_path: Path) -> Path:
    return ReportStudy(seeds=(0,), rates=(1e-3,), metrics=("psnr_y",)).write(tmp_path)


def viewer_of(study: Path, **options: int) -> Viewer:
    contents = gather(study)
    return make_viewer(StudyFolder(study), contents.verdicts, **options)


def test_each_scene_is_one_crop_by_original_bicubic_and_every_variant_best_first(two_sets: Path) -> None:
    viewer = viewer_of(two_sets)
    assert {scene.test_set for scene in viewer.scenes[:2]} == {"five", "six"}  # some of each set
    for scene in viewer.scenes:
        labels = [pane.label for pane in scene.panes]
        assert labels[:3] == ["original", "bicubic", "srcnn/skip"]
        assert set(labels[3:]) == {"srcnn/leaky", "srcnn/vanilla"}


def test_crops_are_kept_without_loss(two_sets: Path) -> None:
    import base64

    scene = viewer_of(two_sets).scenes[0]
    shown = {pane.label: pane.uri for pane in scene.panes}
    kept = np.asarray(
        Image.open(io.BytesIO(base64.b64decode(shown["original"].partition(",")[2]))).convert("RGB")
    )
    stored = np.asarray(Image.open(two_sets.parent / "data" / scene.test_set / f"{scene.image}.png"))
    assert (kept == scene.crop.of(stored)).all()


def test_pictures_end_where_the_page_would_grow_too_large(two_sets: Path) -> None:
    everything = viewer_of(two_sets)
    size = sum(len(pane.uri) for pane in everything.scenes[0].panes)
    fewer = viewer_of(two_sets, most_bytes=2 * size)
    assert 1 <= len(fewer.scenes) < len(everything.scenes)
    assert f"{len(fewer.scenes)} of 7 test images" in fewer.remarks[0]


def test_without_the_originals_the_pictures_are_there_and_the_reason_is_said(two_sets: Path) -> None:
    for path in (two_sets.parent / "data" / "five").iterdir():
        path.unlink()
    viewer = viewer_of(two_sets)
    by_set = {scene.test_set: scene.has_original for scene in viewer.scenes}
    assert by_set == {"five": False, "six": True}
    assert any("The originals of" in remark for remark in viewer.remarks)


def test_a_variant_with_scores_but_no_pictures_is_named(two_sets: Path) -> None:
    for picture in two_sets.glob("variant1-*/test/*/*.png"):
        picture.unlink()
    absent = gather(two_sets).verdicts.variants[1]
    viewer = viewer_of(two_sets)
    assert all(absent not in [pane.label for pane in scene.panes] for scene in viewer.scenes)
    assert f"These variants have no pictures yet: {absent}." in viewer.remarks


def test_a_changed_original_is_not_shown(two_sets: Path) -> None:
    path = two_sets.parent / "data" / "six" / "e.png"
    Image.fromarray(np.zeros((60, 72, 3), np.uint8)).save(path)
    assert [scene.has_original for scene in viewer_of(two_sets).scenes if scene.image == "e"] == [False]


def test_runs_made_by_several_machines_are_told_apart(tmp_path: Path) -> None:
    study = ReportStudy(**SMALL).write(tmp_path)  # type: ignore[arg-type]
    path = study / run_name(0, 1e-3, 0) / store.PROVENANCE
    sessions = store.load_json(path)
    sessions["sessions"][0] |= {"cpu": "Another", "git": {"commit": "beef", "dirty": True}}
    store.save_json(path, sessions)
    setting = read_setting(StudyFolder(study))
    assert len(setting.machines) == 2
    assert len(setting.remarks) == 2


def test_the_commands_do_the_study_again(tmp_path: Path) -> None:
    study = ReportStudy(**{**SMALL, "name": "srcnn", "seeds": (4,)}).write(tmp_path / "a b")  # type: ignore[arg-type]
    contents = gather(study)
    study_command, report_command = contents.setting.commands.lines
    assert study_command.startswith(
        "srlab study srcnn --variants srcnn/vanilla,srcnn/skip,srcnn/leaky --train t91 "
    )
    for words in ("--seeds 4,", "--learning-rates 0.001,0.0001", "--steps 300", "--precision fp32"):
        assert words in study_command
    assert report_command == f"srlab report '{study}'"


def test_the_precision_that_was_computed_in_is_told_where_it_was_left_open(tmp_path: Path) -> None:
    folder = ReportStudy(**SMALL).write(tmp_path)  # type: ignore[arg-type]
    study = store.load_study(folder)
    asked = replace(study.protocol, precision="auto")
    store.save(folder / store.STUDY, structs.replace(study, protocol=asked))
    for run in read_runs(folder):
        store.save(
            run.folder / store.RUN, run_file(run.variant, protocol=RunProtocol(num_steps=1, precision="bf16"))
        )
    assert (
        dict(read_setting(StudyFolder(folder)).protocol)["Precision"]
        == "trained in bf16 (auto), scored in fp32"
    )


def test_published_numbers_are_only_beside_the_very_sets() -> None:
    vanilla = stored_variant("a", network={"architecture": "SRCNN", "kernel_sizes": [9, 3, 5]})
    mine = stored_variant("a", network={"architecture": "Mine"})
    found = published(vanilla, test_set="set5", num_images=5, scale=2, metric="psnr_y")
    assert found is not None
    assert (found.network, found.value) == ("SRCNN 9-5-5", 36.66)
    assert published(vanilla, test_set="set5", num_images=4, scale=2, metric="psnr_y") is None
    assert published(vanilla, test_set="mine", num_images=5, scale=2, metric="psnr_y") is None
    assert published(vanilla, test_set="set5", num_images=5, scale=2, metric="psnr_rgb") is None
    assert published(mine, test_set="set5", num_images=5, scale=2, metric="psnr_y") is None
    bicubic = published(None, test_set="set14", num_images=14, scale=4, metric="ssim_y")
    assert bicubic is not None
    assert bicubic.value == 0.7027
    gan = stored_variant("a", network={"architecture": "SRResNet"}, objective={"kind": "adversarial"})
    found = published(gan, test_set="set5", num_images=5, scale=4, metric="psnr_y")
    assert found is not None
    assert found.network == "SRGAN"
    assert published(gan, test_set="set5", num_images=5, scale=4, metric="ssim_y") is None


def test_measured_costs_stand_in_a_table_and_in_the_plots(tmp_path: Path) -> None:
    study = ReportStudy(**{**SMALL, "variants": TWO}).write(tmp_path)  # type: ignore[arg-type]
    assert gather(study).measured.rows == ()
    declared = store.load_study(study)
    machine = Setting(device="cpu", device_name="A processor", threads=1, precision="fp32", torch="2.13")
    seconds = {"bicubic": 0.01, "srlab/gone": 9.0, "srcnn/vanilla": 0.4, "srcnn/skip": 0.2}
    add_profile(
        study,
        Profile(
            setting=machine,
            sizes=((1280, 720),),
            load=0.0,
            provenance=Session(),
            variants=tuple(
                VariantProfile(
                    name=name,
                    digest=digest_of(declared, declared.variant(name)),
                    parameters=1,
                    frozen=0,
                    running_statistics=0,
                    multiply_adds=1,
                    receptive_radius=1,
                    enlarging=(Enlarging(size=(1280, 720), seconds=(value,)),),
                    training=None,
                )
                for name, value in seconds.items()
            ),
        ),
    )
    contents = gather(study)
    assert [[cell.text for cell in row.cells] for row in contents.measured.rows] == [
        ["bicubic", "10"],
        ["srcnn/vanilla", "400"],
        ["srcnn/skip", "200"],
    ]
    (drawing,) = [one for one in contents.drawings if one.group == "pareto"]
    assert "milliseconds for 1280 x 720 (cpu, 1 thread, fp32)" in drawing.inline("wide")


def test_an_adversarial_study_is_ranked_by_distortion_and_perception_together(tmp_path: Path) -> None:
    gan = Made(name="srcnn/gan", gain=0.4, declared={"objective": {"kind": "adversarial"}})
    study = ReportStudy(**{**SMALL, "variants": (*TWO, gan)}).write(tmp_path)  # type: ignore[arg-type]
    assert (
        "These tables have no ranks, because perceptual scores are missing."
        in page_without_pictures(study).text
    )
    study = ReportStudy(
        **{**SMALL, "variants": (*TWO, gan), "metrics": ("psnr_y", "lpips_squeeze")}  # type: ignore[arg-type]
    ).write(tmp_path / "with")
    contents = gather(study)
    assert [column.key for column in contents.plane.columns] == ["rank", "variant", "psnr_y", "lpips_squeeze"]
    assert {row.cells[1].value for row in contents.plane.rows} == {"srcnn/vanilla", "srcnn/skip", "srcnn/gan"}
    page = page_without_pictures(study)
    assert "distortion-perception-table" in page.ids
    assert "only if the other is shown to be better in both columns" in page.text


def test_what_a_variant_is_trained_by_counts_as_a_difference_too(tmp_path: Path) -> None:
    longer = Made(
        name="srcnn/longer",
        gain=2.0,
        declared={
            "protocol": TrainingProtocol(num_steps=900, adam_eps=1e-7, precision="fp32"),
            "start": Start(source="srcnn/vanilla", keep=("head",), freeze=True),
        },
    )
    study = ReportStudy(**{**SMALL, "variants": (TWO[0], longer)}).write(tmp_path)  # type: ignore[arg-type]
    (card,) = [card for card in gather(study).cards if not card.is_base]
    assert [(one.option, one.base, one.own) for one in card.changed] == [
        ("protocol.num_steps", "300", "900"),
        ("start.freeze", "none", "yes"),
        ("start.keep", "none", "head"),
        ("start.source", "none", "srcnn/vanilla"),
    ]


def test_a_rank_is_the_range_of_places_that_the_data_allow() -> None:
    assert place(Rank(best=1, worst=3, tied_with=("b", "c"))) == "1-3"
    assert place(Rank(best=2, worst=2, tied_with=())) == "2"


@pytest.mark.parametrize("cost", [1.2e9, 2e9, 3.1e9, 4.9e9, 8e9, 9.9e9])
def test_costs_that_hardly_differ_have_few_ticks_and_each_another_label(cost: float) -> None:
    with plain_style():
        figure = draw_pareto(
            [CostAxis(name="multiply-adds", values={"a": cost, "b": 1.01 * cost})],
            {"a": 30.0, "b": 31.0},
            metric="psnr_y, dB",
            is_lower_better=False,
            behind=(),
            bicubic=None,
            decimals=2,
            numbers={"a": 0, "b": 1},
            colors=FOR_THE_PAGE,
            size="wide",
        )
        figure.draw_without_rendering()
        (axes,) = figure.axes
        low, high = axes.get_xlim()
        boxes = [
            tick.label1.get_window_extent()
            for tick in axes.xaxis.get_major_ticks()
            if low <= tick.get_loc() <= high
        ]
    assert 2 <= len(boxes) <= 5
    assert all(box.x1 < following.x0 for box, following in pairwise(boxes))


def test_the_command_prints_what_it_wrote(tmp_path: Path) -> None:
    study = ReportStudy(**{**SMALL, "variants": TWO, "seeds": (0,), "rates": (1e-3,)}).write(tmp_path)  # type: ignore[arg-type]
    done = subprocess.run(
        [sys.executable, "-c", "from srlab.cli import main; main()", "report", str(study), "--json"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "NO_COLOR": "1"},
    )
    printed = json.loads(done.stdout)
    assert printed["report"] == str(study / "report.html")
    data = {"scores.csv", "curves.csv", "costs.csv"}
    assert {Path(file).name for file in printed["files"]} - {"scores.parquet"} == data
    assert (study / "report.html").stat().st_size > 50_000


def descendants(root: Path) -> Iterator[Path]:
    yield from (path for path in root.rglob("*") if path.is_file())


def test_the_study_is_only_read(tmp_path: Path) -> None:
    study = ReportStudy(**{**SMALL, "variants": TWO}).write(tmp_path)  # type: ignore[arg-type]
    before = {path: path.stat().st_mtime_ns for path in descendants(study)}
    write_report(study, tmp_path / "page.html")
    assert {path: path.stat().st_mtime_ns for path in descendants(study)} == before


def test_the_wheel_would_hold_templates_styles_and_scripts() -> None:
    import tomllib

    from srlab.show.report.page import SCRIPTS, STYLES

    root = Path(__file__).parents[1]
    patterns = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"][
        "package-data"
    ]["srlab"]
    package = root / "src" / "srlab"
    kept = {path for pattern in patterns for path in package.glob(pattern)}
    files = {
        path
        for folder in ("templates", "static")
        for path in (package / "show" / "report" / folder).iterdir()
    }
    assert files <= kept
    assert {path.name for path in files if path.suffix in (".css", ".js")} == {*STYLES, *SCRIPTS}


def test_the_page_is_in_plain_words_and_says_no_sentence_twice(tmp_path: Path) -> None:
    study = ReportStudy(**SMALL, has_pictures=False).write(tmp_path)  # type: ignore[arg-type]
    html = render(gather(study), NO_PICTURES)
    page = Page(re.sub(r"(?s)<svg.*?</svg>", "", html))  # a figure is there twice, for wide and narrow pages
    sentences = [
        sentence
        for words in page.words
        for sentence in re.split(r"(?<=[.!?]) ", " ".join(words.split()))
        if len(sentence.split()) > 4 and sentence.endswith(".")
    ]
    assert len(sentences) > 60
    assert [sentence for sentence in dict.fromkeys(sentences) if sentences.count(sentence) > 1] == []
    riddles = ("beyond doubt", "rank nothing", "to be read with", "last word", "told apart", "stands for")
    assert [riddle for riddle in riddles if riddle in page.text.lower()] == []


def test_processor_time_is_shown_where_runs_have_it_and_time_by_the_clock_is_called_so(
    tmp_path: Path,
) -> None:
    study = ReportStudy(**SMALL, has_pictures=False).write(tmp_path)  # type: ignore[arg-type]

    def shown() -> tuple[list[str], set[tuple[str, str]]]:
        contents = gather(study)
        board = contents.leaderboards["five", "psnr_y"]
        place = [column.key for column in board.columns].index("seconds")
        times = {(row.cells[place].text, row.cells[place].note) for row in board.rows}
        return [column.heading for column in contents.costs.columns], times

    headings, times = shown()
    assert "processor time" not in headings
    assert "time by the clock" in headings
    assert ("30 s", "by the clock") in times
    for path in study.glob(f"*/{store.RESULT}"):
        store.save_json(path, store.load_json(path) | {"processor_seconds": 20.0})
    headings, times = shown()
    assert headings[3:5] == ["processor time", "time by the clock"]
    assert ("20 s", "") in times


def test_curves_are_compared_by_processor_time_where_all_runs_have_it_and_the_captions_say_so(
    tmp_path: Path,
) -> None:
    study = ReportStudy(**SMALL, has_pictures=False).write(tmp_path)  # type: ignore[arg-type]

    def shown() -> tuple[str, str, str, str]:
        contents = gather(study)
        times = [column.heading for column in contents.progress.columns if "time" in column.heading]
        equal = [column.heading for column in contents.budgets.columns if "time" in column.heading]
        return times[0], equal[0], contents.progress.note, contents.budgets.note

    times, equal, progress, budgets = shown()
    assert (times, equal) == ("time by the clock", "equal time by the clock")
    assert "Time is by the clock." in progress
    assert "Time is by the clock, because not every run has its processor time." in budgets
    for path in study.glob(f"*/{store.RESULT}"):
        store.save_json(path, store.load_json(path) | {"processor_seconds": 20.0})
    times, equal, progress, budgets = shown()
    assert (times, equal) == ("processor time", "equal processor time")
    assert "Time is processor time." in progress
    assert "20 s of processor time" in budgets
    assert "the processor time of the whole training is spread evenly over the steps" in budgets
