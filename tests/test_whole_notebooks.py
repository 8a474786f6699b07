"""What whole notebooks promise: each runs at its own length. Minutes each, so only `make test-slow`."""

import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

pytestmark = pytest.mark.slow

FOLDER = Path(__file__).parents[1] / "notebooks"


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.ipynb")), ids=lambda path: path.stem)
def test_a_notebook_runs_whole(path: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(FOLDER / "execute.py"), path.name, "--into", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    stored, executed = (nbformat.read(folder / path.name, as_version=4) for folder in (FOLDER, tmp_path))
    assert executed.metadata["srlab"]["code_sha256"] == stored.metadata["srlab"]["code_sha256"]
