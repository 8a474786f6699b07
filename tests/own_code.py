"""A study file of a user's own with a module beside it, and commands on it."""

import io
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import pytest

from srlab.cli import main
from tiny_study import write_pictures


@dataclass
class Said:
    """What a command printed, on one line, and its exit code."""

    code: int
    text: str


def srlab(*words: object) -> Said:
    """A command, in this process."""
    printed, told = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(printed), redirect_stderr(told):
        patch.setattr(sys, "argv", ["srlab", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main()
    return Said(int(ended.value.code or 0), " ".join((printed.getvalue() + told.getvalue()).split()))


def write_mine(folder: Path, text: str, part: tuple[str, str], *, tested: int) -> Path:
    """``mine.py`` with TRAIN and TEST as folders of pictures, and the module beside it by name and text."""
    train = write_pictures(folder / "train", 3, seed=1)
    test = write_pictures(folder / "set", tested, seed=2)
    (folder / "mine.py").write_text(text.replace("TRAIN", repr(train)).replace("TEST", repr(test)))
    (folder / part[0]).write_text(part[1])
    return folder / "mine.py"
