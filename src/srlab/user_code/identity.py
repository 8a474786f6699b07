"""What a user's architecture, loss or metric is: the parts of its code that it rests on."""

import ast
import builtins
import hashlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from srlab.errors import UserError
from srlab.user_code.code import Code, module_name, what_is_imported

Kind = Literal["Architecture", "Loss", "Metric"]
# What of a declaration may change, since no weights and no scores rest on it.
_FREE: Mapping[Kind, tuple[str, ...]] = {
    "Architecture": ("radius",),  # only tiles look at it
    "Loss": (),
    "Metric": ("unit", "decimals", "better"),
}


def identity_of(
    code: Code, name: str, places: Sequence[tuple[str, str]], *, kind: Kind = "Architecture"
) -> str:
    """SHA-256 of the parts of `code` that a thing of a user's rests on: what declares it, and its `places`.

    A place is a module and a name defined there; a module that is none of the code's stands for its entry.
    Counted are these, all definitions of the same code that they name, and so on, and the statements that
    may change any of those when the code runs, such as a loop that fills a table. What does not count: the
    rest, such as the study that it declares, what no result rests on, such as the `radius` of an
    architecture, and how it is written: comments, line breaks, docstrings. Where nothing in the code declares
    a thing of this `name`, all definitions count.

    Raises:
        UserError: two losses or two metrics of this name are declared.
    """
    own = _Statements(code)
    start = [(own.file_of(module), defined.partition(".")[0]) for module, defined in places]
    declaring = own.declaring(name) if kind == "Architecture" else []
    calls = [] if kind == "Architecture" else own.calling(kind, name)
    for file, call in calls:
        declaring += [(file, given) for given in _made_of(call, kind)]
    if len(calls) > 1:
        raise UserError(
            f"{kind.lower()} {name!r} is declared twice in {Path(code.folder, code.entry)}; give each a "
            "name of its own"
        )
    if not declaring:
        start += [(code.entry, name) for name in own.definitions[code.entry] if name != "STUDY"]
    reached = own.behind(start, declaring)
    left = own.effects
    while changing := [one for one in left if own.may_change(one, reached)]:
        reached = own.behind(start, [*declaring, *(one for one in own.effects if one not in left), *changing])
        left = [one for one in left if one not in changing]
    found = hashlib.sha256()
    for file, text in sorted(reached.parts):
        found.update(f"\0{file}\0{text}".encode())
    return found.hexdigest()


@dataclass(frozen=True)
class _Reached:
    """Names (and the files that define them), statements as text, and whether any is of another library."""

    names: set[tuple[str, str]]
    parts: set[tuple[str, str]]
    is_outside: bool


