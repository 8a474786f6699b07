"""Two files: a checkpoint to go on training from, and weights to use.

``checkpoint.pt`` holds tensors, numbers and strings only and is read with ``weights_only=True``, so that it
cannot run code. ``weights.safetensors`` describes itself: its metadata say which network it is for, so it is
loaded without its run, strictly. Nothing that a file says is believed before it is checked against what the
file holds. A checksum in its metadata covers that description and every tensor; older files without a
checksum are still read.
"""

import hashlib
import io
import json
import os
import sys
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, Literal

import safetensors.torch
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn
from torch.nn.modules.module import register_module_parameter_registration_hook

import srlab
from srlab.declare.study import Variant
from srlab.errors import UserError
from srlab.folder import store
from srlab.folder.schema import RunFile
from srlab.folder.store import write_atomically
from srlab.folder.user_networks import CodeRefusedError, provide_code
from srlab.networks import (
    BicubicOptions,
    Network,
    NetworkOptions,
    architecture,
    build_network,
    meta_network,
    options_from_dict,
    options_to_dict,
)

CHECKPOINT_FORMAT = 1
WEIGHTS_FORMAT = 1
WEIGHTS_KEY = "srlab"  # in the metadata of weights.safetensors
CHECKSUM_KEY = "sha256"  # in what is under that key
# Tensors, in a network built for a file that has fewer; the largest RDN has a few hundred.
MOST_PARAMETERS = 1_000


# Checkpoints


def save_checkpoint(path: Path, state: Mapping[str, Any]) -> None:
    """Write tensors, numbers, strings, and dicts and lists of them; `path` is never half a file.

    Raises:
        OSError: the disk is full or read-only; `path` is as it was.
    """
    buffer = io.BytesIO()  # torch.save to a full disk would not raise OSError
    torch.save({"format": CHECKPOINT_FORMAT, **state}, buffer)
    _write(path, buffer.getbuffer())


def load_checkpoint(path: Path) -> dict[str, Any]:
    """What `save_checkpoint` wrote, on the CPU.

    Raises:
        UserError: the file is damaged, holds anything but plain values, or was not written by this srlab.
    """
    remedy = "delete it, and the run starts again from its first step"
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
        if damaged is not None:
            raise UserError(f"{path} is damaged: the checksum of {damaged} is wrong; {remedy}")
        with warnings.catch_warnings(action="ignore"):  # of odd pickles, which are refused or plain values
            state = torch.load(path, map_location="cpu", weights_only=True)
    except (zipfile.BadZipFile, EOFError, RuntimeError, KeyError, ValueError, NotImplementedError) as error:
        if isinstance(error, UserError):
            raise
        raise UserError(
            f"{path} is not a checkpoint, or it was cut off ({_first_line(error)}); {remedy}"
        ) from error
    except UnpicklingError as error:
        raise UserError(
            f"{path} is not a checkpoint of srlab: it holds more than tensors and numbers, which could "
            f"run code; {remedy}"
        ) from error
    if not isinstance(state, dict) or state.pop("format", None) != CHECKPOINT_FORMAT:
        raise UserError(f"{path} was written by another program or another version of srlab; {remedy}")
    return state


def require_same_tensors(found: Mapping[str, Any], expected: Mapping[str, Tensor], *, what: str) -> None:
    """Check names, shapes and dtypes of tensors before they are loaded.

    Raises:
        UserError: naming the first tensor that is missing, unknown, or of another shape or dtype.
    """
    for name, tensor in expected.items():
        if not isinstance(found.get(name), Tensor):
            raise UserError(f"{what} is for another network: it has no {name!r}, which this one needs")
        if found[name].shape != tensor.shape or found[name].dtype != tensor.dtype:
            raise UserError(
                f"{what} is for another network: {name!r} is {_kind(found[name])} there "
                f"and {_kind(tensor)} here"
            )
    if unknown := sorted(set(found) - set(expected)):
        raise UserError(f"{what} is for another network: it has {unknown[0]!r}, which this one does not have")


def is_finite(values: object) -> bool:
    """Whether no tensor in `values`, or in the dicts and lists in it, holds NaN or infinity."""
    if isinstance(values, Mapping):
        return all(is_finite(value) for value in values.values())
    if isinstance(values, list | tuple):
        return all(is_finite(value) for value in values)
    return not isinstance(values, Tensor) or bool(torch.isfinite(values).all())


# Weights


@dataclass(frozen=True, kw_only=True, eq=False)
class LoadedWeights:
    """A network as a weights file describes it: on the CPU, in fp32, in inference mode."""

    network: Network
    variant: str
    options: NetworkOptions
    scale: int
    color: Literal["rgb", "luma"]
    version: str  # of the srlab that wrote the file


