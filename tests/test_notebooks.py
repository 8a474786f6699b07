"""What the notebooks promise: each runs as it is stored, and what is stored with it is of that code."""

import importlib.util
import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_notebook

from tiny_study import write_pictures

FOLDER = Path(__file__).parents[1] / "notebooks"
NAMES = ["01_srcnn", "02_vdsr", "03_edsr", "04_rdn", "05_srresnet", "06_srgan"]
MOST_BYTES = 600_000  # of a notebook with all that it shows

every_notebook = pytest.mark.parametrize("name", NAMES)


def read(path: Path) -> NotebookNode:
    return nbformat.read(path, as_version=4)


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def outputs(notebook: NotebookNode) -> list[NotebookNode]:
    return [output for cell in code_cells(notebook) for output in cell.outputs]


def shown(notebook: NotebookNode, media_type: str) -> list[str]:
    """Everything of one media type that the cells show."""
    return [output.data[media_type] for output in outputs(notebook) if media_type in output.get("data", {})]


@dataclass(frozen=True)
class Executed:
    """All notebooks at one step each on small pictures, the first of them a broken one."""

    folder: Path
    code: int
    errors: str


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> Executed:
    into = tmp_path_factory.mktemp("notebooks")
    broken = into / "00_broken.ipynb"
    parameters = new_code_cell("STEPS = 0", metadata={"tags": ["parameters"]})
    nbformat.write(new_notebook(cells=[parameters, new_code_cell("'kaput' / STEPS")]), broken)
    settings = {
        "STEPS": 1,
        "TRAIN": write_pictures(into / "train", 2, seed=1, size=100),
        "VALIDATE": write_pictures(into / "few", 1, seed=2, size=96),
        "TEST": write_pictures(into / "set", 1, seed=3, size=96),
    }
    words = [word for name, value in settings.items() for word in ("--set", f"{name} = {value!r}")]
    (into / "jupyter").mkdir()
    own = {"JUPYTER_RUNTIME_DIR": str(into / "jupyter"), "IPYTHONDIR": str(into / "jupyter")}
    notebooks = [str(broken), *(f"{name}.ipynb" for name in NAMES)]
    done = subprocess.run(
        [sys.executable, str(FOLDER / "execute.py"), *notebooks, "--into", str(into), *words],
        env={**os.environ, "OMP_NUM_THREADS": "1", **own},
        capture_output=True,
        text=True,
        check=False,
    )
    return Executed(folder=into, code=done.returncode, errors=done.stderr)


@every_notebook
def test_a_notebook_runs_from_its_first_cell_to_its_last(name: str, executed: Executed) -> None:
    notebook = read(executed.folder / f"{name}.ipynb")
    assert [cell.execution_count for cell in code_cells(notebook)] == list(
        range(1, len(code_cells(notebook)) + 1)
    )
    errors = [output for output in outputs(notebook) if output.output_type == "error"]
    assert errors == [], executed.errors


@every_notebook
def test_it_shows_data_network_curves_standings_and_pictures(name: str, executed: Executed) -> None:
    notebook = read(executed.folder / f"{name}.ipynb")
    words = shown(notebook, "text/plain")
    assert "LR and HR patches" in words
    assert any("Multiply-adds:" in text for text in words)
    assert any(text.endswith(", drawn") for text in words)
    assert any(re.fullmatch(r"(\d+) of \1 runs finished, .* s of training", text) for text in words)
    assert any("| bicubic |" in text for text in shown(notebook, "text/markdown"))
    assert any(re.fullmatch(r"[\w ]+, x\d: 0 of set", text) for text in words)


def test_the_notebooks_are_those_of_the_folder_and_its_page() -> None:
    assert sorted(path.stem for path in FOLDER.glob("*.ipynb")) == NAMES
    page = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert re.findall(r"\[(\d\d_\w+)\]\(\1\.ipynb\)", page) == NAMES


@every_notebook
def test_what_is_stored_is_a_valid_notebook_with_parameters_and_a_question(name: str) -> None:
    notebook = read(FOLDER / f"{name}.ipynb")
    nbformat.validate(notebook)
    parameters = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", ())]
    assert len(parameters) == 1
    assert re.findall(r"^[A-Z, ]+(?= = )", parameters[0].source, flags=re.MULTILINE) == [
        "STEPS",
        "TRAIN, VALIDATE, TEST",
        "FOLDER",
    ]
    assert "**The question:**" in notebook.cells[0].source
    assert notebook.cells[-1].source.startswith("## What this shows, and what it cannot")


@every_notebook
def test_what_is_stored_is_the_output_of_the_code_beside_it(name: str) -> None:
    spec = importlib.util.spec_from_file_location("execute", FOLDER / "execute.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    notebook = read(FOLDER / f"{name}.ipynb")
    again = f"run `python notebooks/execute.py {name}.ipynb`, which executes it as it now is"
    assert notebook.metadata.get("srlab", {}).get("code_sha256") == module.code_hash(notebook), again
    counts = [cell.execution_count for cell in code_cells(notebook)]
    assert counts == list(range(1, len(counts) + 1)), again
    assert not [output for output in outputs(notebook) if output.output_type == "error"]


@every_notebook
def test_what_is_stored_is_small_and_names_no_place_of_a_machine(name: str) -> None:
    path = FOLDER / f"{name}.ipynb"
    assert path.stat().st_size < MOST_BYTES
    notebook = read(path)
    for output in outputs(notebook):
        for media_type in ("image/png", "image/jpeg"):
            output.get("data", {}).pop(media_type, None)  # letters that mean nothing
    text = json.dumps(notebook)
    assert re.findall(r"(?<![\w:/.])/(?:home|root|tmp|Users|work|mnt|var|usr|opt)/[^\"]*", text) == []
    assert re.findall(r"\b[A-Z]:\\\\\w+", text) == []


def test_a_notebook_that_fails_is_said_and_stops_no_other(executed: Executed) -> None:
    assert executed.code == 1
    assert "unsupported operand" in executed.errors
    assert "kaput" in json.dumps(read(executed.folder / "00_broken.ipynb").cells)
