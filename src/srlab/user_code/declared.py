"""What users declare: an `Architecture`, a `Loss`, a `Metric`. Each is known by its name and its identity."""

import functools
import importlib.metadata
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from srlab.errors import UserError
from srlab.user_code.code import Code, read_code, read_module, run_code, running_code
from srlab.user_code.identity import Kind, identity_of

# Where installed packages offer theirs.
ENTRY_POINTS: Mapping[Kind, str] = {
    "Architecture": "srlab.architectures",
    "Loss": "srlab.losses",
    "Metric": "srlab.metrics",
}


class Own(Protocol):
    """What an `Architecture`, a `Loss` and a `Metric` of a user's have in common.

    `code` is None for one of an installed package, whose name and version are then its `identity`.
    """

    @property
    def kind(self) -> Kind: ...

    @property
    def name(self) -> str: ...

    @property
    def code(self) -> Code | None: ...

    @property
    def identity(self) -> str: ...


_known: dict[tuple[Kind, str, str], Own] = {}


def origin_of(kind: Kind, name: str, *defined: Any) -> tuple[Code | None, str]:
    """The code and the identity of a thing that is being declared; `defined` are what it is made of.

    Raises:
        UserError: it is defined in no file, or declared twice in one.
    """
    module = getattr(defined[0], "__module__", "")
    code = running_code() or _code_of(module, where=f"{kind.lower()} {name!r}")
    if code is None:
        return None, _installed(module)
    places = [(one.__module__, getattr(one, "__qualname__", "")) for one in defined]
    return code, identity_of(code, name, places, kind=kind)


def unwrapped(function: Callable[..., Any]) -> Callable[..., Any]:
    """What a `functools.partial` calls in the end."""
    while isinstance(function, functools.partial):
        function = function.func
    return function


def register(own: Own) -> None:
    """Remember a thing that was declared in this process."""
    _known[own.kind, own.name, own.identity] = own


def is_known(kind: Kind, name: str, wanted: str) -> bool:
    """Whether that thing was declared in this process."""
    return (kind, name, wanted) in _known


def find_own(kind: Kind, name: str, wanted: str) -> Any:
    """The thing of that name and identity that was declared in this process, or is installed.

    Raises `UserError` if there is none.
    """
    if not is_known(kind, name, wanted):
        for own in load_installed(kind):
            register(own)
    if (found := _known.get((kind, name, wanted))) is not None:
        return found
    others = [identity for other, called, identity in _known if (other, called) == (kind, name)]
    if others and wanted:
        raise UserError(
            f"{kind.lower()} {name!r} has other code here than where this was made ({_short(others[-1])} "
            f"here, {_short(wanted)} there); use the code of then"
        )
    raise UserError(f"unknown {kind.lower()} {name!r}")


def bring(kind: Kind, code: Code | None, name: str, wanted: str) -> Any:
    """The thing that another process declared: `code` is run, if this was not done before."""
    if code is not None and not is_known(kind, name, wanted):
        run_code(code)
    return find_own(kind, name, wanted)


def _short(identity: str) -> str:
    return identity[:12] if re.fullmatch(r"[0-9a-f]{64}", identity) else identity


def load_installed(kind: Kind) -> list[Any]:
    """The things of a kind that installed packages offer by an entry point, such as ``srlab.architectures``.

    Raises `UserError` for one that cannot be imported, or is something else.
    """
    offered = []
    for point in importlib.metadata.entry_points(group=ENTRY_POINTS[kind]):
        try:
            found = point.load()
        except Exception as error:
            raise UserError(
                f"the package {point.dist.name if point.dist else point.value} offers the {kind.lower()} "
                f"{point.name!r}, which cannot be imported: {reason(error)}"
            ) from error
        if getattr(found, "kind", None) != kind:
            raise UserError(f"the entry point {point.name!r} of {ENTRY_POINTS[kind]} is no {kind}: {found!r}")
        offered.append(found)
    return offered


def reason(error: BaseException) -> str:
    """What a user's code raised, on one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"


def _installed(module: str) -> str:
    """Name and version of the installed package that a module is of."""
    top = module.partition(".")[0]
    for name in importlib.metadata.packages_distributions().get(top, ()):
        return f"{name} {importlib.metadata.version(name)}"
    return top


def _code_of(module: str, *, where: str) -> Code | None:
    """The file of a module that is neither installed nor run by srlab: a script of the user's."""
    if module.partition(".")[0] in importlib.metadata.packages_distributions():
        return None
    path = getattr(sys.modules.get(module), "__file__", None)
    if path is None or not Path(path).is_file():
        raise UserError(
            f"{where} is defined in no file, so it could not be used later; write it into a Python file, and "
            "import it from there"
        )
    return read_module(module, Path(path)) if "." in module else read_code(Path(path))
