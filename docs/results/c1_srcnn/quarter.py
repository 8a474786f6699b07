"""Does the order of the study c1_srcnn hold at a quarter of its steps?

Run:       srlab study docs/results/c1_srcnn/quarter.py
Takes:     docs/results/PLAN.md
Measured:  not yet

The study's variants, rates and seeds. Each run is a training of its own, whose rate falls to zero.
"""

import runpy
from pathlib import Path

from srlab.declare.studies import load_study

HERE = Path(__file__).parent
at_steps = runpy.run_path(str(HERE.parent / "choose_rates.py"))["at_steps"]

STUDY = at_steps(
    load_study(str(HERE / "study.py")).study, factor=1 / 4, validations=1, name="c1_srcnn_quarter"
)
