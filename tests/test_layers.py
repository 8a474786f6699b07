"""What the layout promises: lower layers import no higher ones, and what needs no torch does not load it."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import srlab

ROOT = Path(srlab.__file__).parent

LAYERS = [
    {
        "errors",
        "checks",
        "files",
        "protocol",
        "images",
        "color",
        "deep_color",
        "memory",
        "quiet",
        "metadata",
        "picture_files",
        "pil",
        "resize",
        "strips",
    },  # pixels
    {"degradations", "loss_values", "losses", "metrics", "networks"},  # parts
    {
        "objectives",
        "study",
        "shapes",
        "store",
        "scores",
        "records",
        "choice",
        "winner",
        "profile_store",
        "checkpoints",
        "data",
    },  # declarations, storage
    {
        "training",
        "evaluation",
        "scoring",
        "upscale",
        "models",
        "upscaler",
        "perceptual",
        "dists",
    },  # procedures
    {
        "planning",
        "claims",
        "sources",
        "scheduler",
        "execution",
        "comparison",
        "perceptual_scores",
        "profiling",
        "pareto",
        "verdicts",
        "leaderboard",
        "tables",
    },  # comparison
    {
        "pictures",
        "report",
        "ranking_on_image",
        "tensorboard_logs",
        "studies",
        "notebook",
        "cli",
        "__main__",
    },  # faces
]
RANK = {module: rank for rank, layer in enumerate(LAYERS) for module in layer}

TORCH_FREE = [
    "srlab.errors",
    "srlab.checks",
    "srlab.images",
    "srlab.protocol",
    "srlab.scores",
    "srlab.shapes",
    "srlab.store",
    "srlab.records",
    "srlab.choice",
    "srlab.winner",
    "srlab.models",
    "srlab.pareto",
    "srlab.profile_store",
    "srlab.verdicts",
    "srlab.leaderboard",
    "srlab.tables",
    "srlab.scheduler",
    "srlab.pictures",
    "srlab.report",
    "srlab.data.datasets",
    "srlab.data.download",
    "srlab.cli",
]


def module_of(path: Path) -> str:
    """``networks`` for ``networks/edsr.py``, ``store`` for ``store.py``."""
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imports(path: Path) -> Iterator[str]:
    """What a file imports of srlab; imports inside a function count too, those for type checkers do not."""
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
            yield from (alias.name for alias in node.names if alias.name in RANK)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("srlab."):
            yield (node.module or "").split(".")[1]
        elif isinstance(node, ast.Import):
            yield from (alias.name.split(".")[1] for alias in node.names if alias.name.startswith("srlab."))


def test_every_module_has_a_layer() -> None:
    assert {module_of(path) for path in ROOT.rglob("*.py")} - {"__init__"} == set(RANK)


def test_no_module_imports_from_a_higher_layer() -> None:
    upward = [
        f"{path.relative_to(ROOT)} imports {target}"
        for path in ROOT.rglob("*.py")
        if module_of(path) != "__init__"
        for target in imports(path)
        if RANK[target] > RANK[module_of(path)]
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