def save_weights(
    path: Path,
    network: Network,
    *,
    variant: str,
    options: NetworkOptions,
    scale: int,
    as_float16: bool = False,
    imported: Mapping[str, str] | None = None,
) -> None:
    """Write the network's weights and running statistics, and what it takes to build it again.

    `as_float16` rounds what has two dimensions or more (kernels) to float16: the file is half as large, and
    is read like any other. Biases, slopes and statistics stay as they are. `imported` says which file of
    another program they come from.

    Raises:
        ValueError: a weight is not finite.
        OSError: the disk is full or read-only; `path` is as it was.
    """
    tensors = {
        name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format)
        for name, tensor in network.state_dict().items()
    }
    if as_float16:
        tensors = {
            name: tensor.half() if tensor.ndim > 1 and tensor.dtype == torch.float32 else tensor
            for name, tensor in tensors.items()
        }
    if not is_finite(tensors):
        raise ValueError(f"the weights of {variant} are not finite")
    description = {
        "format": WEIGHTS_FORMAT,
        "version": srlab.__version__,
        "variant": variant,
        "network": options_to_dict(options),
        "scale": scale,
        "color": network.color,
        **({"imported": dict(imported)} if imported else {}),
    }
    text = json.dumps({**description, CHECKSUM_KEY: checksum(description, tensors)})
    _write(path, safetensors.torch.save(tensors, metadata={WEIGHTS_KEY: text}))


