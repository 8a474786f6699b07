"""What the documentation promises: the tests, options and files that it names are there."""

import re
import sys
import tomllib
import types
from pathlib import Path
from typing import Any

import pytest
import torch

from srlab.networks import NETWORKS, build_network, num_parameters
from srlab.networks.complexity import multiply_adds, receptive_radius

ROOT = Path(__file__).parents[1]
SEED = (ROOT / "docs" / "seed.md").read_text(encoding="utf-8")
PAGES = [*sorted((ROOT / "docs").rglob("*.md")), *sorted(ROOT.glob("*.md"))]


def rows(prefix: str) -> dict[str, str]:
    """The rows of docs/seed.md that answer faults of one kind: {"W1": "the whole row", ...}."""
    found = {}
    for line in SEED.splitlines():
        if re.match(rf"\| {prefix}\d", line):
            for fault in line.split("|")[1].split(","):
                found[fault.strip()] = line
    return found


def test_every_fault_of_the_seed_has_an_answer() -> None:
    assert set(rows("W")) == {f"W{n}" for n in range(1, 23)}
    assert set(rows("B")) == {f"B{n}" for n in range(1, 11)}


@pytest.mark.parametrize(("fault", "row"), sorted((rows("W") | rows("B")).items()))
def test_every_answer_is_held_by_tests_that_are_there_or_is_open(fault: str, row: str) -> None:
    named = re.findall(r"`(tests/test_\w+\.py)` ([^;|]+)", row)
    assert named or "open" in row, fault
    for file, sentences in named:
        text = (ROOT / file).read_text(encoding="utf-8")
        for sentence in sentences.split(","):
            assert f"def test_{sentence.strip().replace(' ', '_')}(" in text, f"{fault}: {file} {sentence}"


def test_lr_is_an_image_and_never_a_rate() -> None:
    """Not one number is called lr: rates are learning_rate (B3)."""
    sources = (ROOT / "src").rglob("*.py")
    numbers = [
        f"{path.name}: {match.group()}"
        for path in sources
        for match in re.finditer(r"\blr(: float|=\s*\d|=learning|=rate)", path.read_text(encoding="utf-8"))
    ]
    assert numbers == []


def test_what_is_tested_is_pinned() -> None:
    """Every dependency has an exact version in constraints.txt, and one that the range admits (B5)."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    pinned = dict(
        line.lower().split("==")
        for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
        if "==" in line
    )
    assert pinned["torch"] == "2.13.0"
    for requirement in [*project["dependencies"], *project["optional-dependencies"]["dev"]]:
        name, at_least = requirement.lower().split(">=")
        assert tuple(map(int, pinned[name].split(".")[:2])) >= tuple(map(int, at_least.split(".")[:2])), name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_within_the_project_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    targets = re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)|src=\"([^\":]+)\"", text)
    missing = [
        target for pair in targets for target in pair if target and not (page.parent / target).exists()
    ]
    assert missing == []


def test_every_benchmark_is_started_once_by_the_long_tests() -> None:
    tried = (ROOT / "tests" / "test_whole_studies.py").read_text()
    assert [path.name for path in (ROOT / "benchmarks").glob("*.py") if f'("{path.name}"' not in tried] == []


def test_the_architecture_worked_through_in_contributing_works(monkeypatch: pytest.MonkeyPatch) -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    module: Any = types.ModuleType("srlab.networks.espcn")
    monkeypatch.setitem(sys.modules, module.__name__, module)  # where dataclasses look up their annotations
    exec(compile(code, "CONTRIBUTING.md", "exec"), module.__dict__)
    monkeypatch.setitem(NETWORKS, module.ESPCNOptions, module.ESPCN)

    (promised,) = re.findall(r"num_parameters\(PAPER, scale=3\)\n\s+(\d+)", code)
    assert num_parameters(module.PAPER, scale=3) == int(promised)
    network = build_network(module.ESPCNOptions(num_features=(4, 2), skip="bicubic"), scale=2)
    assert network(torch.rand(1, 3, 5, 7)).shape == (1, 3, 10, 14)
    assert receptive_radius(network) == 2 + 1 + 1
    assert multiply_adds(module.PAPER, scale=3) > 0
