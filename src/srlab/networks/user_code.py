"""Python code of a user: a study file and the modules beside it that it imports.

It is read as text once and run from that text, in this process and in the processes that train. So nothing
changes under a running study, and the text can be stored beside the weights that need it.
"""

import ast
import hashlib
import importlib.abc
import importlib.util
import itertools
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

from srlab.errors import UserError

_number = itertools.count()


@dataclass(frozen=True, kw_only=True)
class Code:
    """A Python file called `entry` and the modules beside it that it imports; `files` are texts by path.

    Paths are relative to the folder, with ``/``. `folder` is where the files were read, for tracebacks.
    """

    entry: str
    files: tuple[tuple[str, str], ...]
    folder: str = field(default="", compare=False)

    @property
    def digest(self) -> str:
        """SHA-256 of everything that runs."""
        found = hashlib.sha256(self.entry.encode())
        for name, text in self.files:
            found.update(f"\0{name}\0{text}".encode())
        return found.hexdigest()

    def text(self, name: str) -> str:
        """One file's text."""
        return dict(self.files)[name]


def read_code(path: Path) -> Code:
    """The file and all modules beside it that it imports, also through each other.

    Raises `UserError` if the file is no Python text, and `OSError` if it cannot be read.
    """
    found: dict[str, str] = {}
    left = [path.name]
    while left:
        name = left.pop()
        if name in found:
            continue
        found[name] = _read(path.parent / name)
        left += [other for other in _imported(found[name], path.parent, name) if other not in found]
    return Code(entry=path.name, files=tuple(sorted(found.items())), folder=str(path.parent))


