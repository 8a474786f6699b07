"""What can be concluded from the stored scores of a study, and what cannot. NumPy and SciPy only, no torch.

docs/statistics.md gives every choice with its reason and source.
"""

from srlab.folder.scores import PERCEPTION
from srlab.verdicts.compare import is_ahead
from srlab.verdicts.judging import judge
from srlab.verdicts.values import (
    ALL_SETS,
    BICUBIC,
    METRICS,
    VALIDATION,
    Budget,
    Change,
    Cost,
    Curve,
    Difference,
    Effect,
    ImageRow,
    Interval,
    Metric,
    MissingCell,
    Outcome,
    Population,
    Progress,
    Rank,
    RateScore,
    RateSensitivity,
    Remark,
    RemarkKind,
    Row,
    Spread,
    Table,
    Verdicts,
)

__all__ = [
    "ALL_SETS",
    "BICUBIC",
    "METRICS",
    "PERCEPTION",
    "VALIDATION",
    "Budget",
    "Change",
    "Cost",
    "Curve",
    "Difference",
    "Effect",
    "ImageRow",
    "Interval",
    "Metric",
    "MissingCell",
    "Outcome",
    "Population",
    "Progress",
    "Rank",
    "RateScore",
    "RateSensitivity",
    "Remark",
    "RemarkKind",
    "Row",
    "Spread",
    "Table",
    "Verdicts",
    "is_ahead",
    "judge",
]
