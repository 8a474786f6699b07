"""What `srlab data` promises: paths and JSON on standard output, words on standard error, exit codes."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from srlab.cli import main
from srlab.data.catalogue import CATALOGUE
from srlab.data.weights import WEIGHTS

Srlab = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SRLAB_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


@pytest.fixture
def srlab(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Srlab:
    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["srlab", *words])
        with pytest.raises(SystemExit) as exit_info:
            main()
        out, err = capsys.readouterr()
        return int(exit_info.value.code or 0), out, err

    return run


@pytest.fixture
def five(tmp_path: Path) -> Path:
    folder = tmp_path / "five"
    folder.mkdir()
    for n in range(5):
        pixels = np.random.default_rng(n).integers(0, 256, (8, 8, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{n}.png")
    return folder


def test_list_shows_every_set_and_where_they_lie(srlab: Srlab, data: Path) -> None:
    code, out, err = srlab("data", "list")
    assert code == 0
    sets, _, weights = out.partition("\n\n")
    assert [line.split()[0] for line in sets.splitlines()] == ["set", *CATALOGUE]
    assert [line.split()[0] for line in weights.splitlines()] == ["weights", *WEIGHTS]
    assert str(data) in err.replace("\n", "")


def test_list_as_json_is_one_object_and_tells_what_is_there(srlab: Srlab, data: Path, five: Path) -> None:
    code, out, _ = srlab("data", "list", "--json")
    before = json.loads(out)
    assert code == 0
    assert before["folder"] == str(data)
    present = {row["name"]: row["present"] for row in before["sets"]}
    assert present == {name: name == "sample" for name in CATALOGUE}
    srlab("data", "add", "set5", str(five))
    rows = {row["name"]: row for row in json.loads(srlab("data", "list", "--json")[1])["sets"]}
    assert rows["set5"]["present"] is True
    assert rows["set5"]["folder"] == str(data / "set5")
    assert rows["div2k_train"]["checksum"].startswith("sha256:")
    assert rows["291"]["parts"] == ["t91", "bsds200"]


def test_add_prints_where_the_set_is_now(srlab: Srlab, data: Path, five: Path) -> None:
    code, out, err = srlab("data", "add", "set5", str(five))
    assert (code, out) == (0, f"{data / 'set5'}\n")
    assert "added set5, 5 images" in err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("get", "manga109"), "ask for it at"),
        (("get", "sett5"), "did you mean set5?"),
        (("add", "set14", "nowhere"), "does not exist"),
    ],
)
def test_what_the_user_can_set_right_is_one_line_and_exit_2(
    srlab: Srlab, words: tuple[str, ...], message: str
) -> None:
    code, out, err = srlab("data", *words)
    assert (code, out) == (2, "")
    assert err.startswith("srlab: ")
    assert message in err
    assert err.count("\n") == 1


def test_a_data_folder_that_cannot_be_written_is_one_line_and_exit_2(
    srlab: Srlab, five: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("SRLAB_DATA", str(tmp_path / "file" / "data"))
    code, out, err = srlab("data", "add", "set5", str(five))
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "should be a folder, but a file has that name" in err


def test_the_help_of_add_shows_no_archive_because_add_takes_a_folder(srlab: Srlab, tmp_path: Path) -> None:
    (tmp_path / "T91.zip").write_bytes(b"PK")
    code, _, err = srlab("data", "add", "t91", str(tmp_path / "T91.zip"))
    assert code == 2
    assert "is a file" in err
    _, out, _ = srlab("data", "add", "--help")
    assert ".zip" not in out
