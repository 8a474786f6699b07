"""A network run in strips of rows, from the top of the image to its bottom, so that it holds few rows.

Whole, a deep network holds several layers of the whole image. In tiles it holds less, and computes the
margin around each tile anew: 133 pixels on each side for RDN. Here each layer computes each row once, and
goes as far down as the rows above it allow. What it has computed is kept until no later layer looks at it.

Nothing is left out: at the image's edges each layer sees what it sees there in the whole image. Sums are
added up in another order, as they are in tiles.
"""

import operator
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn

from srlab.networks.architectures import UserNetwork
from srlab.networks.blocks import Enlarge, Network
from srlab.networks.complexity import INTERPOLATION_RADIUS, factor_of, layer_of
from srlab.networks.structure import Step, trace

_ROWS = 16  # of LR in a strip

Rows = tuple[int, int]  # the first, and the one after the last
Counts = dict[Step, int]  # of a step's result: a row, or a number of rows, columns or channels


class Stream:
    """The forward of `network`, which has no other network inside, in strips.

    `side` is the longer side of the image that it saw last.
    """

    def __init__(self, network: Network) -> None:
        self.side = 0
        steps = trace(network)
        self._constants: dict[Step, Tensor] = {
            step: operator.attrgetter(step.name)(network) for step in steps if step.kind == "constant"
        }
        (self._input,) = (step for step in steps if step.kind == "input")
        self._steps = [step for step in steps if step.kind in ("module", "function")]
        (self._last,) = steps[-1].inputs
        self._layers = {step: layer_of(step) for step in self._steps}
        self._channels: Counts = {}
        last_reader = {
            source: step for step in self._steps if not _is_join(step) for source in _sources(step)
        }
        self._done_after: dict[Step, list[Step]] = {step: [] for step in self._steps}
        for source, step in last_reader.items():
            if source is not self._input:
                self._done_after[step].append(source)

    def __call__(self, lr: Tensor) -> Tensor:
        """LR [N, C, H, W] -> SR [N, C, sH, sW]."""
        self.side = max(lr.shape[-2:])
        self._channels[self._input] = lr.shape[1]
        heights = self._sides(lr.shape[-2])
        strips = list(self._strips(heights))
        held = {step: _Held(most) for step, most in _most_kept(strips).items()}
        held[self._input].new = lr

        def read(step: Step, rows: Rows) -> Tensor:
            if step in self._constants:
                return self._constants[step]
            if _is_join(step):  # its parts are held, not what they make together
                return compute(step, rows)
            return held[step].read(rows)

        def compute(step: Step, rows: Rows) -> Tensor:
            layer = self._layers[step]
            if isinstance(layer, nn.Conv2d | nn.PixelShuffle | nn.ReplicationPad2d | Enlarge):
                (source,) = step.inputs
                seen = _inside(_span(layer, rows), heights[source])
                return _apply(layer, read(source, seen), rows=rows, seen=seen)
            arguments, keywords = fx.node.map_aggregate(
                (step.arguments, step.keywords),
                lambda value: read(value, rows) if isinstance(value, Step) else value,
            )
            return cast(Tensor, (layer or step.function)(*arguments, **keywords))

        sr: Tensor | None = None
        before = dict.fromkeys(heights, 0)
        for ends, kept in strips:
            for step in self._steps:
                rows = (before[step], ends[step])
                if rows[0] < rows[1] and not _is_join(step):
                    new = compute(step, rows)
                    self._channels[step] = new.shape[1]
                    if step is self._last:
                        if sr is None:
                            sr = new.new_empty((*new.shape[:2], heights[step], new.shape[3]))
                        sr[..., rows[0] : rows[1], :] = new
                    else:
                        held[step].new = new
                    del new
                for source in self._done_after[step]:
                    held[source].keep(kept[source], ends[source])
            before = ends
        assert sr is not None
        return sr

    def num_bytes(self, height: int, width: int) -> int:
        """About what it takes for an LR image of that size, in float32. It must have been called before."""
        heights, widths = self._sides(height), self._sides(width)
        row = {step: 4 * channels * widths[step] for step, channels in self._channels.items()}
        strips = list(self._strips(heights))
        most = _most_kept(strips)
        largest = 0  # what one step takes and gives in a strip
        before = dict.fromkeys(heights, 0)
        for ends, _ in strips:
            for step in row.keys() - {self._input}:
                start, stop = _span(self._layers[step], (before[step], ends[step]))
                taken = (stop - start) * sum(row[source] for source in _sources(step))
                largest = max(largest, taken + (ends[step] - before[step]) * row[step])
            before = ends
        return 2 * largest + sum(most[step] * row[step] for step in row.keys() - {self._input})

    def _sides(self, side: int) -> Counts:
        """The height of each step's result for an image whose height is `side`; or the width."""
        sides = {self._input: side}
        for step in self._steps:
            layer = self._layers[step]
            source = next(source for source in step.inputs if source in sides)
            sides[step] = (sides[source] - sum(_lost(layer))) * factor_of(layer)
        return sides

    def _strips(self, heights: Counts) -> Iterator[tuple[Counts, Counts]]:
        """Of each strip, how many rows of each result are there once it is done, and the first of them that a
        later strip looks at.
        """
        bottoms = []
        bottom = heights[self._last]
        while (ends := self._ends(bottom))[self._input] > 0:
            bottoms.append(ends)
            bottom -= _ROWS * heights[self._last] // heights[self._input]
        for unbounded in reversed(bottoms):
            ends = {step: min(max(end, 0), heights[step]) for step, end in unbounded.items()}
            for step in self._steps:  # a border is not repeated before there is a row to repeat
                if any(ends.get(source) == 0 for source in step.inputs):
                    ends[step] = 0
            kept = dict(ends)
            for step in reversed(self._steps):
                row = kept[step] if _is_join(step) else ends[step]
                if row < heights[step]:
                    for source in step.inputs:
                        if source in kept:
                            start, _ = _inside(_span(self._layers[step], (row, row + 1)), heights[source])
                            kept[source] = min(kept[source], start)
            yield ends, kept

    def _ends(self, bottom: int) -> Counts:
        """Up to which row each result is needed for the first `bottom` rows of SR, edges aside."""
        ends = {self._last: bottom}
        for step in reversed(self._steps):
            _, end = _span(self._layers[step], (ends[step], ends[step]))
            for source in step.inputs:
                if source not in self._constants:
                    ends[source] = max(ends.get(source, end), end)
        return ends


