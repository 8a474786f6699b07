"""A network as the list of its steps, read off it by `torch.fx`: counts and drawings follow the code."""

from collections.abc import Callable
from dataclasses import dataclass, field
from threading import RLock
from typing import Any, Literal

from torch import fx, nn

ONE_AT_A_TIME = RLock()  # torch.fx changes torch for all threads while it traces
KINDS: dict[str, Literal["input", "module", "function", "constant", "output"]] = {
    "placeholder": "input",
    "call_module": "module",
    "call_function": "function",
    "call_method": "function",
    "get_attr": "constant",
    "output": "output",
}


@dataclass(frozen=True, eq=False)
class Step:
    """One step: a module that runs, a function (of `operator` or torch), or the input, a constant, the
    output.

    `inputs` are the steps whose results it takes, in the order in which it takes them. `arguments` and
    `keywords` are what it is called with, a step standing for its result.
    """

    kind: Literal["input", "module", "function", "constant", "output"]
    name: str
    inputs: tuple["Step", ...]
    module: nn.Module | None = None
    function: Any = None
    number: float | None = None  # what a function adds, multiplies by, ...; which part it takes of its input
    arguments: tuple[Any, ...] = ()
    keywords: dict[str, Any] = field(default_factory=dict)


def trace(network: nn.Module, *, is_box: Callable[[nn.Module], bool] = lambda _: False) -> tuple[Step, ...]:
    """The steps in the order they happen, from the input to the output.

    A module is one step if it has no module inside, or if it is a box; other modules are opened. The network
    is run on nothing, so weights and sizes do not matter.
    """

    class Tracer(fx.Tracer):
        def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:  # noqa: ARG002 - fx's names
            return is_box(m) or not any(True for _ in m.children())

    steps: dict[fx.Node, Step] = {}

    def replaced(argument: Any) -> Any:
        return steps[argument] if isinstance(argument, fx.Node) else argument

    with ONE_AT_A_TIME:
        nodes = Tracer().trace(network).nodes
    for node in nodes:
        kind = KINDS[node.op]
        numbers = [argument for argument in node.args if isinstance(argument, int | float)]
        steps[node] = Step(
            kind=kind,
            name=str(node.target),
            inputs=tuple(steps[source] for source in node.all_input_nodes),
            module=network.get_submodule(str(node.target)) if kind == "module" else None,
            function=node.target if kind == "function" else None,
            number=numbers[0] if numbers else None,
            arguments=fx.node.map_aggregate(node.args, replaced),
            keywords=fx.node.map_aggregate(node.kwargs, replaced),
        )
    return tuple(steps.values())
