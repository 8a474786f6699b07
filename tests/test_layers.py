"""What the layout promises: lower layers import no higher ones, and what needs no torch does not load it."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import srlab

ROOT = Path(srlab.__file__).parent

# From the ground up: what is named in a line may import what is named in a line above it.
FLOORS = [
    ["errors", "words"],
    ["files", "user_code"],
    ["pixels"],
    ["networks"],
    ["declare"],
    ["folder"],
    ["data", "verdicts"],
    ["training"],
    ["use"],
    ["lab", "show"],
    ["serve"],
    ["notebook", "cli"],
    ["__main__"],
]
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}

TORCH_FREE = [
    "srlab.words",
    "srlab.errors",
    "srlab.user_code.declared",
    "srlab.declare.checks",
    "srlab.pixels.images",
    "srlab.declare.metrics",
    "srlab.declare.protocol",
    "srlab.folder.scores",
    "srlab.folder.schema",
    "srlab.folder.reading",
    "srlab.folder.sessions",
    "srlab.folder.store",
    "srlab.folder.records",
    "srlab.folder.choice",
    "srlab.folder.winner",
    "srlab.use.models",
    "srlab.verdicts.pareto",
    "srlab.folder.profile_store",
    "srlab.verdicts",
    "srlab.show.leaderboard",
    "srlab.show.grid.html",
    "srlab.show.grid.terminal",
    "srlab.show.tables.board",
    "srlab.show.tables.standings",
    "srlab.lab.scheduler",
    "srlab.show.pictures",
    "srlab.show.report",
    "srlab.data.datasets",
    "srlab.data.download",
    "srlab.cli",
]


def room_of(path: Path) -> str:
    """``networks`` for ``networks/edsr.py``, ``files`` for ``files.py``."""
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imports(path: Path) -> Iterator[str]:
    """Rooms that a file imports from; imports inside a function count too, those for type checkers do not."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for_types = {
        node
        for test in ast.walk(tree)
        if isinstance(test, ast.If) and ast.unparse(test.test) == "TYPE_CHECKING"
        for node in ast.walk(test)
    }
    for node in ast.walk(tree):
        if node in for_types:
            continue
        if isinstance(node, ast.ImportFrom) and node.module == "srlab":
            yield from (alias.name for alias in node.names if alias.name in FLOOR)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("srlab."):
            yield (node.module or "").split(".")[1]
        elif isinstance(node, ast.Import):
            yield from (alias.name.split(".")[1] for alias in node.names if alias.name.startswith("srlab."))


def test_every_room_has_a_floor() -> None:
    assert {room_of(path) for path in ROOT.rglob("*.py")} - {"__init__"} == set(FLOOR)


def test_the_root_has_few_modules() -> None:
    assert len(list(ROOT.glob("*.py"))) <= 6


def test_nothing_imports_from_its_own_floor_or_one_above() -> None:
    upward = [
        f"{path.relative_to(ROOT)} imports {target}"
        for path in ROOT.rglob("*.py")
        if (room := room_of(path)) != "__init__"
        for target in imports(path)
        if target != room and FLOOR[target] >= FLOOR[room]
    ]
    assert upward == []


def test_no_file_is_imported_relatively() -> None:
    relative = [
        str(path.relative_to(ROOT))
        for path in ROOT.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and node.level
    ]
    assert relative == []


@pytest.mark.parametrize("module", TORCH_FREE)
def test_what_needs_no_torch_does_not_load_it(module: str) -> None:
    code = f"import sys, {module}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
