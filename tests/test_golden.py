"""What outputs promise: no digit, row, word or file of them changes unnoticed. See tests/golden/README.md."""

import json
import os
import shutil
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from golden_outputs import GOLDEN, Case, difference, run, transcript
from srlab.declare.studies import NAMES
from srlab.networks import PRESETS

RENEW = os.environ.get("SRLAB_RENEW_GOLDEN") == "1"
HOW_TO_RENEW = (
    "If this is meant, name it in CHANGELOG.md and run\n"
    "    SRLAB_RENEW_GOLDEN=1 python -m pytest tests/test_golden.py\n"
    "then read `git diff tests/golden/expected`."
)
AS_STORED = "--device cpu --threads 1 --precision fp32"


def of_study(study: str, first: str, second: str) -> Iterator[Case]:
    """Every command that reads a study."""

    def case(name: str, words: str, **others: Any) -> Case:
        return Case(f"{study}/{name}", words, **others)

    board = "--csv out/board.csv --markdown out/board.md --latex out/board.tex"
    yield case("leaderboard", f"leaderboard {study}")
    yield case("leaderboard-wide", f"leaderboard {study} --wide --notes")
    yield case("leaderboard-files", f"leaderboard {study} --json {board}")
    yield case("compare", f"compare {study} {first} {second}")
    yield case("compare-terminal", f"compare {study} {first} {second}", columns=60)
    yield case("compare-json", f"compare {study} {first} {second} --json")
    yield case("compare-bicubic", f"compare {study} {first} bicubic --level 0.9")
    yield case("perceptual", f"perceptual {study}")
    yield case("perceptual-json", f"perceptual {study} --json")
    yield case("evaluate", f"evaluate {study} --data data/four", near=0.02)
    yield case("upscale", f"upscale data/four/b.png out/large.png --model {study}")
    plan = f"study {study}.py --out {study} {AS_STORED} --plan --no-estimate"
    yield case("plan", plan)
    yield case("plan-json", f"{plan} --json")


SLOW = [  # so not of every study
    Case("plain/report", "report plain --out out/report.html"),
    Case("adversarial/report", "report adversarial --out out/report.html --base srgan/plain --json"),
    Case("unfinished/report", "report unfinished --out out/report.html --figures out/figures"),
    Case("adversarial/leaderboard-terminal", "leaderboard adversarial", columns=100),
    Case("unfinished/leaderboard-terminal", "leaderboard unfinished", columns=50),
    Case("plain/profile-json", "profile plain --json"),
    Case("adversarial/profile", "profile adversarial"),
    Case("adversarial/pictures", "pictures adversarial --out out --json"),
    Case("unfinished/pictures", "pictures unfinished --out out"),
    Case("plain/image", "pictures plain --out out --image data/four/b.png --all --json", near=0.02),
    Case("adversarial/image", "pictures adversarial --out out --image data/four/b.png", near=0.02),
    Case("plain/again", f"study plain.py --out plain {AS_STORED} --no-estimate --json", writes=True),
]
SHIPPED = [  # as JSON, which has more; those that take seconds only so
    Case(f"shipped/{name}{ending}", f"study {name} {AS_STORED} --plan --no-estimate{option}")
    for name in NAMES
    for ending, option in (("-json", " --json"), ("", ""))
    if option or name not in ("srresnet", "srgan", "classic")
]
DRAWN = ("bicubic", "srcnn/paper_915", "vdsr/pixel_shuffle", "edsr/batch_norm", "rdn/paper", "srresnet/dense")
NETWORKS = [
    Case("networks/list", "networks"),
    Case("networks/list-terminal", "networks edsr --scale 2", columns=80),
    Case("networks/changed", "networks edsr/baseline --scale 3 --set num_blocks=2 --set activation=prelu"),
    Case("networks/discriminator", "networks discriminator --hr-patch-size 64"),
    Case("networks/discriminator-json", "networks discriminator --json"),
    Case("networks/discriminator-diagram", "networks discriminator --plot out/drawn.svg"),
    *(Case(f"networks/{name.replace('/', '-')}", f"networks {name}") for name in PRESETS),
    *(
        Case(f"networks/{name.replace('/', '-')}-diagram", f"networks {name} --json --plot out/drawn.svg")
        for name in DRAWN
    ),
]
OTHERS = [
    Case("others/models", "models"),
    Case("others/models-json", "models --json"),
    Case("others/models-verify", "models --verify"),
    Case("others/data-list", "data list"),
    Case("others/data-list-json", "data list --json"),
    Case(
        "others/train-plan",
        f"train srcnn/residual --train data/train --test data/set5 {AS_STORED} --plan --no-estimate",
    ),
    Case("others/evaluate-bicubic", "evaluate bicubic --scale 2 --data data/set5 --json", near=0.02),
]
CASES = [
    *of_study("plain", "srcnn/skip_leaky", "srcnn/base"),
    *of_study("adversarial", "srgan/dense", "srgan/plain"),
    *of_study("unfinished", "srcnn/leaky", "srcnn/base"),
    *SLOW,
    *SHIPPED,
    *NETWORKS,
    *OTHERS,
]
TENSORBOARD = [
    Case(f"{study}/tensorboard", f"tensorboard {study} --host 127.0.0.1 --port PORT")
    for study in ("plain", "adversarial", "unfinished")
]


