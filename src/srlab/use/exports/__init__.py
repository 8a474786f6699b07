"""A trained network as a file that other programs run without srlab: ONNX, torch.export's, or OpenVINO's.

Such a file takes RGB to RGB, for any number of pictures of any size, whatever the network works on: a network
for luma has its colors and the bicubic enlargement of chroma inside. What a file gives is compared with torch
before the file is there.
"""

import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch import nn

import srlab
from srlab.declare.protocol import protocol_to_dict
from srlab.errors import UserError
from srlab.files import is_stream, sha256_of, write_bytes
from srlab.folder import store
from srlab.folder.schema import RunFile
from srlab.use.exports.graphs import (
    OPENVINO_FILE,
    Array,
    Run,
    imported,
    onnx_bytes,
    open_onnx,
    open_openvino,
    open_pt2,
    program_of,
    pt2_bytes,
    save_openvino,
    translating,
)
from srlab.use.models.loading import LoadedNetwork, load_network
from srlab.use.upscale import forward_in_torch
from srlab.user_code.declared import reason

CHECKED = ((1, 13, 37), (2, 31, 20), (1, 64, 49))  # pictures, height and width; none as the trace had
TOLERANCE = 1e-4  # of the range 1; 8 bits have steps of 0.0039
_OF_ROUNDING = 3  # times what torch's own rounding makes, where that is more
_AT_MOST = 0.5 / 255  # whatever the rounding makes: half a level of 8 bits


@dataclass(frozen=True, kw_only=True)
class Format:
    """A kind of file: what ends its name, what it is called, the packages that it needs beside torch, and the
    extra of srlab that installs them. A folder has a name without an ending.
    """

    suffix: str
    title: str
    packages: tuple[str, ...] = ()
    extra: str = "export"


ONNX = Format(suffix=".onnx", title="ONNX", packages=("onnx", "onnxscript", "onnxruntime"))
PT2 = Format(suffix=".pt2", title="a program of torch.export")
OPENVINO = Format(suffix="", title="OpenVINO", packages=("onnx", "onnxscript", "openvino"), extra="openvino")
FORMATS = {format_.suffix: format_ for format_ in (ONNX, PT2, OPENVINO)}
_IN_FOLDER = {OPENVINO_FILE, Path(OPENVINO_FILE).with_suffix(".bin").name}


