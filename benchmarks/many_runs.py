"""How long does it take to read a large study? Processor seconds of verdicts, leaderboard and report.

Run:  python benchmarks/many_runs.py [--variants 50] [--seeds 20]

Makes a study's folder with scores of noise, of sets of 5 and 14 images, at one rate; nothing is trained.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))  # where studies are made without training

from scored_study import ScoredStudy, noisy
from srlab.show.leaderboard import leaderboard
from srlab.show.report.contents import gather
from srlab.verdicts import judge


def make(folder: Path, *, variants: int, seeds: int) -> Path:
    """A folder as a study of so many variants and seeds leaves it."""
    sets = {"five": 5, "fourteen": 14}
    study = ScoredStudy(folder, sets=sets)
    for number in range(variants):
        study.variant(
            f"net/{number}",
            {
                name: noisy(30 + number / 100, seeds=seeds, images=count, key=number)
                for name, count in sets.items()
            },
            network={"width": number},
            validation=30 + number / 50,
            curve=[(10 * step, 20 + step / 10, float(step)) for step in range(1, 11)],
        )
    return study.write()


def main() -> None:
    """Print the processor seconds of each."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--variants", type=int, default=50)
    parser.add_argument("--seeds", type=int, default=20)
    asked = parser.parse_args()
    reads: tuple[tuple[str, Callable[[Path], object]], ...] = (
        ("judge", judge),
        ("leaderboard", leaderboard),
        ("report, without pictures", gather),
    )
    with tempfile.TemporaryDirectory() as folder:
        study = make(Path(folder) / "study", variants=asked.variants, seeds=asked.seeds)
        print(f"{asked.variants} variants x {asked.seeds} seeds, processor seconds:")
        for name, read in reads:
            begun = time.process_time()
            read(study)
            print(f"{name:26} {time.process_time() - begun:6.2f}")


if __name__ == "__main__":
    main()
