"""A network as a picture, drawn from its own steps: a changed network changes its picture.

What is repeated is drawn once, with how often; what a block holds is drawn beside it.
"""

import os
import re
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from html import escape
from operator import add, getitem, mul, sub, truediv
from pathlib import Path
from string import ascii_uppercase
from typing import Any

import torch
from torch import nn

from srlab.errors import UserError
from srlab.files import write_bytes
from srlab.networks import NetworkOptions, meta_network
from srlab.networks.architectures import UserNetwork
from srlab.networks.blocks import Enlarge, Network, Upsampler
from srlab.networks.discriminator import (
    HR_PATCH_SIZE,
    Discriminator,
    DiscriminatorOptions,
    meta_discriminator,
)
from srlab.networks.luma import Luma, MergeYCbCr, SplitYCbCr
from srlab.networks.parts import freeze
from srlab.networks.structure import Step, trace

OPENED = (Network, Upsampler)  # and plain nn.Sequential: drawn as what they hold
PARTS_OF_YCBCR = ("Y", "Cb, Cr")
DPI = {".svg": 72, ".png": 110}

FONT = "Helvetica"
GRAPH = {
    "fontname": FONT,
    "fontsize": "18",
    "labelloc": "t",
    "rankdir": "TB",
    "nodesep": "0.35",
    "ranksep": "0.32",
    "bgcolor": "white",
    "pad": "0.25",
}
BOX = {"fontname": FONT, "fontsize": "12", "shape": "box", "style": "filled,rounded", "margin": "0.16,0.08"}
WIDEST = 0.62  # of its size is a bold letter wide on average, in a wide font such as DejaVu Sans
ARROW = {"fontname": FONT, "fontsize": "12", "color": "#475569", "fontcolor": "#475569", "arrowsize": "0.7"}

# Fill and outline of each kind of box
COLORS = {
    "end": ("#1f2937", "#1f2937"),
    "conv": ("#dbeafe", "#1d4ed8"),
    "block": ("#ede9fe", "#6d28d9"),
    "enlarge": ("#dcfce7", "#15803d"),
    "fixed": ("#fef3c7", "#b45309"),
    "other": ("#f1f5f9", "#475569"),
    "sum": ("#ffffff", "#c2410c"),
}
SKIP_COLOR = "#c2410c"
SYMBOLS = {add: "+", sub: "\N{MINUS SIGN}", mul: "\N{MULTIPLICATION SIGN}", truediv: "\N{DIVISION SIGN}"}


@dataclass(frozen=True)
class Box:
    """One box of the picture; the first of its lines stands out. `module` is what it stands for, if any."""

    lines: tuple[str, ...]
    kind: str
    count: int = 1
    module: nn.Module | None = None


@dataclass(frozen=True)
class Arrow:
    """From box to box, by their places in the picture. A skip passes over the boxes between."""

    source: int
    target: int
    label: str
    is_skip: bool


def plot(options: NetworkOptions, path: Path, *, scale: int, title: str, frozen: Sequence[str] = ()) -> None:
    """Draw the network to `path`, an .svg or .png, whole or not at all; the parts in `frozen` are marked.

    Raises `UserError` for another suffix, and where Graphviz is missing.
    """
    network = meta_network(options, scale=scale)
    if frozen:
        freeze(network, frozen)
    _plot(network, path, title=title, scale=scale)


def plot_discriminator(
    options: DiscriminatorOptions, path: Path, *, title: str, hr_patch_size: int = HR_PATCH_SIZE
) -> None:
    """As `plot`, of the network that judges HR patches of `hr_patch_size` x `hr_patch_size` pixels."""
    _plot(meta_discriminator(options, hr_patch_size=hr_patch_size), path, title=title, scale=None)


def _plot(network: nn.Module, path: Path, *, title: str, scale: int | None) -> None:
    suffix = check_suffix(path)
    try:
        import pygraphviz  # type: ignore[import-untyped]
    except ImportError as error:
        raise UserError(
            f"drawing needs the package pygraphviz, which includes Graphviz; it could not be loaded: {error}"
        ) from None
    graph = pygraphviz.AGraph(directed=True, strict=False)
    label = _wide_label(title, size=float(GRAPH["fontsize"]), below="<tr><td> </td></tr>")
    graph.graph_attr.update(**GRAPH, label=label, dpi=str(DPI[suffix]))
    graph.node_attr.update(**BOX)
    graph.edge_attr.update(**ARROW)
    _draw(graph, network, scale=scale)
    with _quiet():
        picture = graph.draw(format=suffix[1:], prog="dot")
    if suffix == ".svg":
        picture = _centred(picture.decode()).encode()
    write_bytes(path, picture)


