"""A trained network as a file that other programs run without srlab: ONNX, or a program of torch.export.

Such a file takes RGB to RGB, for any number of pictures of any size, whatever the network works on: a network
for luma has its colors and the bicubic enlargement of chroma inside. What a file gives is compared with torch
before the file is there.
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

import srlab
from srlab.declare.protocol import protocol_to_dict
from srlab.errors import UserError
from srlab.files import sha256_of, write_bytes
from srlab.folder import store
from srlab.folder.schema import RunFile
from srlab.use.exports.graphs import onnx_bytes, open_onnx, open_pt2, program_of, pt2_bytes
from srlab.use.models.loading import LoadedNetwork, load_network

Array = NDArray[np.float32]
Run = Callable[[Array], Array]  # LR [N, 3, H, W] -> SR [N, 3, sH, sW]

CHECKED = ((1, 13, 37), (2, 31, 20), (1, 64, 49))  # pictures, height and width; none as the trace had
TOLERANCE = 1e-4  # of the range 1; 8 bits have steps of 0.0039


@dataclass(frozen=True, kw_only=True)
class Format:
    """A kind of file: what ends its name, what it is called, and the packages that it needs beside torch."""

    suffix: str
    title: str
    packages: tuple[str, ...] = ()


FORMATS = {
    ".onnx": Format(suffix=".onnx", title="ONNX", packages=("onnx", "onnxscript", "onnxruntime")),
    ".pt2": Format(suffix=".pt2", title="a program of torch.export"),
}


@dataclass(frozen=True, kw_only=True)
class Exported:
    """A file that was written: its `bytes`, its `metadata`, the `seconds` that it took, and the worst
    difference from torch at `CHECKED`, in a range of 1.
    """

    path: Path
    variant: str
    scale: int
    bytes: int
    seconds: float
    worst: float
    metadata: dict[str, str]


def export_network(
    model: str | None,
    out: Path,
    *,
    scale: int | None = None,
    overwrite: bool = False,
    tell: Callable[[str], None] = lambda _: None,
) -> Exported:
    """Write the network that `model` and `scale` mean (as in `srlab.load`) to `out`; its suffix says how.

    `tell` is given a sentence before each stage that may take long.

    Raises:
        UserError: there is no such network, the suffix is of no format, a package is missing, `out` exists,
            or the network cannot be exported for any size.
    """
    format_ = check_target(out, overwrite=overwrite)
    start = time.monotonic()
    found = load_network(model, scale=scale)
    network = found.network
    metadata = describe(found)
    count = sum(parameter.numel() for parameter in network.parameters())
    tell(
        f"{found.variant} x{metadata['scale']}, {count:,} parameters, becomes {format_.title}; networks with "
        "many layers take up to a minute"
    )
    program = program_of(network, name=found.variant)
    if format_.suffix == ".onnx":
        content = onnx_bytes(program, metadata=metadata)
        run: Run = open_onnx(content)
    else:
        content = pt2_bytes(program, metadata=metadata)
        run = open_pt2(content)
    worst = check_same(network, run, name=found.variant)
    write_bytes(out, content)
    return Exported(
        path=out,
        variant=found.variant,
        scale=int(metadata["scale"]),
        bytes=len(content),
        seconds=time.monotonic() - start,
        worst=worst,
        metadata=metadata,
    )


def check_target(out: Path, *, overwrite: bool) -> Format:
    """The format that the name says. Raises `UserError` if it is none, or nothing can be written there."""
    format_ = FORMATS.get(out.suffix.lower())
    if format_ is None:
        known = " or ".join(f"{one.suffix} ({one.title})" for one in FORMATS.values())
        raise UserError(f"the name of the file must end in {known}; {out} does not")
    if out.is_dir():
        raise UserError(f"{out} is a folder; name a file in it, such as {out / f'net{format_.suffix}'}")
    if out.exists() and not overwrite:
        raise UserError(f"{out} exists; give another name, or overwrite it (overwrite=True, --overwrite)")
    require(*format_.packages, what=f"export to {format_.title}")
    return format_


def require(*packages: str, what: str, extra: str = "export") -> None:
    """Raise `UserError` if a package is missing that `what` needs; `extra` is what installs them."""
    missing = [name for name in packages if find_spec(name) is None]
    if missing:
        raise UserError(
            f"{what} needs the {'package' if len(missing) == 1 else 'packages'} {' and '.join(missing)}; "
            f"install what is missing: python -m pip install 'srlab[{extra}]'"
        )


def describe(found: LoadedNetwork) -> dict[str, str]:
    """What stands in the file: what goes in and comes out, which network it is, how it was trained."""
    network = found.network
    scale, color = cast(int, network.scale), cast(str, network.color)
    metadata = {
        "input": "lr: RGB, float32 [N, 3, H, W], values in [0, 1], any N, H and W",
        "output": f"sr: RGB, float32 [N, 3, {scale}H, {scale}W], 1 is white; not clipped: clip to [0, 1]",
        "scale": str(scale),
        "color": "luma: only Y goes through the network, Cb and Cr are enlarged by bicubic"
        if color == "luma"
        else "rgb",
        "variant": found.variant,
        "srlab": srlab.__version__,
    }
    if found.weights:
        metadata["weights_sha256"] = ", ".join(sha256_of(path) for path in found.weights)
    runs = [path.parent / store.RUN for path in found.weights if path.name == store.WEIGHTS]
    protocols = [store.read(path, RunFile).protocol for path in runs if path.is_file()]
    if protocols:
        metadata["protocol"] = json.dumps([protocol_to_dict(one) for one in protocols])
    return metadata


def check_same(network: nn.Module, run: Run, *, name: str) -> float:
    """The largest difference between what `run` and torch make of noise, at three sizes.

    Raises:
        UserError: it is above `TOLERANCE`, or `run` gives another size or values that are not finite.
    """
    generator = np.random.default_rng(0)
    worst = 0.0
    for count, height, width in CHECKED:
        lr = generator.random((count, 3, height, width), dtype=np.float32)
        with torch.inference_mode():
            wanted = network(torch.from_numpy(lr)).float().numpy()
        found = run(lr)
        if found.shape != wanted.shape:
            raise UserError(
                f"{name} was not exported: for {width}x{height} pixels the file gives {found.shape}, and "
                f"torch gives {wanted.shape}; please report it"
            )
        difference = float(np.abs(found - wanted).max() / max(1.0, np.abs(wanted).max()))
        if not difference <= TOLERANCE:  # NaN too
            raise UserError(
                f"{name} was not exported: for {width}x{height} pixels the file differs from torch by "
                f"{difference:.1e}, and at most {TOLERANCE:.0e} is allowed; please report it"
            )
        worst = max(worst, difference)
    return worst
