"""What docs/python.md promises: its examples run, and it names every public name."""

import re
from pathlib import Path

import pytest
from PIL import Image

import srlab
from made_study import MadeRun, MadeStudy, scene

PAGE = Path(__file__).parents[1] / "docs" / "python.md"


def test_the_examples_run_one_after_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made = MadeStudy(runs=[MadeRun(variant="srcnn/vanilla", psnr_y=30.0)], has_weights=True).write(tmp_path)
    (tmp_path / "runs").mkdir()
    made.rename(tmp_path / "runs" / "srcnn")
    Image.fromarray(scene(40, 50)).save(tmp_path / "photo.png")
    monkeypatch.chdir(tmp_path)
    examples = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert len(examples) >= 5
    exec(compile("\n".join(examples), str(PAGE), "exec"), {"__name__": "docs"})
    assert "srcnn/vanilla 2 srcnn-vanilla-lr0.001-seed0, the winner of runs/srcnn" in capsys.readouterr().out
    assert (tmp_path / "photo-large.png").is_file()


def test_every_public_name_is_on_the_page() -> None:
    named = set(re.findall(r"`(\w+)`", PAGE.read_text(encoding="utf-8").partition("## All public names")[2]))
    assert named >= {name for name in srlab.__all__ if not name.startswith("_")}
