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
    return _with_imports(path.name, _read(path), path.parent)


def read_module(module: str, path: Path) -> Code:
    """As `read_code`, of the module at `path` of a package: a file of one line that imports it is the entry.

    So its relative imports work.
    """
    folder = path.parents[module.count(".") + (path.name == "__init__.py")]
    return _with_imports(f"import_{module.replace('.', '_')}.py", f"import {module}\n", folder)


def _with_imports(entry: str, text: str, folder: Path) -> Code:
    found = {entry: text}
    left = list(_imported(text, folder, entry))
    while left:
        name = left.pop()
        if name not in found:
            found[name] = _read(folder / name)
            left += [other for other in _imported(found[name], folder, name) if other not in found]
    return Code(entry=entry, files=tuple(sorted(found.items())), folder=str(folder))


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
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [one for both in what_is_imported(node, name) for one in (both[0], ".".join(both))]
        for dotted in names:
            yield from _files_of(dotted, folder)


def _files_of(dotted: str, folder: Path) -> Iterator[str]:
    """``a/__init__.py`` and ``a/b.py`` for ``a.b``, where they are."""
    parts = [part for part in dotted.split(".") if part]
    if not parts or parts[0] in (*sys.stdlib_module_names, "srlab"):
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
    own = {module_name(name) for name, _ in code.files if name != code.entry}
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


def what_is_imported(node: ast.Import | ast.ImportFrom, name: str) -> Iterator[tuple[str, str]]:
    """Modules and the names that are taken from them; an empty name for the module itself."""
    if isinstance(node, ast.Import):
        yield from ((alias.name, "") for alias in node.names)
        return
    package = name.split("/")[:-1]
    base = package[: len(package) - node.level + 1] if node.level else []
    module = ".".join([*base, *([node.module] if node.module else [])])
    yield from ((module, alias.name) for alias in node.names)


def module_name(file: str) -> str:
    """As it is imported: ``a.b`` for ``a/b.py``, ``a`` for ``a/__init__.py``."""
    return file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