def checksum(description: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 of a weights file's description, and of each tensor's name, kind and bytes."""
    digest = hashlib.sha256(json.dumps(description).encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"\n{name} {_kind(tensor)}\n".encode())
        digest.update(tensor.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def is_weights_file(path: Path) -> bool:
    """Whether srlab wrote the file, whatever else is wrong with it."""
    try:
        with safe_open(path, framework="pt") as file:
            return WEIGHTS_KEY in (file.metadata() or {})
    except (SafetensorError, OSError):
        return False


def load_weights(path: Path) -> LoadedWeights:
    """Build the network that the file describes and load it, strictly; the run it came from is not needed.

    Raises:
        UserError: the file is missing, cut off, no safetensors file, not srlab's, its checksum is wrong, its
            tensors are not exactly those of the network it names, or it lies in the folder of a run of
            another variant.
    """
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "does not exist"
        if path.exists() and not path.is_dir():
            what = "is not a plain file"
        raise UserError(
            f"{path} {what}; a weights file of srlab was expected, as weights.safetensors in a run"
        )
    path.open("rb").close()  # what keeps it from being read is told truly: safetensors calls it missing
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118 (it is no dict)
            shapes = {name: (tuple(piece.get_shape()), piece.get_dtype()) for name, piece in slices.items()}
            variant, options, scale, color, version = _read_description(path, metadata)
            _check_run(path, variant)
            _check_shapes(path, shapes, options=options, scale=scale, color=color)
            tensors = {name: file.get_tensor(name) for name in slices}
    except SafetensorError as error:
        raise UserError(f"{path} is not a weights file of srlab: {_explain(path, error)}") from error
    _check_checksum(path, metadata[WEIGHTS_KEY], tensors)
    if not is_finite(tensors):
        raise UserError(f"{path} holds weights that are not finite, so they are useless; take other weights")
    with torch.random.fork_rng(devices=[]):
        network = build_network(options, scale=scale)
    network.load_state_dict(tensors, strict=True)
    return LoadedWeights(
        network=network.eval(), variant=variant, options=options, scale=scale, color=color, version=version
    )


def _read_description(
    path: Path, metadata: Mapping[str, str]
) -> tuple[str, NetworkOptions, int, Literal["rgb", "luma"], str]:
    if WEIGHTS_KEY not in metadata:
        raise UserError(
            f"{path} does not say which network it is for; srlab reads only weights files that it wrote"
        )
    try:
        values = json.loads(metadata[WEIGHTS_KEY])
        written, version = values["format"], values["version"]
    except (ValueError, RecursionError, KeyError, TypeError) as error:
        raise UserError(f"{path} does not describe its network as srlab does") from error
    if written != WEIGHTS_FORMAT:
        raise UserError(
            f"{path} has format {written!r:.40}, written by srlab {version!r:.40}; this is srlab "
            f"{srlab.__version__}, which reads format {WEIGHTS_FORMAT}: use that version, or a newer one"
        )
    variant, scale, color = (values.get(key) for key in ("variant", "scale", "color"))
    if not isinstance(variant, str) or not isinstance(version, str):
        raise UserError(
            f"{path} does not describe its network as srlab does: it has no variant or no version"
        )
    if type(scale) is not int or scale not in (2, 3, 4):
        raise UserError(f"{path} is for scale {scale!r:.40}; srlab's networks enlarge by 2, 3 or 4")
    if color not in ("rgb", "luma"):
        raise UserError(f"{path} is for color {color!r:.40}; rgb or luma was expected")
    try:
        if not isinstance(values.get("network"), dict):
            raise TypeError("network is not a JSON object")
        provide_code(values["network"], path)
        options = options_from_dict(values["network"])
        Variant(name=variant, network=options)  # the name is printed: letters, digits and a few signs
        if variant == "bicubic" and not isinstance(options, BicubicOptions):
            raise ValueError(f"an {architecture(options)} under the name bicubic")
    except CodeRefusedError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError(
            f"{path} describes a network that srlab does not know: {_first_line(error)}"
        ) from error
    return variant, options, scale, color, version


def _check_checksum(path: Path, text: str, tensors: Mapping[str, Tensor]) -> None:
    description = json.loads(text)
    expected = description.pop(CHECKSUM_KEY, None)
    # A file from before there was a checksum has these keys alone; else a flipped bit renamed the checksum.
    if expected is None and description.keys() <= _DESCRIBED:
        return
    is_whole = text == json.dumps({**description, CHECKSUM_KEY: expected})
    if not is_whole or expected != checksum(description, tensors):
        raise UserError(
            f"{path} is damaged: its contents do not match the checksum in its header; use another copy. "
            "If it belongs to a run, you can also remove the run's folder and run the same `srlab study` "
            "again"
        )


_DESCRIBED = {"format", "version", "variant", "network", "scale", "color"}


def _check_run(path: Path, variant: str) -> None:
    """Raise `UserError` if a run's folder holds weights of another variant, which were put there later."""
    declared = path.parent / store.RUN
    if path.name != store.WEIGHTS or not declared.is_file():
        return
    expected = store.read(declared, RunFile).variant
    if variant != expected:
        raise UserError(
            f"{path} holds weights of {variant}, but the run in this folder trains {expected}; put the run's "
            "own file back, or remove the run's folder and run the same `srlab study` again"
        )


def _check_shapes(
    path: Path,
    shapes: Mapping[str, tuple[tuple[int, ...], str]],
    *,
    options: NetworkOptions,
    scale: int,
    color: str,
) -> None:
    """Compare the file's tensors with those of the network it describes, before anything is allocated."""
    try:
        with _at_most_parameters(max(len(shapes), MOST_PARAMETERS)), torch.random.fork_rng(devices=[]):
            network = meta_network(options, scale=scale)
    except Exception as error:  # whatever hostile options do to a constructor
        raise UserError(f"{path} describes a network that cannot be built: {_first_line(error)}") from error
    if network.color != color:
        raise UserError(f"{path} says it is for {color}, but its network works on {network.color}")
    try:
        found = {
            name: torch.empty(shape, dtype=_READ_AS.get(dtype, _DTYPES[dtype]), device="meta")
            for name, (shape, dtype) in shapes.items()
        }
    except (KeyError, RuntimeError, TypeError, OverflowError) as error:
        raise UserError(f"{path} holds tensors that no network of srlab has: {_first_line(error)}") from error
    require_same_tensors(found, network.state_dict(), what=str(path))


_READ_AS = {"F16": torch.float32}  # `save_weights` may have rounded them
_DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "U8": torch.uint8,
    "I16": torch.int16,
    "I8": torch.int8,
    "BOOL": torch.bool,
    "C64": torch.complex64,
}


@contextmanager
def _at_most_parameters(limit: int) -> Iterator[None]:
    """Stop building a network of too many layers, which the options in a small file may ask for."""
    count = 0

    def registered(_module: nn.Module, _name: str, _parameter: nn.Parameter | None) -> None:
        nonlocal count
        count += 1
        if count > limit:
            raise UserError(f"it has more than {limit} tensors of weights, but the file has fewer")

    handle = register_module_parameter_registration_hook(registered)
    try:
        yield
    finally:
        handle.remove()


def _explain(path: Path, error: SafetensorError) -> str:
    with path.open("rb") as file:
        start = file.read(9)
    # A safetensors file starts with the length of its header, which may be any bytes, and then the header.
    if start[8:] != b"{" and (start[:2] == b"PK" or start[:1] == b"\x80"):
        return "it is a pickle (a .pt or .pth file), which can run code, so srlab never opens it"
    return f"not a safetensors file, or damaged ({_first_line(error)})"


# Files


def _write(path: Path, content: bytes | memoryview) -> None:
    """Whole or not at all, and on the disk under its name when this returns."""
    write_atomically(path, lambda part: part.write_bytes(content))
    if sys.platform != "win32":
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _kind(tensor: Tensor) -> str:
    return f"{list(tensor.shape)} {str(tensor.dtype).removeprefix('torch.')}"


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__