class _Held:
    """Rows of a step's result: those that are `new` in a strip, and up to `most` before them.

    The rows that stay have their place in memory from the first strip to the last: row r is at r modulo
    `most`. If they came and went as results do, memory would be cut into pieces that are of no use.
    """

    def __init__(self, most: int) -> None:
        self.new: Tensor | None = None
        self._first = 0  # the row with which `new` begins
        self._most = most
        self._kept: Tensor | None = None

    def read(self, rows: Rows) -> Tensor:
        start, stop = rows
        parts = []
        if self._kept is not None:
            parts += [self._kept[..., place, :] for place, _ in self._places(start, min(stop, self._first))]
        if self.new is not None and stop > self._first:
            parts.append(self.new[..., max(start - self._first, 0) : stop - self._first, :])
        return parts[0] if len(parts) == 1 else torch.cat(parts, dim=-2)

    def keep(self, start: int, stop: int) -> None:
        """The strip is done with it; of all rows so far, those from `start` to `stop` stay."""
        if self.new is not None:
            for place, row in self._places(max(start, self._first), stop):
                if self._kept is None:
                    batch, channels, _, width = self.new.shape
                    kept = self.new.new_empty(batch, self._most, width, channels)
                    self._kept = kept.permute(0, 3, 1, 2)  # channels last, as convolutions want it
                begin = row - self._first
                self._kept[..., place, :] = self.new[..., begin : begin + place.stop - place.start, :]
        self.new = None
        self._first = stop

    def _places(self, start: int, stop: int) -> Iterator[tuple[slice, int]]:
        """Where the rows from `start` to `stop` are among those that stay, and the first row of each."""
        while start < stop:
            at = start % self._most
            end = min(self._most, at + stop - start)
            yield slice(at, end), start
            start += end - at


