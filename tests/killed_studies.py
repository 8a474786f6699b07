"""A study with a transfer and a GAN that is killed and started again: a program for test_killed_studies.py.

``killed_studies.py train FOLDER DATA SEEDS JOBS`` carries the study out; `killed` starts that again and again
and kills its main process, or one of its workers, after some changes of files in FOLDER.
"""

import os
import random
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import psutil  # type: ignore[import-untyped]

from srlab.declare.objectives import AdversarialObjective
from srlab.declare.protocol import TrainingProtocol
from srlab.declare.start import Start
from srlab.declare.study import Study, Variant
from srlab.lab.comparison import compare
from srlab.networks import SRResNetOptions, discriminator
from srlab.training.machine import Machine
from tiny_study import write_pictures

PROTOCOL = TrainingProtocol(
    num_steps=16, batch_size=2, lr_patch_size=24, precision="fp32", validate_every=8, checkpoint_every=4
)
SMALL = SRResNetOptions(num_blocks=1, num_features=4)
SMALLER = SRResNetOptions(num_blocks=1, num_dense_blocks=1, num_features=4, trunk_conv=False)

if __name__ in ("__main__", "__mp_main__"):  # here and in the workers, never in the tests' own process
    discriminator.WIDTHS = (4,) * 8  # whole, its checkpoint has 280 MB


def killed_study(data: Path, seeds: tuple[int, ...]) -> Study:
    """A source with two rates, of which the first is better; a transfer and a GAN that start from it."""
    return Study(
        name="killed",
        scale=4,
        variants=(
            Variant(name="tiny/original", network=SMALL, learning_rates=(1e-3, 1e-8)),
            Variant(
                name="tiny/transfer",
                network=SMALLER,
                start=Start(source="tiny/original", keep=("head",), freeze=True),
            ),
            Variant(
                name="tiny/gan",
                network=SMALL,
                objective=AdversarialObjective(content="pixels", pixel_weight=0.1),
                start=Start(source="tiny/original"),
            ),
        ),
        learning_rates=(1e-4,),
        protocol=PROTOCOL,
        seeds=seeds,
        train=(write_pictures(data / "train", 3, seed=1, size=100),),
        test=(write_pictures(data / "set", 2, seed=2, size=100),),
    )


def train(folder: Path, data: Path, num_seeds: int, jobs: int) -> int:
    """Carry the study out; 1 where something failed."""
    machine = replace(Machine(device="cpu", threads=1), jobs=jobs)
    study = killed_study(data, tuple(range(num_seeds)))
    failures = compare(study, folder, machine, question="?", announce=lambda _: None, report=lambda _: None)
    for failure in failures:
        sys.stderr.write(f"{failure.name}: {failure.reason}\n")
    return 1 if failures else 0


def start(folder: Path, data: Path, num_seeds: int, *, jobs: int) -> subprocess.Popen[bytes]:
    words = ["train", str(folder), str(data), str(num_seeds), str(jobs)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen([sys.executable, __file__, *words], stderr=subprocess.PIPE, env=environment)


@dataclass(frozen=True)
class Kill:
    """SIGKILL after so many changes of files: to the main process, or to a worker.

    With `of_run` it is the worker that trains that run, as soon as there is one.
    """

    after: int
    worker: bool
    of_run: str = ""


def random_kills(count: int, *, seed: int) -> list[Kill]:
    draw = random.Random(seed)
    return [Kill(after=draw.randint(1, 25), worker=draw.random() < 0.5) for _ in range(count)]


def killed(folder: Path, data: Path, num_seeds: int, kills: Sequence[Kill]) -> list[str]:
    """Carry the study out over the kills, then to its end; what was killed.

    When a worker is killed, the main process goes on, and the next kill is of it or of another worker.
    """
    done = []
    process = start(folder, data, num_seeds, jobs=2)
    for kill in kills:
        what = _kill(process, folder, kill)
        if what is not None:
            done.append(what)
        if what != "worker":
            process.communicate(timeout=300)
            if process.returncode == 0:
                break
            process = start(folder, data, num_seeds, jobs=2)
    for _ in range(4):  # a killed worker leaves a failed run, which the next call tries again
        _, said = process.communicate(timeout=300)
        if process.returncode == 0:
            return done
        process = start(folder, data, num_seeds, jobs=2)
    process.kill()
    raise AssertionError(said.decode())


def _kill(process: subprocess.Popen[bytes], folder: Path, kill: Kill) -> str | None:
    before = _changes(folder)
    seen: set[tuple[str, int]] = set()
    while process.poll() is None:
        seen |= _changes(folder) - before
        if len(seen) >= kill.after:
            victim = process if not kill.worker else _worker(process, kill)
            if victim is not None:
                victim.kill()
                return "worker" if kill.worker else "main"
        time.sleep(0.005)
    return None


def _worker(process: subprocess.Popen[bytes], kill: Kill) -> psutil.Process | None:
    for child in psutil.Process(process.pid).children():
        try:
            if any(kill.of_run in opened.path for opened in child.open_files()):
                return child
        except psutil.Error:
            continue
    return None


def _changes(folder: Path) -> set[tuple[str, int]]:
    found = set()
    for path in folder.rglob("*"):
        with suppress(FileNotFoundError):
            found.add((str(path), path.stat().st_mtime_ns))
    return found


if __name__ == "__main__":
    sys.exit(train(Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5])))
