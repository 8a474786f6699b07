"""What the tests of studies share: small pictures, a study that trains in a second, its file."""

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from srlab.declare.protocol import TrainingProtocol
from srlab.declare.study import Study, Variant
from srlab.networks import EDSROptions, SRCNNOptions
from srlab.training.machine import Machine

MACHINE = Machine(device="cpu", threads=1)
QUESTION = "Does it work?"

STUDY_FILE = '''"""Does it work?

Run:       srlab study tiny.py
Takes:     seconds
Measured:  nothing
"""

from srlab.networks import EDSROptions, SRCNNOptions
from srlab.declare.protocol import TrainingProtocol
from srlab.declare.study import Study, Variant

STUDY = Study(
    name="tiny",
    scale=2,
    variants=(
        Variant(name="tiny/edsr", network=EDSROptions(num_blocks=1, num_features=8)),
        Variant(name="tiny/srcnn", network=SRCNNOptions(num_features=(4, 4))),
    ),
    learning_rates=(1e-3,),
    seeds=(0,),
    protocol=TrainingProtocol(
        num_steps={steps}, batch_size=2, lr_patch_size=8, precision="fp32", validate_every={every}
    ),
    train=({train!r},),
    test=({test!r},),
)
'''


def write_pictures(folder: Path, count: int, *, seed: int, size: int = 40) -> str:
    """Smooth random pictures as PNG; the folder as a study names it."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    for index in range(count):
        coarse = Image.fromarray(rng.integers(0, 256, (6, 6, 3), dtype=np.uint8))
        coarse.resize((size, size + 2 * index), Image.Resampling.BICUBIC).save(folder / f"{index}.png")
    return str(folder)


def tiny_study(data: Path, **changes: object) -> Study:
    """Two tiny variants, two rates, one seed, four steps, on pictures written to `data`."""
    study = Study(
        name="tiny",
        scale=2,
        variants=(
            Variant(name="tiny/edsr", network=EDSROptions(num_blocks=1, num_features=4)),
            Variant(name="tiny/srcnn", network=SRCNNOptions(num_features=(4, 4))),
        ),
        learning_rates=(1e-3, 1e-4),
        seeds=(0,),
        protocol=TrainingProtocol(num_steps=4, batch_size=2, lr_patch_size=8, precision="fp32"),
        train=(write_pictures(data / "train", 3, seed=1),),
        test=(write_pictures(data / "set", 2, seed=2),),
    )
    return replace(study, **changes)  # type: ignore[arg-type]


def write_study_file(folder: Path, *, steps: int = 4, every: int = 4) -> Path:
    """A study file of one rate, with its pictures beside it."""
    train = write_pictures(folder / "train", 3, seed=1)
    test = write_pictures(folder / "set", 2, seed=2)
    path = folder / "tiny.py"
    path.write_text(
        STUDY_FILE.replace("{steps}", str(steps))
        .replace("{every}", str(every))
        .replace("{train!r}", repr(train))
        .replace("{test!r}", repr(test))
    )
    return path


def start_srlab(arguments: Sequence[str]) -> subprocess.Popen[str]:
    """The command line in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", "from srlab.cli import main; main()", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
