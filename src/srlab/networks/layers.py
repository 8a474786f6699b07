"""A network's layers as a table of text, narrow enough for a terminal; what repeats is told once."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import groupby

import torch
from torch import Tensor, nn

HEADINGS = ("layer", "kernel", "output", "parameters")


@dataclass(frozen=True)
class Row:
    """One layer or block, or several alike that follow each other: `count` of them, `names` of all.

    `output` is [C, H, W] of each; it and `kernel` are empty if there is none. `parameters` are its own,
    without those of the layers inside it, which are `inside`; `settings` is what torch prints of it.
    """

    kind: str
    settings: str
    kernel: tuple[int, ...]
    output: tuple[int, ...]
    parameters: int
    inside: tuple["Row", ...]
    count: int
    names: tuple[str, ...]

    def looks(self) -> object:
        """Everything but the names: rows that look the same are told as one."""
        inside = tuple((row.names, row.count, row.looks()) for row in self.inside)
        return self.kind, self.settings, self.kernel, self.output, self.parameters, inside

    @property
    def total(self) -> int:
        """Parameters of all that the row stands for."""
        return self.count * (self.parameters + sum(row.total for row in self.inside))


def layer_rows(network: nn.Module, image: Tensor) -> Row:
    """What `network` consists of; the shapes are those on the way of `image` [1, C, H, W] through it.

    On the meta device nothing is computed.
    """
    outputs: dict[nn.Module, tuple[int, ...]] = {}

    def note(module: nn.Module, _inputs: object, output: object) -> None:
        first = output[0] if isinstance(output, tuple) else output
        if isinstance(first, Tensor):
            outputs.setdefault(module, tuple(first.shape[1:]))

    hooks = [module.register_forward_hook(note) for module in network.modules()]
    try:
        with torch.inference_mode():
            network(image)
    finally:
        for hook in hooks:
            hook.remove()
    return _row(network, "", outputs)


def _row(module: nn.Module, name: str, outputs: dict[nn.Module, tuple[int, ...]]) -> Row:
    kernel = getattr(module, "kernel_size", ())
    inside = (_row(child, child_name, outputs) for child_name, child in module.named_children())
    return Row(
        kind=type(module).__name__,
        settings=module.extra_repr(),
        kernel=kernel if isinstance(kernel, tuple) else (kernel,),
        output=outputs.get(module, ()),
        parameters=sum(parameter.numel() for parameter in module.parameters(recurse=False)),
        inside=tuple(_folded(inside)),
        count=1,
        names=(name,),
    )


def _folded(rows: Iterator[Row]) -> Iterator[Row]:
    """Rows that follow each other and look the same, as one."""
    for _, alike in groupby(rows, key=Row.looks):
        first, *others = alike
        names = (*first.names, *(name for row in others for name in row.names))
        yield replace(first, count=len(names), names=names)


def layer_table(top: Row) -> str:
    """The rows as lines of text: names indented by what they are inside of, columns aligned."""
    cells = [HEADINGS, *_cells(top, depth=0)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(HEADINGS))]
    return "\n".join(
        f"{layer:{widths[0]}}  {kernel:{widths[1]}}  {output:{widths[2]}}  {parameters:>{widths[3]}}".rstrip()
        for layer, kernel, output, parameters in cells
    )


def _cells(row: Row, *, depth: int) -> Iterator[tuple[str, str, str, str]]:
    name = row.names[0] if row.count == 1 else f"{row.names[0]} to {row.names[-1]}"
    alike = f", {row.count:,} alike" if row.count > 1 else ""
    yield (
        f"{'  ' * depth}{name}{' ' if name else ''}{row.kind}{alike}",
        " x ".join(map(str, row.kernel)),
        " x ".join(map(str, row.output)),
        f"{row.parameters:,}" if row.parameters else "",
    )
    for inside in row.inside:
        yield from _cells(inside, depth=depth + 1)