class _Statements:
    """The statements of a code's files: what each defines, and which only have an effect when they run."""

    def __init__(self, code: Code) -> None:
        self._entry = code.entry
        self.definitions: dict[str, dict[str, list[ast.stmt]]] = {}
        self.effects: list[tuple[str, ast.stmt]] = []
        self._all: list[tuple[str, ast.stmt]] = []
        self._modules = {module_name(name): name for name, _ in code.files if name != code.entry}
        for name, text in code.files:
            try:
                body = ast.parse(text).body
            except (SyntaxError, ValueError, RecursionError):
                body = [ast.Expr(ast.Constant(text))]  # if it is needed, importing it says what is wrong
            found = self.definitions[name] = {}
            for node in (one for statement in body for one in _apart(statement)):
                self._all.append((name, node))
                for defined in _defined_by(node):
                    found.setdefault(defined, []).append(node)
                if _has_effect(node):
                    self.effects.append((name, node))

    def file_of(self, module: str) -> str:
        return self._modules.get(module, self._entry)

    def declaring(self, architecture: str) -> list[tuple[str, ast.AST]]:
        """The statements with ``Architecture("NAME", ...)``."""
        return [
            (name, node)
            for name, node in self._all
            if any(_declares(inner, "Architecture", architecture) for inner in ast.walk(node))
        ]

    def calling(self, kind: Kind, thing: str) -> list[tuple[str, ast.Call]]:
        """The calls ``Loss("NAME", ...)`` themselves, since the study around one may grow.

        One inside of a function says too little: what it is called with counts too.
        """
        return [
            (name, inner)
            for name, node in self._all
            for inner in _outside_of_functions(node)
            if isinstance(inner, ast.Call) and _declares(inner, kind, thing)
        ]

    def may_change(self, effect: tuple[str, ast.stmt], reached: _Reached) -> bool:
        """Whether a statement does something to what is reached, or to another library."""
        name, node = effect
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            touched = self.behind([], [effect], is_open=False)
            return touched.is_outside or bool(touched.names & reached.names)
        decorators = [(name, used) for one in node.decorator_list for used in _names_in(one)]
        touched = self.behind(decorators, [], is_open=False)
        return any(
            not all(isinstance(one, ast.Import | ast.ImportFrom) for one in self.definitions[file][used])
            for file, used in touched.names & reached.names
        )

    def behind(
        self,
        names: Sequence[tuple[str, str]],
        statements: Sequence[tuple[str, ast.AST]],
        *,
        is_open: bool = True,
    ) -> _Reached:
        """All that names and statements rest on; not `is_open`: without what declared architectures do."""
        left, todo = list(names), list(statements)
        seen: set[tuple[str, str]] = set()
        parts: dict[tuple[str, int], str] = {}
        is_outside = False
        while left or todo:
            if not todo:
                at = left.pop()
                if at[1] not in self.definitions[at[0]] and not _is_builtin(at[1]):
                    at = (at[0], "*")  # what comes by a star may have any name
                nodes = self.definitions[at[0]].get(at[1], [])
                if not is_open:
                    nodes = [node for node in nodes if not _declares_any(node)]
                if nodes and at not in seen:
                    seen.add(at)
                    todo = [(at[0], node) for node in nodes]
                continue
            name, node = todo.pop()
            if (name, id(node)) in parts:
                continue
            parts[name, id(node)] = _as_text(node)
            left += [(name, one) for one in _names_in(node)]
            for inner in ast.walk(node):
                if isinstance(inner, ast.Import | ast.ImportFrom):
                    left += self._imported(inner, name)
                    is_outside = is_outside or _is_outside(inner, self._modules)
        return _Reached(seen, {(name, text) for (name, _), text in parts.items()}, is_outside)

    def _imported(self, node: ast.Import | ast.ImportFrom, name: str) -> Iterator[tuple[str, str]]:
        """The definitions of the code's own modules that an import in the file `name` brings."""
        for module, wanted in what_is_imported(node, name):
            whole = f"{module}.{wanted}" if module and wanted else module or wanted
            if wanted and wanted != "*" and module in self._modules:
                yield self._modules[module], wanted
            if whole in self._modules or wanted == "*":
                file = self._modules.get(module if wanted == "*" else whole)
                if file is not None:
                    yield from ((file, defined) for defined in self.definitions[file])


def _is_builtin(name: str) -> bool:
    return hasattr(builtins, name) or name.startswith("__")


def _is_outside(node: ast.Import | ast.ImportFrom, modules: Mapping[str, str]) -> bool:
    tops = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
    return any(
        top.partition(".")[0] not in {"", "srlab", *sys.stdlib_module_names, *modules} for top in tops
    ) and not (isinstance(node, ast.ImportFrom) and node.level)


