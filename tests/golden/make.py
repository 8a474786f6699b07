"""Train the stored studies anew, and the pictures that they take: see README.md, which says when.

python tests/golden/make.py squeezenet_v1.1_features_keras.h5
"""

import json
import platform
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from srlab.folder.choice import update_choice
from srlab.folder.sessions import cpu_name

STUDIES = Path(__file__).parent / "studies"
PICTURES = {  # by set: width and height; some that 2 does not divide, and a grey picture
    "train": [(40, 40)] * 4,
    "validate": [(28, 26), (26, 28)],
    "set5": [(26, 24), (24, 26), (27, 25), (24, 24), (26, 26)],
    "four": [(28, 24), (25, 27), (24, 26), (24, 24)],
}
GREY = ("four", 3)
AS_STORED = ("--device", "cpu", "--threads", "1", "--precision", "fp32", "--no-estimate")
BUSY = STUDIES / "unfinished" / "srcnn-leaky-lr0.003-seed0"  # on a machine with much else to do
OLD = STUDIES / "unfinished" / "srcnn-base-lr0.003-seed0"  # with an earlier torch
INTERRUPTED = "srcnn-skip-lr0.003-seed1"
ONE_OF_A_VARIANT = ("summary.txt", "diagram.svg", "discriminator.txt", "discriminator.svg")
NOT_NEEDED = ("pictures", "tensorboard", "study.lock", "run.lock", "leaderboard.csv", "leaderboard.md")


def picture(width: int, height: int, *, seed: int) -> Image.Image:
    """Fine stripes in two colors: bicubic blurs them, and a tiny network soon learns to sharpen them."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    angle, period = rng.uniform(0, np.pi), rng.uniform(5.2, 5.8)
    stripes = np.sin(2 * np.pi * (x * np.cos(angle) + y * np.sin(angle)) / period)[..., None]
    middle, contrast = rng.integers(90, 166, 3), rng.integers(50, 70, 3)
    bend = 20 * np.sin(x / 9 + y / 13 + angle)[..., None]
    return Image.fromarray(np.rint(middle + contrast * stripes + bend).clip(0, 255).astype(np.uint8))


def write_pictures() -> None:
    for number, (name, sizes) in enumerate(PICTURES.items()):
        folder = STUDIES / "data" / name
        folder.mkdir(parents=True, exist_ok=True)
        for index, size in enumerate(sizes):
            made = picture(*size, seed=100 * number + index)
            made.convert("L" if (name, index) == GREY else "RGB").save(folder / f"{'abcde'[index]}.png")


def start(*words: str) -> "subprocess.Popen[bytes]":
    """The command line, among the stored studies."""
    return subprocess.Popen([sys.executable, "-m", "srlab", *words], cwd=STUDIES)


def srlab(*words: str) -> None:
    if start(*words).wait():
        raise SystemExit(f"failed: srlab {' '.join(words)}")


def study(name: str) -> tuple[str, ...]:
    return "study", f"{name}.py", "--out", name, *AS_STORED


def leave_unfinished() -> None:
    """Kill the study while one run trains; then make another one fail, which holds up what starts from it."""
    folder = STUDIES / "unfinished"
    srlab(*study("unfinished"), "--variants", "base,leaky,wild")
    process = start(*study("unfinished"))
    while not (folder / INTERRUPTED / "checkpoint.pt").exists():
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    failed = folder / "srcnn-leaky-lr0.003-seed1"
    for name in ("weights.safetensors", "scores.json", "result.json"):
        (failed / name).unlink()
    (failed / "failure.txt").write_text("no space left on device\n\nTraceback (most recent call last):\n")
    for run in folder.glob("srcnn-after_leaky-*"):
        shutil.rmtree(run)
    for seed in (0, 1):
        blocked = folder / f"srcnn-after_leaky-lr0.01-seed{seed}" / "blocked.txt"
        blocked.parent.mkdir()
        blocked.write_text(f"srcnn/leaky has no learning rate yet: {failed.name} failed\n")
    update_choice(folder)


def tidy(folder: Path) -> None:
    """Without what no command reads or is alike in many runs, and without the machine's names and times."""
    for path in [found for found in folder.rglob("*") if found.name in NOT_NEEDED]:
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    kept = set()
    for path in sorted(found for found in folder.glob("*/*") if found.name in ONE_OF_A_VARIANT):
        variant = path.parent.name.partition("-lr")[0]
        if (variant, path.name) in kept:
            path.unlink()
        kept.add((variant, path.name))
    for path in folder.glob("*/metrics.jsonl"):
        lines = path.read_text().splitlines(keepends=True)
        path.write_text("".join(line for line in lines if "psnr_y" in line))
    for number, path in enumerate(sorted(folder.glob("*/result.json"))):
        result = json.loads(path.read_text())
        result["processor_seconds"] = 2 + number / 8
        result["seconds"] = result["processor_seconds"] * (3 if path.parent == BUSY else 1.1)
        path.write_text(json.dumps(result, indent=2) + "\n")
    for path in [*folder.glob("*/provenance.json"), *folder.glob("profile.json")]:
        text = path.read_text().replace(platform.platform(), "Linux").replace(cpu_name(), "a processor")
        path.write_text(text.replace(torch.__version__, "2.10.0") if path.parent == OLD else text)


def make(squeezenet: str) -> None:
    write_pictures()
    for name in ("plain", "adversarial"):
        srlab(*study(name))
        srlab("profile", name, "--threads", "1", "--size", "64x48")
    for _ in range(2):  # the distance may choose other rates, whose runs are then scored
        srlab("perceptual", "adversarial", "--squeezenet", squeezenet)
        srlab(*study("adversarial"))
    leave_unfinished()
    for name in ("plain", "adversarial", "unfinished"):
        tidy(STUDIES / name)


if __name__ == "__main__":
    make(str(Path(sys.argv[1]).resolve()))
