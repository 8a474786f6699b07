"""What `srlab publish` promises: a whole site or the old one, links that lead somewhere, honest cards."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

import srlab
from browser import chromium, opened
from report_study import TWO, Made, ReportStudy, run_name
from served import study_with_weights
from srlab.cli import main
from srlab.errors import UserError
from srlab.files import sha256_of
from srlab.folder import store
from srlab.folder.records import StudyFolder
from srlab.folder.user_networks import kept_code
from srlab.show import site as module
from srlab.show.site import MARK, write_site
from srlab.show.site.card import as_markdown, make_card

__all__ = ["chromium"]  # the browser, opened once

HOSTILE = "Does <b>it</b> [help](javascript:alert(1)) `now`?"


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return study_with_weights(tmp_path_factory.mktemp("study"))


@pytest.fixture(scope="module")
def unfinished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = [Made(name="srcnn/x", gain=1.0, states={(0, 1e-3): "started"}, has_tests=False)]
    folder = tmp_path_factory.mktemp("unfinished")
    return ReportStudy(
        variants=made, seeds=(0,), rates=(1e-3,), question=HOSTILE, name="Made", has_pictures=False
    ).write(folder)


@pytest.fixture(scope="module")
def site(study: Path, unfinished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("out") / "site"
    write_site([study, unfinished], folder, licence="CC-BY-4.0")
    return folder


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Path]]:
    """Reports are not what these tests are about: a file in their place."""

    def write_report(_study: Path, out: Path) -> list[Path]:
        out.parent.mkdir(parents=True)
        out.write_text("a report")
        return [out]

    monkeypatch.setattr(module, "write_report", write_report)
    return write_report


def test_a_site_has_an_index_reports_scores_and_weights_with_their_card(site: Path, study: Path) -> None:
    data = {"report.html", "scores.csv", "curves.csv", "costs.csv", "study.json"}
    assert {name for name in files(site) if not name.endswith(".parquet")} == {
        "index.html",
        ".nojekyll",
        MARK,
        *(f"made/{name}" for name in (*data, "model/weights.safetensors", "model/README.md")),
        *(f"made-2/{name}" for name in data),
    }
    (weights,) = study.glob("variant1-lr0.001-seed1/weights.safetensors")
    assert (site / "made/model/weights.safetensors").read_bytes() == weights.read_bytes()
    assert srlab.load(site / "made/model/weights.safetensors", device="cpu").variant == "srcnn/skip"


def test_every_link_is_relative_and_leads_to_a_file(site: Path) -> None:
    page = (site / "index.html").read_text(encoding="utf-8")
    targets = [
        target for target in re.findall(r'href="([^"]*)"', page) if not target.startswith(("data:", "#"))
    ]
    assert len(targets) >= 12
    assert [target for target in targets if target.startswith(("/", "http"))] == []
    assert [target for target in targets if not (site / target).is_file()] == []


def test_a_card_has_the_scores_of_its_run_its_licence_and_its_sha256(site: Path, study: Path) -> None:
    card = (site / "made/model/README.md").read_text(encoding="utf-8")
    assert card.startswith("---\nlibrary_name: srlab\n")
    assert "\nlicense: cc-by-4.0\n---\n" in card
    assert f"SHA-256 {sha256_of(site / 'made/model/weights.safetensors')}" in card
    found = StudyFolder(study).scores(study / run_name(1, 1e-3, 1) / store.TEST_SCORES)
    assert found is not None
    values = [score.value for score in found.scores if score.metric == "psnr_y"]
    assert f"| five | psnr_y | {sum(values) / len(values):.2f} |" in card
    assert "- Steps: 300 of 16 patches" in card
    assert "- Loss: mse" in card


def test_without_a_licence_a_card_says_that_none_was_named(study: Path) -> None:
    card = as_markdown(make_card(StudyFolder(study)))
    assert "license:" not in card
    assert "No licence was named for these weights" in card
    words = as_markdown(make_card(StudyFolder(study), licence="ask <me>"))
    assert "license:" not in words  # hubs take identifiers alone
    assert "The licence of the weights: ask \\<me\\>." in words


def test_a_study_without_a_winner_has_no_weights_and_says_why(site: Path) -> None:
    page = (site / "index.html").read_text(encoding="utf-8")
    assert "No weights are published here: no run of the study" in page
    assert not (site / "made-2/model").exists()


def test_what_a_study_says_cannot_become_markup(site: Path, tmp_path: Path) -> None:
    page = (site / "index.html").read_text(encoding="utf-8")
    assert "Does &lt;b&gt;it&lt;/b&gt; [help](javascript:alert(1)) `now`?" in page
    study = study_with_weights(tmp_path)
    declared = json.loads((study / "study.json").read_text())
    (study / "study.json").write_text(json.dumps({**declared, "question": HOSTILE}))
    card = as_markdown(make_card(StudyFolder(study)))
    assert "Does \\<b\\>it\\</b\\> \\[help\\](javascript:alert(1)) \\`now\\`?" in card


def test_the_index_works_from_the_disk_without_a_network(chromium: Browser, site: Path) -> None:
    narrow = {"width": 360, "height": 900}
    for page in opened(chromium, (site / "index.html").as_uri(), offline=True, viewport=narrow):
        page.get_by_text("The winner's weights").click()
        expect(page.get_by_text("srlab upscale photo.jpg")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        page.get_by_role("link", name="report.html").first.click()
        expect(page.locator("#leaderboard")).to_be_visible()


@pytest.mark.usefixtures("quick")
def test_the_same_command_again_replaces_the_site_and_keeps_what_is_not_its_own(
    study: Path, unfinished: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "site"
    (folder / ".git").mkdir(parents=True)
    (folder / ".git" / "HEAD").write_text("main")
    write_site([study, unfinished], folder)
    (folder / "CNAME").write_text("example.org")
    assert (folder / "made-2").is_dir()
    write_site([unfinished], folder, title="Another")
    assert files(folder) == {
        ".git/HEAD", ".nojekyll", "CNAME", "index.html", "made/report.html", MARK,
    }  # fmt: skip
    assert "<title>Another</title>" in (folder / "index.html").read_text()
    assert [path.name for path in tmp_path.iterdir()] == ["site"]


@pytest.mark.usefixtures("quick")
def test_a_folder_that_is_something_else_is_refused_and_stays_as_it_is(study: Path, tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "a.png").write_text("a picture")
    with pytest.raises(UserError, match=r"is not empty \(a.png\) and is not a site"):
        write_site([study], folder)
    with pytest.raises(UserError, match="is a file; name a folder"):
        write_site([study], folder / "a.png")
    with pytest.raises(UserError, match=r"a.png is a file; name a folder"):
        write_site([study], folder / "a.png" / "site")
    with pytest.raises(UserError, match="lie in one another"):
        write_site([study], study / "site")
    with pytest.raises(UserError, match="study"):
        write_site([folder], tmp_path / "new")
    assert files(tmp_path) == {"photos/a.png"}


@pytest.mark.usefixtures("quick")
def test_a_damaged_mark_and_a_file_in_the_way_are_refused(study: Path, tmp_path: Path) -> None:
    folder = tmp_path / "site"
    write_site([study], folder)
    mark = (folder / MARK).read_text()
    for wrong in (
        "{",
        "[]",
        '{"format": "srlab site", "entries": ["../../etc"]}',
        '{"format": "srlab site"}',
    ):
        (folder / MARK).write_text(wrong)
        with pytest.raises(UserError, match="is damaged"):
            write_site([study], folder)
    (folder / MARK).write_text(mark)
    (folder / "made-2").mkdir()
    with pytest.raises(UserError, match="made-2 is not the site's"):
        write_site([study, study], folder)
    assert not (folder / "made-2/report.html").exists()


def test_a_site_is_the_old_one_until_the_new_one_is_whole(
    study: Path, tmp_path: Path, quick: Callable[..., list[Path]], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "site"
    write_site([study], folder)
    before = {name: (folder / name).read_bytes() for name in files(folder)}
    calls: list[Path] = []

    def full(one: Path, out: Path) -> list[Path]:
        calls.append(one)
        if len(calls) == 2:
            raise OSError(28, "No space left on device")
        return quick(one, out)

    monkeypatch.setattr(module, "write_report", full)
    with pytest.raises(OSError, match="No space"):
        write_site([study, study], folder, title="New")
    assert {name: (folder / name).read_bytes() for name in files(folder)} == before
    assert [path.name for path in tmp_path.iterdir()] == ["site"]


@pytest.mark.usefixtures("quick")
def test_where_a_move_fails_the_old_site_comes_back(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "site"
    write_site([study], folder)
    before = {name: (folder / name).read_bytes() for name in files(folder)}
    rename = Path.rename

    def broken(self: Path, target: Path) -> Path:
        if target == folder / MARK and self.parent.name != ".old":  # the way back works
            raise PermissionError(13, "Permission denied")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", broken)
    with pytest.raises(PermissionError):
        write_site([study], folder, title="New")
    assert {name: (folder / name).read_bytes() for name in files(folder)} == before


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("is_moved", [True, False])
def test_an_interrupt_while_a_site_is_moved_brings_the_old_one_back(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_moved: bool
) -> None:
    folder = tmp_path / "site"
    write_site([study], folder)
    before = {name: (folder / name).read_bytes() for name in files(folder)}
    rename = Path.rename

    def interrupted(self: Path, target: Path) -> Path:
        if target == folder / "made" and self.parent.name != ".old":  # the way back works
            if is_moved:
                rename(self, target)
            raise KeyboardInterrupt
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_site([study], folder, title="New")
    assert {name: (folder / name).read_bytes() for name in files(folder)} == before


@pytest.mark.usefixtures("quick")
def test_where_the_old_site_cannot_come_back_it_is_kept_and_the_next_run_says_where(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "site"
    write_site([study], folder)
    rename = Path.rename

    def broken(self: Path, target: Path) -> Path:
        if folder / "made" in (self, target) and target.parent.name != ".old":
            raise KeyboardInterrupt
        return rename(self, target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", broken)
        with pytest.raises(KeyboardInterrupt):
            write_site([study], folder)
    (kept,) = folder.glob(".site.*.part/.old")
    assert (kept / "made/report.html").is_file()
    (folder / MARK).rename(kept / MARK)
    with pytest.raises(UserError, match=r"was ended while it replaced .* move them back"):
        write_site([study], folder)
    assert (kept / "made/report.html").is_file()


@pytest.mark.usefixtures("quick")
def test_what_a_killed_process_has_left_is_removed_by_the_next_one(study: Path, tmp_path: Path) -> None:
    folder = tmp_path / "site"
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    names = {f".site.{gone.pid}.abc.part": False, f".site.{os.getppid()}.abc.part": True, ".site.x": True}
    for name in names:
        (tmp_path / name).mkdir()
    write_site([study], folder)
    assert {name: (tmp_path / name).exists() for name in names} == names


def test_a_site_that_is_there_is_made_in_itself_as_it_may_be_a_disk(
    study: Path, tmp_path: Path, quick: Callable[..., list[Path]], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "site"
    write_site([study], folder)
    made: list[Path] = []

    def look(one: Path, out: Path) -> list[Path]:
        made.append(out)
        return quick(one, out)

    monkeypatch.setattr(module, "write_report", look)
    write_site([study], folder)
    assert folder in made[0].parents
    assert {path.name for path in folder.iterdir()} == {".nojekyll", "index.html", "made", MARK}


@pytest.mark.usefixtures("quick")
def test_a_users_file_within_a_study_of_the_site_is_refused_and_not_deleted(
    study: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "site"
    write_site([study], folder)
    (folder / "made" / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match=r"made/notes.txt is not the site's.*; move the file out"):
        write_site([study], folder)
    assert (folder / "made/notes.txt").read_text() == "mine"


@pytest.mark.usefixtures("quick")
def test_a_link_to_nothing_is_in_the_way_too(study: Path, tmp_path: Path) -> None:
    folder = tmp_path / "site"
    write_site([study], folder)
    (folder / "made-2").symlink_to("nowhere")
    with pytest.raises(UserError, match="made-2 is not the site's"):
        write_site([study, study], folder)
    assert (folder / "made-2").is_symlink()


def test_no_two_studies_have_one_folder() -> None:
    assert module._folder_names(["tiny-2", "tiny", "tiny"]) == ["tiny-2", "tiny", "tiny-3"]
    assert module._folder_names(["Tiny", "tiny", "tiny-2"]) == ["tiny", "tiny-2", "tiny-2-2"]


def test_an_error_of_the_disk_names_the_site(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_one: Path, out: Path) -> list[Path]:
        raise OSError(28, "No space left on device", str(out))

    monkeypatch.setattr(module, "write_report", full)
    with pytest.raises(OSError, match="No space") as raised:
        write_site([study], tmp_path / "site")
    assert raised.value.filename == str(tmp_path / "site")


@pytest.mark.usefixtures("quick")
def test_code_of_a_users_network_goes_with_its_weights(tmp_path: Path) -> None:
    identity = "ab" * 32
    own = Made(name="own/net", gain=3.0, options={"code": identity})
    study = ReportStudy(variants=(*TWO, own), seeds=(0,), rates=(1e-3,), has_pictures=False).write(tmp_path)
    (study / run_name(2, 1e-3, 0) / store.WEIGHTS).write_bytes(b"weights")
    for name in (identity, "cd" * 32):  # the second is another variant's
        code = kept_code(study, name)
        code.mkdir(parents=True)
        (code / "net.py").write_text("...")
    write_site([study], tmp_path / "site")
    assert files(tmp_path / "site/made/model") == {
        "weights.safetensors", "README.md", f"code/{identity[:16]}/net.py",
    }  # fmt: skip
    assert "`code/` has the author's" in (tmp_path / "site/made/model/README.md").read_text()


@pytest.mark.usefixtures("quick")
def test_the_command_says_where_the_site_is_and_which_weights_are_missing(
    unfinished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "site"
    monkeypatch.setattr(sys, "argv", ["srlab", "publish", str(unfinished), "--to", str(out), "--json"])
    with pytest.raises(SystemExit) as ended:
        main()
    said = capsys.readouterr()
    assert not ended.value.code
    assert json.loads(said.out) == {
        "site": str(out / "index.html"),
        "studies": [{"name": "Made", "report": str(out / "made/report.html"), "model": None}],
    }
    assert "no weights of Made: no run of the study" in said.err