def check_suffix(path: Path) -> str:
    """The suffix in lower case; `UserError` unless it is one that can be drawn."""
    suffix = path.suffix.lower()
    if suffix not in DPI:
        raise UserError(f"a diagram must be an .svg or a .png file, not {path.name!r}")
    return suffix


def picture_of(module: nn.Module, *, scale: int | None = None) -> tuple[list[Box], list[Arrow]]:
    """The boxes of a module in the order in which they run, and the arrows between them.

    `scale` is given for a whole network, whose ends are LR and SR.
    """
    inside = module.network if isinstance(module, UserNetwork) else None
    try:
        steps = trace(
            module,
            is_box=lambda inner: (
                inner is not inside and not (isinstance(inner, OPENED) or type(inner) is nn.Sequential)
            ),
        )
    except Exception:  # whatever a user's forward does that cannot be followed
        return _parts(module if inside is None else inside, scale=scale)
    is_rgb = scale is not None and not isinstance(module, Luma)
    groups = _groups([step for step in steps if step.kind != "constant" and step.function is not getitem])
    place = {step: i for i, group in enumerate(groups) for step in group}
    boxes = _told_apart([_box(group, scale=scale) for group in groups])
    if isinstance(module, Discriminator):
        boxes = [_end_of_discriminator(box, module.hr_patch_size) for box in boxes]
    arrows: list[Arrow] = []
    depth = [0] * len(boxes)  # the longest way from the input
    for target, group in enumerate(groups):
        sources: Counter[tuple[int, str]] = Counter()
        for step in group[0].inputs:
            label = ""
            while step.function is getitem:
                part, step = step.number, step.inputs[0]
                label = PARTS_OF_YCBCR[int(part or 0)] if isinstance(step.module, SplitYCbCr) else ""
            if step.kind != "constant":
                if boxes[target].kind == "sum" and is_rgb and _num_channels(step.module) == 1:
                    label = "1 channel, added to R, G and B"
                sources[place[step], label] += 1
        deepest = max((depth[source] for source, _ in sources), default=-1)
        depth[target] = deepest + 1
        for (source, label), count in sources.items():
            is_skip = boxes[target].kind == "sum" and depth[source] < deepest
            arrows.append(Arrow(source, target, f"all {count}" if count > 1 else label, is_skip))
    return boxes, _whole_skips(arrows)


def _parts(module: nn.Module, *, scale: int | None) -> tuple[list[Box], list[Arrow]]:
    """A module whose way cannot be followed: its parts as they are declared, and a word that says so."""
    ends = [_box([Step(kind=kind, name=kind, inputs=())], scale=scale) for kind in ("input", "output")]
    parts = [
        _box([Step(kind="module", name=name, inputs=(), module=part)], scale=scale)
        for name, part in module.named_children()
    ]
    boxes = [ends[0], Box(("parts as declared", "their order is not known"), "fixed"), *parts, ends[1]]
    return _told_apart(boxes), [Arrow(place, place + 1, "", is_skip=False) for place in range(len(boxes) - 1)]


def _told_apart(boxes: Sequence[Box]) -> list[Box]:
    """The boxes; blocks of one name that are not alike get a letter: ``residual block A``."""
    kinds: dict[str, list[str]] = {}
    for box in boxes:
        if box.kind == "block":
            alike = kinds.setdefault(box.lines[0], [])
            alike += [] if repr(box.module) in alike else [repr(box.module)]
    named = []
    for box in boxes:
        alike = kinds.get(box.lines[0], []) if box.kind == "block" else []
        if len(alike) > 1:
            times, place = divmod(alike.index(repr(box.module)), len(ascii_uppercase))
            first = f"{box.lines[0]} {ascii_uppercase[place] * (times + 1)}"
            box = replace(box, lines=(first, *box.lines[1:]))
        named.append(box)
    return named


def _num_channels(module: nn.Module | None) -> int | None:
    """How many channels come out of the module's last convolution; None if there is none."""
    convolutions = [] if module is None else [one for one in module.modules() if isinstance(one, nn.Conv2d)]
    return convolutions[-1].out_channels if convolutions else None


def _whole_skips(arrows: Sequence[Arrow]) -> list[Arrow]:
    """The arrows, with those made skips too that lead to nothing but a skip."""
    leads_on = {arrow.source for arrow in arrows if not arrow.is_skip}
    ends = {arrow.target for arrow in arrows} - {arrow.source for arrow in arrows}
    return [replace(arrow, is_skip=arrow.is_skip or arrow.target not in leads_on | ends) for arrow in arrows]