def compare(case: Case, found: str) -> None:
    """With what is stored, or store it."""
    if RENEW:
        case.path.parent.mkdir(parents=True, exist_ok=True)
        case.path.write_text(found, encoding="utf-8")
    expected = case.path.read_text(encoding="utf-8") if case.path.exists() else ""
    if lines := difference(expected, found, near=case.near):
        pytest.fail(f"srlab {case.words}\n{lines}\n\n{HOW_TO_RENEW}", pytrace=False)


@pytest.fixture(scope="module")
def studies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy to read: a command that wrongly writes does not touch the stored ones."""
    return Path(shutil.copytree(GOLDEN / "studies", tmp_path_factory.mktemp("golden") / "studies"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_it_prints_and_writes_what_it_did(
    case: Case,
    studies: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = Path(shutil.copytree(studies, tmp_path / "studies")) if case.writes else studies
    found = transcript(case, folder, monkeypatch, capsys)
    compare(case, found)


def test_every_stored_output_is_of_a_command() -> None:
    known = {case.path for case in (*CASES, *TENSORBOARD)}
    stored = set((GOLDEN / "expected").rglob("*.txt"))
    if RENEW:
        for path in stored - known:
            path.unlink()
        return
    assert stored == known


@pytest.mark.parametrize("case", TENSORBOARD, ids=lambda case: case.name)
def test_tensorboard_names_the_best_runs_before_it_finds_its_port_in_use(
    case: Case, studies: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The event files, which nothing reads here, are not stored."""
    for log in studies.glob("*/*/metrics.jsonl"):
        (log.parent / "tensorboard").mkdir(exist_ok=True)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        found = transcript(
            replace(case, words=case.words.replace("PORT", port)), studies, monkeypatch, capsys
        )
    compare(case, found.replace(port, "PORT"))


def test_the_interrupted_run_goes_on_from_its_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path(shutil.copytree(GOLDEN / "studies", tmp_path / "studies"))
    interrupted = folder / "unfinished" / "srcnn-skip-lr0.003-seed1"
    log = interrupted / "metrics.jsonl"
    before = log.read_text(encoding="utf-8").splitlines()
    monkeypatch.chdir(folder)
    words = f"study unfinished.py --out unfinished --variants skip {AS_STORED} --no-estimate"
    assert run(words, columns=None, patch=monkeypatch) == 0
    after = log.read_text(encoding="utf-8").splitlines()
    assert after[: len(before)] == before
    assert [json.loads(lines[-1])["step"] for lines in (before, after)] == [40, 100]
    result = json.loads((interrupted / "result.json").read_text(encoding="utf-8"))
    assert (result["status"], result["step"]) == ("finished", 100)


TABLE = "| srcnn/base | 31.21 | 0.8684 | 0.123456789012 |"


@pytest.mark.parametrize("changed", ["31.22", "0.8685", "srcnn/base2", "0.123456889012"])
def test_another_digit_or_letter_is_a_difference(changed: str) -> None:
    (word,) = [word for word in TABLE.split() if word[:4] == changed[:4] and len(word) >= len(changed) - 1]
    assert changed in difference(TABLE, TABLE.replace(word, changed))


def test_a_missing_row_is_a_difference() -> None:
    assert difference(f"{TABLE}\n{TABLE}", TABLE)


def test_the_last_digits_of_an_unrounded_number_are_the_processors() -> None:
    assert difference(f"{TABLE} 0.0", f"{TABLE.replace('9012', '9034')} 2.2e-16") == ""


def test_numbers_that_rest_on_a_networks_sums_may_be_near() -> None:
    assert difference(TABLE, TABLE.replace("31.21", "31.22"), near=0.02) == ""
    assert difference(TABLE, TABLE.replace("31.21", "31.24"), near=0.02)