def _read(path: Path) -> str:
    try:
        return importlib.util.decode_source(path.read_bytes())
    except (SyntaxError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read as Python: {error}") from error


def _imported(text: str, folder: Path, name: str) -> Iterator[str]:
    """The files beside a file that it imports."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return  # running it says where
    package = name.split("/")[:-1]
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            names = [module, *(f"{module}.{alias.name}" for alias in node.names)]
        for dotted in names:
            yield from _files_of(dotted, folder)


def _files_of(dotted: str, folder: Path) -> Iterator[str]:
    """``a/__init__.py`` and ``a/b.py`` for ``a.b``, where they are."""
    parts = [part for part in dotted.split(".") if part]
    if not parts or parts[0] in sys.stdlib_module_names:
        return
    for length in range(1, len(parts) + 1):
        path = "/".join(parts[:length])
        for name in (f"{path}/__init__.py", f"{path}.py"):
            if (folder / name).is_file():
                yield name


class _Finder(importlib.abc.MetaPathFinder):
    """Finds the modules of one `Code`, before any that is installed under the same name."""

    def __init__(self, code: Code) -> None:
        self._code = code
        self._files = dict(code.files)

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,  # noqa: ARG002 - importlib's names
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> ModuleSpec | None:
        base = fullname.replace(".", "/")
        for name, is_package in ((f"{base}/__init__.py", True), (f"{base}.py", False)):
            if name in self._files and name != self._code.entry:
                loader = _Loader(self._code, name, is_package=is_package)
                return importlib.util.spec_from_loader(fullname, loader, is_package=is_package)
        return None


class _Loader(importlib.abc.ExecutionLoader):
    def __init__(self, code: Code, name: str, *, is_package: bool) -> None:
        self._code, self._name, self._is_package = code, name, is_package

    def get_source(self, fullname: str) -> str:  # noqa: ARG002 - importlib's names
        return self._code.text(self._name)

    def get_filename(self, fullname: str) -> str:  # noqa: ARG002
        return str(Path(self._code.folder, self._name))

    def is_package(self, fullname: str) -> bool:  # noqa: ARG002
        return self._is_package


_running: list[Code] = []


def running_code() -> Code | None:
    """The code that `run_code` runs right now; None outside of it."""
    return _running[-1] if _running else None


def run_code(code: Code) -> Mapping[str, object]:
    """Run the entry and return what it defines. What it raises goes on to the caller."""
    path = str(Path(code.folder, code.entry))
    name = f"srlab_user_{Path(code.entry).stem}_{next(_number)}"
    module = ModuleType(name)
    module.__file__ = path
    sys.modules[name] = module  # dataclasses and type hints look there
    with _importing(code):
        _running.append(code)
        try:
            exec(compile(code.text(code.entry), path, "exec"), module.__dict__)
        finally:
            _running.pop()
    return vars(module)


@contextmanager
def _importing(code: Code) -> Iterator[None]:
    """While a code runs, its own modules are imported, whatever else has their names; then all is as before.

    Only where nothing else has the name do they stay, for imports inside of functions.
    """
    own = {_module_name(name) for name, _ in code.files if name != code.entry}
    hidden = {name: sys.modules.pop(name) for name in own & set(sys.modules)}
    finder = _Finder(code)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        for name, module in hidden.items():
            if not isinstance(getattr(module.__spec__, "loader", None), _Loader):
                sys.modules[name] = module


# What a network is


def identity_of(code: Code, module: str, names: Sequence[str]) -> str:
    """SHA-256 of the parts of `code` that the definitions `names` of `module` rest on.

    These are the definitions themselves, all others of the same code that they name, and so on. What does not
    count: the rest of the file, such as the study that it declares, comments, blank lines and docstrings.
    `module` is the name of a module of the code; any other name stands for its entry.
    """
    files = {name: _definitions(text) for name, text in code.files}
    known = {_module_name(name): name for name in files if name != code.entry}
    start = known.get(module, code.entry)
    left = [(start, name.partition(".")[0]) for name in names]
    seen: set[tuple[str, str]] = set()
    parts: set[tuple[str, str]] = set()
    while left:
        at = left.pop()
        if at in seen:
            continue
        seen.add(at)
        name, wanted = at
        if wanted == "*":
            left += [(name, defined) for defined in files[name]]
        for node, text in files[name].get(wanted, ()):
            if isinstance(node, ast.Import | ast.ImportFrom):
                left += _behind(node, known)
            parts.add((name, text))
            left += [(name, used) for used in _names_in(node) if used in files[name]]
    found = hashlib.sha256()
    for name, text in sorted(parts):
        found.update(f"\0{name}\0{text}".encode())
    return found.hexdigest()


def _module_name(file: str) -> str:
    return file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def _behind(node: ast.Import | ast.ImportFrom, known: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """The definitions of the code's own modules that an import brings."""
    if isinstance(node, ast.Import):
        for alias in node.names:
            if alias.name in known:
                yield known[alias.name], "*"
        return
    module = node.module or ""
    candidates = [one for one in known if one == module or (node.level and one.endswith(module))]
    for alias in node.names:
        for one in candidates:
            yield known[one], alias.name
        if (inner := f"{module}.{alias.name}".strip(".")) in known:
            yield known[inner], "*"


def _definitions(text: str) -> dict[str, list[tuple[ast.stmt, str]]]:
    """The statements of a file by what they define; a statement that defines nothing is left out."""
    lines = text.splitlines()
    found: dict[str, list[tuple[ast.stmt, str]]] = {}
    for node in ast.parse(text).body:
        for name in _defined_by(node):
            found.setdefault(name, []).append((node, _text_of(node, lines)))
    return found


def _defined_by(node: ast.stmt) -> set[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {node.name}
    if isinstance(node, ast.Import | ast.ImportFrom):
        return {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
    return {
        inner.id
        for inner in ast.walk(node)
        if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store)
    } | {
        name
        for inner in ast.walk(node)
        if inner is not node
        and isinstance(inner, ast.FunctionDef | ast.ClassDef | ast.Import | ast.ImportFrom)
        for name in _defined_by(inner)
    }


def _text_of(node: ast.stmt, lines: Sequence[str]) -> str:
    """A statement's lines without docstrings, comments on lines of their own, and blank lines."""
    decorators = getattr(node, "decorator_list", [])
    first = min([node.lineno, *(one.lineno for one in decorators)])
    left_out: set[int] = set()
    for inner in ast.walk(node):
        body = getattr(inner, "body", None)
        if (
            isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
            and body
            and isinstance(body[0], ast.Expr)
            and isinstance(body[0].value, ast.Constant)
            and isinstance(body[0].value.value, str)
        ):
            left_out |= set(range(body[0].lineno, (body[0].end_lineno or 0) + 1))
    kept = [
        line.rstrip()
        for number, line in enumerate(lines[first - 1 : node.end_lineno], start=first)
        if number not in left_out and line.strip() and not line.lstrip().startswith("#")
    ]
    return "\n".join(kept)


def _names_in(node: ast.AST) -> set[str]:
    return {inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)} | {
        inner.value  # a type hint in quotes
        for inner in ast.walk(node)
        if isinstance(inner, ast.Constant) and isinstance(inner.value, str) and inner.value.isidentifier()
    }