def _groups(steps: Sequence[Step]) -> list[list[Step]]:
    """The steps, with runs of equal modules put together."""
    users: dict[Step, set[Step]] = {step: set() for step in steps}
    for step in steps:
        for source in step.inputs:
            if source in users:
                users[source].add(step)
    groups: list[list[Step]] = []
    for step in steps:
        last = groups[-1][-1] if groups else None
        if (
            last is not None
            and step.module is not None
            and repr(step.module) == repr(last.module)
            and _is_frozen(step.module) == _is_frozen(last.module)
            and step.inputs == (last,)
            and users[last] - {step} <= users[step]
        ):
            groups[-1].append(step)
        else:
            groups.append([step])
    return groups


def _box(group: Sequence[Step], *, scale: int | None) -> Box:
    step = group[0]
    if step.kind == "input":
        return Box(
            ("LR", "3 \N{MULTIPLICATION SIGN} H \N{MULTIPLICATION SIGN} W") if scale else ("in",), "end"
        )
    if step.kind == "output":
        size = f"3 \N{MULTIPLICATION SIGN} {scale}H \N{MULTIPLICATION SIGN} {scale}W"
        return Box(("SR", size) if scale else ("out",), "end")
    if step.module is not None:
        words = (*_describe(step.module), *(("frozen",) if _is_frozen(step.module) else ()))
        return Box(words, _kind(step.module), len(group), step.module)
    if step.function is torch.cat:
        return Box(("concatenate",), "sum")
    if step.function not in SYMBOLS:
        return Box((getattr(step.function, "__name__", step.name),), "other")
    symbol = SYMBOLS[step.function]
    constants = [source.name for source in step.inputs if source.kind == "constant"]
    operand = constants[0] if constants else "" if step.number is None else f"{step.number:g}"
    return Box((f"{symbol} {operand}",), "other") if operand else Box((symbol,), "sum")


def _end_of_discriminator(box: Box, side: int) -> Box:
    """The box with what a discriminator takes and gives, if it is an end of it."""
    times = "\N{MULTIPLICATION SIGN}"
    ends: dict[tuple[str, ...], tuple[str, ...]] = {
        ("in",): ("HR or SR patch", f"3 {times} {side} {times} {side}"),
        ("out",): ("logit", "above 0: taken for HR"),
    }
    return replace(box, lines=ends.get(box.lines, box.lines))


def _is_frozen(module: nn.Module | None) -> bool:
    """Whether the module has weights and none of them is trained."""
    weights = [] if module is None else list(module.parameters())
    return bool(weights) and not any(weight.requires_grad for weight in weights)


def _describe(module: nn.Module) -> Iterator[str]:
    """A module in a few words a line."""
    if isinstance(module, nn.Conv2d):
        size = "\N{MULTIPLICATION SIGN}".join(str(length) for length in module.kernel_size)
        valid = ", valid" if module.padding == (0, 0) and module.kernel_size != (1, 1) else ""
        stride = f", stride {module.stride[0]}" if module.stride != (1, 1) else ""
        yield f"conv {size}{valid}{stride}"
        yield f"{module.in_channels} \N{RIGHTWARDS ARROW} {module.out_channels}"
    elif isinstance(module, nn.Sequential):
        for layer in module:
            yield from _describe(layer)
    elif isinstance(module, nn.Linear):
        yield "dense"
        yield f"{module.in_features:,} \N{RIGHTWARDS ARROW} {module.out_features:,}"
    elif isinstance(module, nn.PixelShuffle):
        yield f"pixel shuffle \N{MULTIPLICATION SIGN}{module.upscale_factor}"
    elif isinstance(module, Enlarge):
        yield f"{module.kind} \N{MULTIPLICATION SIGN}{module.scale}"
    elif isinstance(module, nn.LeakyReLU):
        yield f"LeakyReLU {module.negative_slope:g}"
    elif isinstance(module, nn.PReLU):
        slopes = module.num_parameters
        yield "PReLU, one slope" if slopes == 1 else f"PReLU, {slopes} slopes"
    elif isinstance(module, nn.BatchNorm2d):
        yield "batch norm"
    elif isinstance(module, nn.ReplicationPad2d):
        yield f"repeat the edge by {module.padding[0]}"
    elif isinstance(module, SplitYCbCr):
        yield "RGB to YCbCr"
    elif isinstance(module, MergeYCbCr):
        yield "YCbCr to RGB"
    elif any(True for _ in module.children()) or type(module).__module__.partition(".")[0] != "torch":
        yield re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(module).__name__).lower()
    else:
        yield type(module).__name__


