"""Tensors from files of other programs: PyTorch, safetensors, MATLAB and Keras. No code in them is run."""

import pickle
import re
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from srlab.errors import UserError

Tensors = dict[str, Tensor]

COUNTER = "num_batches_tracked"  # of batch normalization in training; not used afterwards
_FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
_DEEPEST = 5  # dictionaries around the tensors
SUFFIXES = (".pth", ".pt", ".ckpt", ".safetensors", ".mat", ".h5")
_NESTED = ("params_ema", "params", "state_dict", "model", "generator", "netG", "net")  # the best one first
_PREFIX = re.compile(r"^(module|generator|netG|_orig_mod)\.")


def read_tensors(path: Path) -> Tensors:
    """The tensors of the file, by name and in their order, on the CPU.

    Kernels of Keras are turned from [h, w, in, out] to [out, in, h, w]; those of a .mat are as they are.

    Raises:
        UserError: the file is missing, of another kind, damaged, or holds more than tensors.
    """
    if not path.is_file():
        raise UserError(f"{path} {'is a folder' if path.is_dir() else 'does not exist'}; name a weights file")
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise UserError(f"{path} is none of the files that can be read: {', '.join(SUFFIXES)}")
    read = {".safetensors": _safetensors, ".mat": _matlab, ".h5": _keras}.get(suffix, _torch)
    tensors: Tensors = {}
    for name, tensor in read(path).items():
        short = _PREFIX.sub("", name)
        if short in tensors:
            raise UserError(f"{path} has {short} twice, once with a prefix; leave one of them out")
        if not name.endswith(COUNTER):
            tensors[short] = _numbers(path, short, tensor)
    if not tensors:
        raise UserError(f"{path} holds no tensors")
    return tensors


def _numbers(path: Path, name: str, tensor: Tensor) -> Tensor:
    """The tensor in float32; a `UserError` for one that holds anything but finite real numbers, each once."""
    kind = str(tensor.dtype).removeprefix("torch.")
    if tensor.dtype not in _FLOATS or tensor.layout != torch.strided or tensor.is_meta:
        held = "no values" if tensor.is_meta else f"{kind}, {str(tensor.layout).removeprefix('torch.')}"
        raise UserError(
            f"{path}: {name} is a tensor of {held}; dense float16, bfloat16, float32 or float64 is read"
        )
    if tensor.untyped_storage().nbytes() < tensor.numel() * tensor.element_size():
        raise UserError(
            f"{path}: {name} repeats its values to the shape {list(tensor.shape)}, as no weights do"
        )
    tensor = tensor.float()
    if not torch.isfinite(tensor).all():
        raise UserError(f"{path} is of no use: {name} has values that are not finite")
    return tensor


def _torch(path: Path) -> Tensors:
    try:
        with warnings.catch_warnings(action="ignore"):
            found = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise UserError(
            f"{path} holds more than tensors and numbers, which could run code, so srlab does not open it; "
            "save the network's state_dict() alone, in the program that made the file"
        ) from error
    except Exception as error:  # whatever a damaged file does to the reader
        raise _damaged(path, error) from error
    for _ in range(_DEEPEST):
        if not isinstance(found, Mapping) or any(isinstance(value, Tensor) for value in found.values()):
            break
        found = next((found[key] for key in _NESTED if isinstance(found.get(key), Mapping)), found)
    if not isinstance(found, Mapping):
        raise UserError(f"{path} holds no dictionary of tensors, as state_dict() gives it")
    return {str(name): value.detach() for name, value in found.items() if isinstance(value, Tensor)}


def _safetensors(path: Path) -> Tensors:
    import safetensors.torch
    from safetensors import SafetensorError

    try:
        return safetensors.torch.load_file(path)
    except SafetensorError as error:
        raise _damaged(path, error) from error


def _matlab(path: Path) -> Tensors:
    import scipy.io  # type: ignore[import-untyped]

    try:
        found = scipy.io.loadmat(path)
    except NotImplementedError as error:
        raise UserError(f"{path} has MATLAB's format 7.3, which is not read; save it with -v7") from error
    except Exception as error:  # whatever a damaged file does to the reader
        raise _damaged(path, error) from error
    arrays = {key: value for key, value in found.items() if not key.startswith("__")}
    return dict(_arrays(arrays))


def _arrays(value: Any, place: str = "") -> Iterator[tuple[str, Tensor]]:
    """The arrays of numbers in MATLAB's structs and cells, such as ``model.weight.0``."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _arrays(inner, f"{place}.{key}" if place else str(key))
    elif isinstance(value, np.ndarray) and value.dtype.names:
        for key in value.dtype.names:
            inner = value[key]
            yield from _arrays(inner.item() if inner.size == 1 else inner, f"{place}.{key}")
    elif isinstance(value, np.ndarray) and value.dtype == object:
        for number, inner in enumerate(value.ravel()):
            yield from _arrays(inner, f"{place}.{number}")
    elif isinstance(value, np.ndarray) and value.dtype.kind == "c":
        yield place, torch.from_numpy(np.ascontiguousarray(value))  # which is refused by its name
    elif isinstance(value, np.ndarray) and value.dtype.kind in "fiu":
        yield place, torch.from_numpy(np.ascontiguousarray(value, dtype=np.float32))


def _keras(path: Path) -> Tensors:
    try:
        import h5py  # type: ignore[import-untyped]
    except ImportError as error:
        raise UserError(f"{path} needs the package h5py: pip install h5py") from error
    tensors: Tensors = {}
    try:
        with h5py.File(path, "r") as file:
            root = file.get("model_weights", file)
            for layer in root.attrs.get("layer_names", list(root)):
                group = root[_text(layer)]
                for name in group.attrs.get("weight_names", ()):
                    array = np.asarray(group[_text(name)], dtype=np.float32)
                    tensors[f"{_text(layer)}.{_text(name)}"] = _of_keras(array)
    except Exception as error:  # whatever a damaged file does to the reader
        raise _damaged(path, error) from error
    return tensors


def _of_keras(array: np.ndarray) -> Tensor:
    """A kernel [h, w, in, out] as [out, in, h, w]; slopes [1, 1, C] as [C]."""
    if array.ndim == 4:
        array = array.transpose(3, 2, 0, 1)
    elif array.ndim > 1:
        array = array.reshape(-1)
    return torch.from_numpy(np.ascontiguousarray(array))


def _text(name: Any) -> str:
    return name.decode() if isinstance(name, bytes) else str(name)


def _damaged(path: Path, error: BaseException) -> UserError:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return UserError(f"{path} is damaged, or not what its name says ({lines[0][:200]}); take another copy")
