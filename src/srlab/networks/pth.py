"""Weights that others published as ``.pth``, read without trusting them."""

import warnings
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError

import torch
from torch import Tensor, nn

from srlab.errors import UserError


def read_tensors(path: Path, *, what: str) -> dict[str, Tensor]:
    """The tensors by name in a ``.pth`` file, on the CPU; nothing in it can run code.

    Raises:
        UserError: there is no such file, or it holds anything else.
    """
    if not path.is_file():
        raise UserError(f"the file {path} does not exist; {what} were expected")
    try:
        with (
            path.open("rb") as file,
            warnings.catch_warnings(action="ignore"),
        ):  # of odd pickles, which are refused or plain values
            # The open file, not its name, by whose suffix torch would take another reader.
            values = torch.load(file, map_location="cpu", weights_only=True)
    except UnpicklingError as error:
        raise UserError(
            f"{path} is damaged, or holds more than tensors and could run code; it was not loaded"
        ) from error
    except (EOFError, RuntimeError, KeyError, ValueError, AttributeError, IndexError, TypeError) as error:
        why = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise UserError(f"{path} holds no {what} or was cut off ({why:.100})") from error
    if not isinstance(values, dict) or not all(isinstance(value, Tensor) for value in values.values()):
        raise UserError(f"{path} holds no {what}: a dict of tensors was expected")
    return {str(name): tensor for name, tensor in values.items()}


def check_tensors(path: Path, weights: Mapping[str, Tensor], convolutions: Mapping[str, nn.Conv2d]) -> None:
    """Compare what a file holds with the `convolutions` that it should have: names, shapes, finite floats.

    Raises:
        UserError: naming the first tensor that is missing, of another shape, not finite, or too many.
    """
    expected = {
        f"{name}.{kind}": tensor
        for name, conv in convolutions.items()
        for kind, tensor in conv.named_parameters()
    }
    for name, tensor in expected.items():
        if name not in weights:
            raise UserError(f"{path} is for another network, or incomplete: it has no {name!r}")
        found = weights[name]
        if found.shape != tensor.shape:
            raise UserError(
                f"{path} is for another network: {name!r} has the shape {list(found.shape)}, and "
                f"{list(tensor.shape)} was expected"
            )
        if not found.is_floating_point() or not bool(torch.isfinite(found).all()):
            raise UserError(f"{path} is damaged: some numbers of {name!r} are not finite")
    if unknown := sorted(set(weights) - set(expected)):
        raise UserError(f"{path} is for another network: it has {unknown[0]!r}, which is unknown here")