def _kind(module: nn.Module) -> str:
    inside = [layer for layer in module.modules() if not any(True for _ in layer.children())]
    if any(isinstance(layer, nn.PixelShuffle) for layer in inside):
        return "enlarge"
    if isinstance(module, Enlarge):
        return "enlarge"
    if isinstance(module, nn.Conv2d | nn.Linear | nn.Sequential):
        return "conv"
    if isinstance(module, nn.ReplicationPad2d | SplitYCbCr | MergeYCbCr):
        return "fixed"
    return "block" if len(inside) > 1 else "other"


def _draw(graph: Any, network: nn.Module, *, scale: int | None) -> None:
    boxes, arrows = picture_of(network, scale=scale)
    _draw_boxes(graph, boxes, arrows, prefix="")
    drawn: set[str] = set()
    for i, box in enumerate(boxes):
        if box.kind != "block" or box.module is None or repr(box.module) in drawn:
            continue
        drawn.add(repr(box.module))
        for parameter in box.module.parameters():  # one picture of its inside, for frozen ones and others
            parameter.requires_grad_(parameter.is_floating_point() or parameter.is_complex())
        inner_boxes, inner_arrows = picture_of(box.module)
        prefix = f"{i}."
        cluster = graph.add_subgraph(
            name=f"cluster_{i}",
            label=_wide_label(f"inside each {box.lines[0]}", size=13),
            style="rounded,dashed",
            color=COLORS["block"][1],
            fontcolor=COLORS["block"][1],
            fontsize="13",
            margin="14",
        )
        _draw_boxes(cluster, inner_boxes, inner_arrows, prefix=prefix)


def _draw_boxes(graph: Any, boxes: Sequence[Box], arrows: Sequence[Arrow], *, prefix: str) -> None:
    for i, box in enumerate(boxes):
        first, *rest = box.lines
        times = f"{box.count} \N{MULTIPLICATION SIGN}"
        bold = [first] if box.count == 1 else [times, first] if rest else [f"{times} {first}"]
        longest = max(map(len, (*bold, *rest)))
        label = "<br/>".join((*(f"<b>{escape(line)}</b>" for line in bold), *map(escape, rest)))
        fill, outline = COLORS[box.kind]
        graph.add_node(
            f"{prefix}{i}",
            label=f"<{label}>",
            fillcolor=fill,
            color=outline,
            fontcolor="white" if box.kind == "end" else "#111827",
            peripheries="2" if box.count > 1 else "1",
            style="filled,rounded,dashed" if _is_frozen(box.module) else BOX["style"],
            **(
                {"shape": "circle", "margin": "0.02"}
                if box.lines == ("+",)
                else {"width": f"{max(0.75, _widest(longest, float(BOX['fontsize'])) / 72):.2f}"}
            ),
        )
    for arrow in arrows:
        graph.add_edge(
            f"{prefix}{arrow.source}",
            f"{prefix}{arrow.target}",
            label=f" {arrow.label} " if arrow.label else "",
            color=SKIP_COLOR if arrow.is_skip else "#475569",
            penwidth="1.6" if arrow.is_skip else "1.2",
            weight="1" if arrow.is_skip else "20",
        )


def _widest(letters: int, size: float) -> float:
    """Points that so many letters take in a wide font, with a little air: the viewer's font is not known."""
    return WIDEST * size * letters + 12


def _wide_label(text: str, *, size: float, below: str = "") -> str:
    """A bold line, in Graphviz's HTML, with room for a font wider than the one Graphviz measures by."""
    table = '<table border="0" cellborder="0" cellspacing="0" cellpadding="0">'
    cell = f'<td width="{_widest(len(text), size):.0f}"><b>{escape(text)}</b></td>'
    return f"<{table}<tr>{cell}</tr>{below}</table>>"


def _centred(svg: str) -> str:
    """Every line of text around the middle of its box, so that it stands there in any font.

    Graphviz writes where each line starts, which holds in the font by which it measured, and no other.
    """
    middle = 0.0
    lines = []
    for line in svg.splitlines(keepends=True):
        if shape := re.match(r'<(?:path|polygon)\b.* (?:d|points)="([^"]*)"', line):
            xs = [float(x) for x in re.findall(r"(-?[\d.]+),-?[\d.]+", shape[1])]
            middle = (min(xs) + max(xs)) / 2
        elif shape := re.match(r'<ellipse\b.* cx="([^"]*)"', line):
            middle = float(shape[1])
        lines.append(re.sub(r'text-anchor="start" x="[^"]*"', f'text-anchor="middle" x="{middle:.2f}"', line))
    return "".join(lines)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep what Graphviz's C code has to say about the machine's fonts from standard error."""
    with tempfile.TemporaryFile() as sink:
        standard_error = os.dup(2)
        os.dup2(sink.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(standard_error, 2)
            os.close(standard_error)
