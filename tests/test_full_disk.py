"""What a full disk promises: a line that names the file and says what to do, and no half of a file."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from srlab.cli import main
from srlab.errors import UserError
from srlab.folder import store
from srlab.folder.checkpoints import save_checkpoint, save_weights
from srlab.lab.scheduler import explain
from srlab.networks import SRCNNOptions, build_network
from srlab.networks.diagram import plot
from srlab.pixels.images import Picture
from srlab.pixels.picture_files import write_picture
from srlab.training.monitor import Monitor
from srlab.use.scoring import save_picture
from tiny_study import write_study_file

if sys.platform == "win32":
    pytest.skip("needs a limit on the size of files", allow_module_level=True)

from test_download import largest_file

NOISE = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)


def weights(path: Path) -> None:
    options = SRCNNOptions()
    save_weights(path, build_network(options, scale=2), variant="a", options=options, scale=2)


@pytest.mark.parametrize(
    "write",
    [
        lambda path: save_checkpoint(path, {"step": 3, "text": 9000 * "a"}),
        weights,
        lambda path: save_picture(path, NOISE),
        lambda path: store.write_text(path, 9000 * "a"),
        lambda path: write_picture(path, Picture(name="a", pixels=NOISE)),
        lambda path: plot(SRCNNOptions(), path, scale=2, title="a"),
    ],
    ids=["checkpoint", "weights", "picture of a run", "text", "picture", "diagram"],
)
def test_the_file_is_named_with_what_to_do_and_stays_as_it_was(
    tmp_path: Path, write: Callable[[Path], object]
) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"before")
    with largest_file(1000), pytest.raises((OSError, UserError)) as caught:
        write(path)
    said = explain(caught.value)
    assert said.startswith(f"{path} c")
    assert "ile too large; raise the limit" in said
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(("length", "name"), [(2000, "metrics.jsonl"), (0, "tensorboard/events.out")])
def test_logs_are_named_too(tmp_path: Path, length: int, name: str) -> None:
    (tmp_path / "metrics.jsonl").write_bytes(length * b" ")

    def log_much() -> None:
        with Monitor(tmp_path, lengths={"metrics.jsonl": length}) as monitor:
            for step in range(100):
                monitor.values(step, {f"train/{scalar}": 1.0 for scalar in "abcdefgh"})

    with largest_file(2000), pytest.raises(OSError, match="File too large") as caught:
        log_much()
    assert str(caught.value.filename).startswith(str(tmp_path / name))


def test_a_study_on_a_full_disk_ends_with_2_and_goes_on_when_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["srlab", "study", str(write_study_file(tmp_path)), "--out", "out", "--no-estimate"]
    monkeypatch.setattr(sys, "argv", words)
    for limit in (300, 9000):
        with largest_file(limit), pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == 2
        said = capsys.readouterr().err
        assert "Traceback" not in said
        assert "out/" in said
        assert "file too large; raise the limit on a file's size (ulimit -f)" in said
        assert list(Path("out").rglob(".*.part")) == []
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code
    capsys.readouterr()
    with largest_file(100), pytest.raises(SystemExit) as ended:  # nothing is left that needs room
        main()
    said = capsys.readouterr().err
    assert not ended.value.code, said
    assert "0 left to do" in said


@pytest.mark.parametrize("as_json", [False, True])
def test_the_answer_is_printed_though_nothing_more_can_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], as_json: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["srlab", "study", str(write_study_file(tmp_path)), "--out", "out", "--no-estimate"]
    monkeypatch.setattr(sys, "argv", words)
    with pytest.raises(SystemExit):
        main()
    for path in (Path("out/leaderboard.csv"), *Path("out/pictures").iterdir()):
        path.unlink()
    capsys.readouterr()
    monkeypatch.setattr(sys, "argv", [*words, "--json"] if as_json else words)
    with largest_file(100), pytest.raises(SystemExit) as ended:
        main()
    said = capsys.readouterr()
    assert ended.value.code == 2
    assert "tiny/edsr" in said.out
    assert "leaderboard.csv cannot be used: file too large" in said.err
    if as_json:
        assert json.loads(said.out)["files"] == []