def _apart(node: ast.stmt) -> Iterator[ast.stmt]:
    """The imports of one statement as a statement for each name; any other as it is."""
    if isinstance(node, ast.Import):
        yield from (ast.Import([alias]) for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        yield from (ast.ImportFrom(node.module, [alias], node.level) for alias in node.names)
    else:
        yield node


def _has_effect(node: ast.stmt) -> bool:
    """Whether a statement does more than to give names to what it makes."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        return False
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return bool(node.decorator_list)
    if isinstance(node, ast.Assign | ast.AnnAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        return any(isinstance(one, ast.Attribute | ast.Subscript) for to in targets for one in ast.walk(to))
    return not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))


def _declares_any(node: ast.stmt) -> bool:
    return any(_declares(inner, "Architecture", None) for inner in ast.walk(node))


def _declares(node: ast.AST, kind: Kind, name: str | None) -> bool:
    """Whether it is the call ``Architecture(name, ...)``, or that of another kind; None for any name."""
    if not isinstance(node, ast.Call):
        return False
    called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    if called != kind:
        return False
    given = [*node.args[:1], *(one.value for one in node.keywords if one.arg == "name")]
    return name is None or any(isinstance(one, ast.Constant) and one.value == name for one in given)


def _made_of(call: ast.Call, kind: Kind) -> list[ast.expr]:
    """What a loss or a metric is given, beside its name and what is free to change."""
    named = [one.value for one in call.keywords if one.arg not in ("name", *_FREE[kind])]
    return [*call.args[0 if any(one.arg == "name" for one in call.keywords) else 1 :], *named]


def _outside_of_functions(node: ast.AST) -> Iterator[ast.AST]:
    """It and all within it, but not what a function that it defines will do."""
    yield node
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        for inner in ast.iter_child_nodes(node):
            yield from _outside_of_functions(inner)


def _defined_by(node: ast.stmt) -> set[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {node.name}
    if isinstance(node, ast.Import | ast.ImportFrom):
        return {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
    return _stored(node) | {
        name
        for inner in ast.walk(node)
        if inner is not node
        and isinstance(inner, ast.FunctionDef | ast.ClassDef | ast.Import | ast.ImportFrom)
        for name in _defined_by(inner)
    }


def _as_text(node: ast.AST) -> str:
    """What a statement says, without how it is written, the same in every version of Python."""
    said = []
    for field_name, value in ast.iter_fields(node):
        values = value if isinstance(value, list) else [value]
        if field_name == "body" and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            values = values[_is_text(values[0]) :]
        if field_name == "keywords":
            free = {word for kind, words in _FREE.items() if _declares(node, kind, None) for word in words}
            values = [one for one in values if one.arg not in free]
        if field_name not in ("ctx", "kind", "type_comment") and any(one is not None for one in values):
            texts = (_as_text(one) if isinstance(one, ast.AST) else ascii(one) for one in values)
            said.append(f"{field_name}=[{','.join(texts)}]")
    return f"{type(node).__name__}({' '.join(said)})"


def _is_text(node: ast.stmt) -> bool:
    """Whether it is a docstring, if it comes first."""
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
_LOOPS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_INSIDE = ("body", "generators", "elt", "key", "value")


def _names_in(node: ast.AST) -> set[str]:
    """The names of the file that it reads; not what is local to a function."""
    if isinstance(node, ast.Name):
        return set() if isinstance(node.ctx, ast.Store) else {node.id}
    if isinstance(node, ast.Constant):  # a type hint in quotes
        return {node.value} if isinstance(node.value, str) and node.value.isidentifier() else set()
    if isinstance(node, ast.Global):
        return set(node.names)
    has_scope = isinstance(node, (*_FUNCTIONS, *_LOOPS))
    outside: set[str] = set()
    inside: set[str] = set()
    for name, value in ast.iter_fields(node):
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, ast.AST):
                (inside if has_scope and name in _INSIDE else outside).update(_names_in(one))
    return outside | (inside - _local(node) if has_scope else inside)


def _local(node: ast.AST) -> set[str]:
    """The names that a function or a comprehension gives to what is its own."""
    found = _stored(node)
    if isinstance(node, _FUNCTIONS):
        found |= {one.arg for one in ast.walk(node.args) if isinstance(one, ast.arg)}
    return found - {name for one in ast.walk(node) if isinstance(one, ast.Global) for name in one.names}


def _stored(node: ast.AST) -> set[str]:
    """The names that are assigned in it, but not in functions within."""
    found: set[str] = set()
    for one in ast.iter_child_nodes(node):
        if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store):
            found.add(one.id)
        if not isinstance(one, (*_FUNCTIONS, *_LOOPS, ast.ClassDef)):
            found |= _stored(one)
    return found
