"""Is EDSR's residual block better than those with batch normalization or another activation?

Run:       srlab study docs/results/c3_edsr/study.py
Takes:     docs/results/PLAN.md
Measured:  2026-11-27, docs/results.md

The variants are those of pilot.py, with four times the steps and 5 seeds. Each variant is trained at the one
rate that the pilot chose for it; choose_rates.py wrote it into rates.json. docs/results/PLAN.md has the plan.
"""

import runpy
from pathlib import Path

from srlab.declare.studies import load_study

HERE = Path(__file__).parent
with_chosen_rates = runpy.run_path(str(HERE.parent / "choose_rates.py"))["with_chosen_rates"]

STUDY = with_chosen_rates(
    load_study(str(HERE / "pilot.py")).study,
    HERE,
    name="c3_edsr",
    seeds=(0, 1, 2, 3, 4),
    primary=(None, "edsr/vanilla"),
)
