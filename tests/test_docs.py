"""What the documentation promises: the tests, options and files that it names are there."""

import csv
import itertools
import math
import re
import sys
import tomllib
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats  # type: ignore[import-untyped]

from srlab.networks import NETWORKS, build_network, num_parameters
from srlab.networks.complexity import multiply_adds, receptive_radius
from srlab.verdicts import judge_scores, read_scores

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


NUMBER = r"[-+]\d+\.\d\d \[[-+]?\d+\.\d\d, [-+]?\d+\.\d\d\]"
SRCNN = ROOT / "docs" / "results" / "srcnn"


def table_rows(name: str) -> list[dict[str, str]]:
    """One table of the older study's report."""
    with (SRCNN / "tables" / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def shown_by(path: Path, value: str, low: str, high: str) -> set[str]:
    """The numbers with an interval in one table of a report, as a page writes them."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row[value]]
    return {with_interval(*(float(row[column]) for column in (value, low, high))) for row in rows}


def with_interval(value: float, low: float, high: float) -> str:
    ends = [f"{end:+.2f}" if round(end, 2) else "0.00" for end in (low, high)]
    return f"{value:+.2f} [{ends[0]}, {ends[1]}]"


PLANNED = {
    "c3_edsr": ("edsr/relu_after_add", "edsr/vanilla"),
    "c4_rdn": ("rdn/leaky_relu", "rdn/vanilla"),
    "c5_srresnet": ("srresnet/transfer_dense", "srresnet/transfer_wide"),
}


@pytest.mark.parametrize("name", PLANNED)
@pytest.mark.parametrize("page", ["README.md", "docs/results.md"])
def test_a_planned_comparison_is_told_as_its_scores_have_it(name: str, page: str) -> None:
    first, second = PLANNED[name]
    verdicts = judge_scores(
        read_scores(ROOT / "docs" / "results" / name / "scores.csv.gz"), primary=(first, second)
    )
    pair = next(one for one in verdicts.tables[0].pairs if {one.variant, one.other} == {first, second})
    sign = 1 if pair.variant == first else -1
    assert pair.interval is not None
    assert pair.estimate is not None
    ends = sorted((sign * pair.interval.low, sign * pair.interval.high))
    number = with_interval(sign * pair.estimate, *ends)
    words = [variant.rpartition("/")[2] for variant in (first, second)]
    rows = (ROOT / page).read_text(encoding="utf-8").splitlines()
    assert [row for row in rows if f"`{words[0]}`, `{words[1]}` | {number} |" in row], number


@pytest.mark.parametrize("name", ["c3_edsr", "c4_rdn"])
def test_a_table_of_variants_is_what_their_scores_say(name: str) -> None:
    table = judge_scores(read_scores(ROOT / "docs" / "results" / name / "scores.csv.gz")).tables[0]
    page = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
    section = page.partition(f"\n## {name[:2].upper()}: ")[2].partition("\n## ")[0]
    found = [line for line in section.splitlines() if re.match(r"\| \w+ \| [\d -]*\| \d", line)]
    expected = []
    for row in table.rows:
        words = [row.variant.rpartition("/")[2], "", f"{row.mean:.2f}", "", ""]
        if row.rank is not None:
            words[1], words[3] = f"{row.rank.best}-{row.rank.worst}", f"{row.sd:.2f}"
        if row.to_base is not None and row.to_base.interval is not None and row.to_base.estimate is not None:
            interval = row.to_base.interval
            words[4] = with_interval(row.to_base.estimate, interval.low, interval.high)
        expected.append(f"| {' | '.join(words)} |".replace("|  |", "| |").replace("|  |", "| |"))
    assert [line.replace("| 0.00 [", "| +0.00 [").replace("| -0.00 [", "| +0.00 [") for line in found] == [
        line.replace("| -0.00 [", "| +0.00 [") for line in expected
    ]


def test_the_readme_tells_the_older_study_as_the_report_that_it_links_to_does() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8").partition("An older study trained")[2]
    readme = " ".join(readme.split()).replace(" dB [", " [")
    assert "(docs/results/srcnn/report.html)" in readme
    variant, number, base, p = re.findall(
        rf"`(\w+)` is ({NUMBER}) above `(\w+)`\. This is not clear: .* p = ([\d.]+)\. ",
        readme,
    )[0]
    assert re.findall(NUMBER, readme) == [number]
    assert base == "vanilla"
    (row,) = [
        row for row in table_rows("leaderboard-all-sets-psnr_y.csv") if row["variant"] == f"srcnn/{variant}"
    ]
    assert number == with_interval(*(float(row[f"to_base{end}"]) for end in ("", "_low", "_high")))
    report = (SRCNN / "report.html").read_text(encoding="utf-8").replace("\N{MINUS SIGN}", "-")
    told = dict(
        (f"{value} {ends}", (outcome, f"{float(p_holm):.2f}"))
        for outcome, p_holm, value, ends in re.findall(
            r'data-key="to_base"[^>]* title="([a-z ]+); p = ([\d.]+) after Holm[^>]*>'
            r"([-+][\d.]+) <small>(\[[^]]+\])<",
            report.partition('data-key="ssim_y"')[0],
        )
    )
    assert told[number] == ("not told apart", p)


def test_the_effects_on_the_page_of_the_controls_are_those_of_its_file() -> None:
    page = (SRCNN / "controls.md").read_text(encoding="utf-8")
    quoted = set(re.findall(NUMBER, page))
    stored = shown_by(SRCNN / "controls-effects.csv", "effect", "effect_low", "effect_high")
    assert len(quoted) >= 6
    assert quoted <= stored


def test_how_much_set5_decides_is_what_the_scores_of_each_image_say() -> None:
    """docs/statistics.md: Set5's share of the images' part of the variance, and the pairs told apart."""
    with (SRCNN / "tables" / "images-psnr_y.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    variants = [name for name in rows[0] if name.startswith("srcnn/")]
    scores = {
        (name, dataset): np.array([float(row[name]) for row in rows if row["test_set"] == dataset])
        for name in variants
        for dataset in ("set5", "set14")
    }

    def part(one: str, other: str, dataset: str) -> tuple[float, float]:
        """Mean of the differences in one set, and the variance of that mean."""
        differences = scores[one, dataset] - scores[other, dataset]
        return float(differences.mean()), float(differences.var(ddof=1) / len(differences))

    winner, vanilla = "srcnn/pixel_shuffle_residual_leaky_relu", "srcnn/vanilla"
    five, fourteen = part(winner, vanilla, "set5")[1], part(winner, vanilla, "set14")[1]
    p_both, p_set14 = [], []
    for one, other in itertools.combinations(variants, 2):
        (mean5, var5), (mean14, var14) = part(one, other, "set5"), part(one, other, "set14")
        freedom = (var5 + var14) ** 2 / (var5**2 / 4 + var14**2 / 13)  # Welch
        p_both.append(2 * stats.t.sf(abs(mean5 + mean14) / math.sqrt(var5 + var14), freedom))
        p_set14.append(2 * stats.t.sf(abs(mean14) / math.sqrt(var14), 13))
    page = " ".join((ROOT / "docs" / "statistics.md").read_text(encoding="utf-8").split())
    assert f"Set5's five images make {100 * five / (five + fourteen):.0f} % of that part" in page
    assert f"tells apart {told_apart(p_both)} of the {len(p_both)} pairs" in page
    assert f"Set14 alone tells apart {told_apart(p_set14)}." in page


def told_apart(p_values: list[float]) -> int:
    """How many Holm's correction at 5 % rejects."""
    return sum(
        itertools.accumulate((p <= 0.05 / (len(p_values) - n) for n, p in enumerate(sorted(p_values))), min)
    )