def can_stream(network: nn.Module) -> bool:
    """Whether strips know what is in `network`: convolutions with zeros around, as many above as below.

    What the layers of a user's own network do to rows is not known.
    """
    if any(isinstance(module, UserNetwork) for module in network.modules()):
        return False
    convolutions = (module for module in network.modules() if isinstance(module, nn.Conv2d))
    return isinstance(network, Network) and all(
        conv.padding_mode == "zeros"
        and not isinstance(conv.padding, str)
        and (conv.dilation[0] * (conv.kernel_size[0] - 1)) % 2 == 0
        for conv in convolutions
    )


def streams_of(network: nn.Module) -> dict[Network, Stream]:
    """A stream for each network in `network` that has none inside."""
    networks = [module for module in network.modules() if isinstance(module, Network)]
    inner = [one for one in networks if sum(isinstance(module, Network) for module in one.modules()) == 1]
    return {one: Stream(one) for one in inner}


@contextmanager
def streaming(streams: dict[Network, Stream]) -> Iterator[None]:
    """Each of the networks in strips, also where another network calls it."""
    for network, stream in streams.items():
        network.forward = stream
    try:
        yield
    finally:
        for network in streams:
            del network.forward


def _most_kept(strips: list[tuple[Counts, Counts]]) -> Counts:
    """The most rows of each step's result that stay between two strips."""
    return {step: max(ends[step] - kept[step] for ends, kept in strips) for step in strips[0][0]}


def _is_join(step: Step) -> bool:
    return step.function is torch.cat


def _sources(step: Step) -> Iterator[Step]:
    """What is read for `step`: its inputs, or what they join; no constants."""
    for source in step.inputs:
        if _is_join(source):
            yield from _sources(source)
        elif source.kind != "constant":
            yield source


def _lost(layer: nn.Module | None) -> tuple[int, int]:
    """How many rows of its input a layer has none for in its result, at the top and at the bottom."""
    if isinstance(layer, nn.ReplicationPad2d):
        _, _, top, bottom = layer.padding
        return -top, -bottom
    if isinstance(layer, nn.Conv2d):
        lost = layer.dilation[0] * (layer.kernel_size[0] - 1) - 2 * int(layer.padding[0])
        return lost // 2, lost // 2
    return 0, 0


def _span(layer: nn.Module | None, rows: Rows) -> Rows:
    """The rows of its input that a layer looks at for these rows of its result, edges aside."""
    start, stop = rows
    if isinstance(layer, nn.Conv2d):
        pad = int(layer.padding[0])
        return start - pad, stop - pad + layer.dilation[0] * (layer.kernel_size[0] - 1)
    top, _ = _lost(layer)
    factor = factor_of(layer)
    reach = INTERPOLATION_RADIUS[layer.kind] if isinstance(layer, Enlarge) else 0
    return start // factor + top - reach, -(-stop // factor) + top + reach


def _inside(rows: Rows, height: int) -> Rows:
    """Those of the rows that there are, of a result of `height` rows; the nearest one if there is none."""
    start = min(max(rows[0], 0), height - 1)
    return start, max(min(rows[1], height), start + 1)


def _apply(layer: nn.Module, x: Tensor, *, rows: Rows, seen: Rows) -> Tensor:
    """These rows of a layer's result, from the rows `seen` of its input."""
    if isinstance(layer, nn.Conv2d):
        start, stop = _span(layer, rows)
        if (start, stop) != seen:  # the layer's own padding, at the image's edge
            x = F.pad(x, (0, 0, seen[0] - start, stop - seen[1]))
        padding = (0, int(layer.padding[1]))
        return F.conv2d(
            x, layer.weight, layer.bias, padding=padding, dilation=layer.dilation, groups=layer.groups
        )
    first = seen[0] * factor_of(layer)
    result: Tensor = layer(x)
    return result[..., rows[0] - first : rows[1] - first, :]
