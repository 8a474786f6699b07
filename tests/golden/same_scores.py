"""Do two versions of srlab train the same weights and count the same scores, bit for bit?

    python tests/golden/same_scores.py HEAD~20            against the working tree
    python tests/golden/same_scores.py v1 v2 --steps 30   against each other

Trains the study `smoke` with each, on this machine with one thread. Elsewhere the result may be another.
"""

import argparse
import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import torch
from safetensors.torch import load_file

ROOT = Path(__file__).parents[2]


def sources(commit: str | None, folder: Path) -> Path:
    """Where a version's package lies; the working tree's without a commit."""
    if commit is None:
        return ROOT / "src"
    archive = ["git", "-C", str(ROOT), "archive", commit, "src"]
    packed = subprocess.run(archive, check=True, capture_output=True).stdout
    with tarfile.open(fileobj=io.BytesIO(packed)) as found:
        found.extractall(folder, filter="data")
    return folder / "src"


def train(source: Path, out: Path, *, steps: int) -> None:
    settings = [
        "--steps",
        str(steps),
        "--device",
        "cpu",
        "--threads",
        "1",
        "--out",
        str(out),
        "--no-estimate",
    ]
    environment = os.environ | {"PYTHONPATH": str(source), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "srlab", "study", "smoke", *settings]
    subprocess.run(command, check=True, env=environment, cwd=out.parent, stdout=subprocess.DEVNULL)


def outcome(study: Path) -> dict[str, object]:
    """Every tensor of the weights, and every score, by the file and the name in it."""
    found: dict[str, object] = {}
    for path in sorted(study.rglob("*.safetensors")):
        found |= {f"{path.relative_to(study)}: {name}": value for name, value in load_file(path).items()}
    for path in sorted(study.rglob("scores.json")):
        for score in json.loads(path.read_text())["scores"]:
            place = f"{path.relative_to(study)}: {score['dataset']} {score['image']} {score['metric']}"
            found[place] = score["value"]
    return found


def is_same(one: object, other: object) -> bool:
    if isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor):
        return one.dtype == other.dtype and torch.equal(one, other)
    return one == other


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("before")
    parser.add_argument("after", nargs="?", help="a commit; without it, the working tree")
    parser.add_argument("--steps", type=int, default=30)
    asked = parser.parse_args()
    outcomes = []
    with tempfile.TemporaryDirectory() as folder:
        for place, commit in enumerate((asked.before, asked.after)):
            here = Path(folder, str(place))
            here.mkdir()
            train(sources(commit, here), here / "smoke", steps=asked.steps)
            outcomes.append(outcome(here / "smoke"))
    before, after = outcomes
    different = [name for name in before if not is_same(before[name], after.get(name))]
    different += [name for name in after if name not in before]
    print("\n".join(different) or f"the same: {len(before)} tensors and scores")  # noqa: T201
    sys.exit(bool(different))


if __name__ == "__main__":
    main()