@dataclass(frozen=True, kw_only=True)
class Exported:
    """A file or folder that was written: its `bytes`, its `metadata`, the `seconds` that it took, and the
    worst difference from torch at `CHECKED`, in a range of 1.
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

    Without a suffix `out` is a folder for OpenVINO.

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
    if format_ is OPENVINO:
        with translating(found.variant):
            content = onnx_bytes(program, metadata=metadata)
        size, worst = _write_openvino(network, out, content, metadata, found)
    else:
        onnx = format_ is ONNX
        with translating(found.variant):
            content = (onnx_bytes if onnx else pt2_bytes)(program, metadata=metadata)
            run = (open_onnx if onnx else open_pt2)(content)
        worst = check_same(network, run, name=found.variant)
        size = len(content)
        write_bytes(out, content)
    return Exported(
        path=out,
        variant=found.variant,
        scale=int(metadata["scale"]),
        bytes=size,
        seconds=time.monotonic() - start,
        worst=worst,
        metadata=metadata,
    )


def _write_openvino(
    network: nn.Module, out: Path, onnx: bytes, metadata: dict[str, str], found: LoadedNetwork
) -> tuple[int, float]:
    """Write the folder whole or not at all; its bytes, and the worst difference from torch.

    A link to a folder is followed. What was there is kept until the new folder is in its place.
    """
    out = Path(os.path.realpath(out))
    out.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    new, old = beside / "new", beside / "old"
    try:
        new.mkdir()
        with translating(found.variant):
            save_openvino(onnx, new, metadata=metadata)
            run = open_openvino(new / OPENVINO_FILE)
        worst = check_same(network, run, name=found.variant)
        size = sum(path.stat().st_size for path in new.iterdir())
        if out.exists():
            out.rename(old)
        new.rename(out)
    finally:  # also where it is interrupted
        if old.exists() and not out.exists():
            old.rename(out)
        shutil.rmtree(beside, ignore_errors=True)
    return size, worst


def check_target(out: Path, *, overwrite: bool) -> Format:
    """The format that the name says. Raises `UserError` if it is none, or nothing can be written there."""
    format_ = FORMATS.get(out.suffix.lower())
    if format_ is None:
        raise UserError(
            f"{out} must end in .onnx ({ONNX.title}) or .pt2 ({PT2.title}), or have no ending: then it is a "
            f"folder for {OPENVINO.title}"
        )
    if format_ is OPENVINO:
        if out.exists() and not out.is_dir():
            raise UserError(
                f"{out} is a file, and {OPENVINO.title} is written to a folder; give another name"
            )
        if Path(os.path.realpath(out)) == Path.cwd().resolve():  # it is replaced, so nobody may stand in it
            raise UserError(f"{out} is the folder that you are in; name a new folder, such as {out / 'net'}")
        others = sorted({path.name for path in out.iterdir()} - _IN_FOLDER) if out.is_dir() else []
        if others:
            raise UserError(f"{out} has other files, such as {others[0]}; name a new folder")
    elif out.is_dir():
        raise UserError(f"{out} is a folder; name a file in it, such as {out / f'net{format_.suffix}'}")
    is_empty = format_ is OPENVINO and out.is_dir() and not any(out.iterdir())
    if out.exists() and not overwrite and not is_empty:
        raise UserError(f"{out} exists; give another name, or overwrite it (overwrite=True, --overwrite)")
    require(*format_.packages, what=f"export to {format_.title}", extra=format_.extra)
    _check_writable(out)
    return format_


def _check_writable(out: Path) -> None:
    """Raise `UserError` if no file can be made in the folder that `out` will be in; none is left there."""
    if is_stream(out):
        return
    folder = Path(os.path.realpath(out)).parent
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    if not folder.is_dir():
        raise UserError(f"{out} cannot be written: {folder} is a file, not a folder; choose another place")
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UserError(
            f"{out} cannot be written: no file can be made in {folder} ({error.strerror}); choose another "
            "place, or change what stands in the way"
        ) from error


def require(*packages: str, what: str, extra: str = "export") -> None:
    """Raise `UserError` if a package that `what` needs is missing or broken; `extra` installs them."""
    missing = [name for name in packages if find_spec(name) is None]
    if missing:
        raise UserError(
            f"{what} needs the {'package' if len(missing) == 1 else 'packages'} {', '.join(missing)}; "
            f"install what is missing: python -m pip install 'srlab[{extra}]'"
        )
    for name in packages:
        try:
            imported(name)
        except Exception as error:  # a part of it is missing, or does not fit another package
            raise UserError(
                f"{what} needs the package {name}, which is installed but does not load ({reason(error)}); "
                f"install it anew: python -m pip install --force-reinstall 'srlab[{extra}]'"
            ) from error


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


def check_same(network: nn.Module, run: Run, *, name: str, luma: bool = False) -> float:
    """The largest difference between what `run` and torch make of noise, at three sizes; with `luma` of Y.

    A network whose values grow large inside loses more by rounding, in torch too. What torch in float32
    differs from torch in float64 by then tells how much is allowed, up to half a level of 8 bits.

    Raises:
        UserError: it is above `TOLERANCE` and above three times torch's own rounding; `run` fails, or gives
            another size or values that are not finite; torch gives another picture each time.
    """
    generator = np.random.default_rng(0)
    worst = 0.0
    forward = forward_in_torch(network, luma=luma)
    for count, height, width in CHECKED:
        lr = generator.random((count, 1 if luma else 3, height, width), dtype=np.float32)
        with torch.inference_mode():
            wanted, again = (forward(torch.from_numpy(lr)).float().numpy() for _ in range(2))
        own = float(np.abs(again - wanted).max())
        if own > TOLERANCE:
            raise UserError(
                f"{name} was not exported: torch itself makes another picture each time, by {own:.1e}, so no "
                "file can be compared with it; nothing may be random in `forward` while a network is used"
            )
        with translating(name):
            found = run(lr)
        if found.shape != wanted.shape:
            raise UserError(
                f"{name} was not exported: for {width}x{height} pixels the file gives {found.shape}, and "
                f"torch gives {wanted.shape}; please report it"
            )
        difference = float(np.abs(found - wanted).max() / max(1.0, np.abs(wanted).max()))
        is_close = difference <= TOLERANCE  # NaN is not
        if not is_close and not difference <= min(
            _AT_MOST, _OF_ROUNDING * _rounding(network, lr, wanted, luma=luma)
        ):
            raise UserError(
                f"{name} was not exported: for {width}x{height} pixels the file differs from torch by "
                f"{difference:.1e}, and at most {TOLERANCE:.0e} is allowed; please report it"
            )
        worst = max(worst, difference)
    return worst


def _rounding(network: nn.Module, lr: Array, found: Array, *, luma: bool) -> float:
    """How far `found`, which torch made in float32, is from what it makes in float64; 0 if it cannot."""
    try:
        with torch.inference_mode():
            exact = forward_in_torch(network.double(), luma=luma)(torch.from_numpy(lr).double()).numpy()
    except (RuntimeError, TypeError):  # a user's network may know float32 only
        return 0.0
    finally:
        network.float()  # the same weights to the bit
    return float(np.abs(found - exact).max() / max(1.0, np.abs(found).max()))
