"""A study's twins: the same study for a part of the steps, in its folder.

Needs no torch.
"""

from pathlib import Path

from srlab.folder import store
from srlab.folder.records import StudyFolder

_NAME = "1of"


def twin_folder(folder: Path, part: int) -> Path:
    """Of the twin with one in `part` of the steps."""
    return folder / "budgets" / f"{_NAME}{part}"


def read_twins(study: StudyFolder) -> dict[int, StudyFolder]:
    """Those that have begun, the longest first, by the part of the steps that they have."""
    parts = [path.name.removeprefix(_NAME) for path in (study.path / "budgets").glob(f"{_NAME}*")]
    numbers = sorted(int(part) for part in parts if part.isdecimal())
    places = {part: twin_folder(study.path, part) for part in numbers}
    return {part: StudyFolder(place) for part, place in places.items() if store.is_study(place)}
