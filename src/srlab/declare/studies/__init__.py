"""The studies that srlab ships, one file each, and how a study is found, by name or in a file."""

import importlib
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from srlab.declare.study import Study
from srlab.errors import UserError
from srlab.user_code.code import read_code, run_code

NAMES = ("smoke", "srcnn", "vdsr", "edsr", "rdn", "srresnet", "srgan", "classic")


@dataclass(frozen=True, kw_only=True)
class StudyFile:
    """A study's file: what it declares, and its docstring as first line (the question) and rest."""

    study: Study
    question: str
    about: str


def load_study(name_or_file: str) -> StudyFile:
    """The named study, or a Python file's ``STUDY``; a `UserError` says what is wrong with it."""
    if name_or_file in NAMES:
        module = importlib.import_module(f"srlab.declare.studies.{name_or_file}")
        return _study_file(vars(module), where=f"srlab.declare.studies.{name_or_file}")
    path = Path(name_or_file)
    if path.suffix != ".py":
        raise UserError(
            f"there is no study {name_or_file!r}; name one of {', '.join(NAMES)}, or your own study file, "
            "whose name ends in .py"
        )
    if not path.is_file():
        raise UserError(f"the study file {path} does not exist")
    return _study_file(_execute(path), where=str(path))


def _execute(path: Path) -> Mapping[str, object]:
    code = read_code(path)
    try:
        return run_code(code)
    except UserError as error:
        raise UserError(f"{path}{_line(path, error)}: {error}") from error
    except OSError:
        raise
    except SystemExit as error:
        raise UserError(
            f"{path}{_line(path, error)}: it calls exit; a study file must only define STUDY"
        ) from error
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # GeneratorExit too, and kinds of the file's own
        raise UserError(f"{path}{_line(path, error)}: {type(error).__name__}: {error}") from error


def _line(path: Path, error: BaseException) -> str:
    """Where in the study's file it went wrong, as ``, line 12``."""
    if isinstance(error, SyntaxError):
        return ""  # it says so itself
    lines = [
        frame.lineno
        for frame in traceback.extract_tb(error.__traceback__)
        if Path(frame.filename).name == path.name
    ]
    return f", line {lines[-1]}" if lines else ""


def _study_file(content: Mapping[str, object], *, where: str) -> StudyFile:
    study = content.get("STUDY")
    if not isinstance(study, Study):
        raise UserError(f"{where} defines no study; it needs a line STUDY = Study(...), see docs/studies.md")
    doc = content.get("__doc__")
    question, _, about = (doc if isinstance(doc, str) else "").strip().partition("\n")
    if not question.endswith("?"):
        raise UserError(
            f"{where} states no question: the first line of its docstring must end with a question "
            'mark, such as """Does a skip connection help?'
        )
    return StudyFile(study=study, question=question, about=about.strip())
