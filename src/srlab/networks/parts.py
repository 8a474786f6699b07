"""Parts of a network by name: kept from another one, frozen, counted.

A part is named as in the network's state: ``head``, ``body.0``, ``tail.1.conv``. The empty tuple of names
stands for the whole network.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from srlab.errors import UserError


def is_part(name: str, parts: Sequence[str]) -> bool:
    """Whether the tensor called `name` belongs to one of `parts`.

    >>> is_part("body.1.conv.weight", ("head", "body.1")), is_part("body.10.conv.weight", ("body.1",))
    (True, False)
    """
    return not parts or any(name == part or name.startswith(part + ".") for part in parts)


def check_parts(network: nn.Module, parts: Sequence[str]) -> None:
    """Raise `UserError` if `network` has no part of a name in `parts`; it names those there are."""
    for part in parts:
        if not any(is_part(name, (part,)) for name in network.state_dict()):
            there = ", ".join(name for name, _ in network.named_children())
            raise UserError(
                f"the network has no part {part!r} with weights; its parts with weights are {there}"
            )


def check_fits(source: Mapping[str, Tensor], network: nn.Module, parts: Sequence[str], *, what: str) -> None:
    """Raise `UserError` if `source` lacks a tensor of the network's `parts`, or has it in another shape.

    Of the whole network, `source` may hold nothing else either. `what` is what `source` is called.
    """
    check_parts(network, parts)
    own = network.state_dict()
    for name, tensor in own.items():
        if not is_part(name, parts):
            continue
        if name not in source:
            raise UserError(f"{what} has no {name}, which the start should keep")
        if source[name].shape != tensor.shape:
            raise UserError(
                f"{name} of {what} has the shape {list(source[name].shape)}; the network that should keep "
                f"it needs {list(tensor.shape)}"
            )
    if not parts and (more := sorted(set(source) - set(own))):
        raise UserError(f"{what} has {more[0]}, which the network that starts from it does not have")


def keep(source: Mapping[str, Tensor], network: nn.Module, parts: Sequence[str], *, what: str) -> None:
    """Give the network's `parts` the weights and statistics that they have in `source`; see `check_fits`."""
    check_fits(source, network, parts, what=what)
    with torch.no_grad():
        for name, tensor in network.state_dict().items():
            if is_part(name, parts):
                tensor.copy_(source[name])


def freeze(network: nn.Module, parts: Sequence[str]) -> None:
    """From now on nothing changes these parts: no gradients, batch normalization in inference mode.

    Call it after ``network.train()``, which would set the mode again.
    """
    check_parts(network, parts)
    for name, module in network.named_modules():
        if name and is_part(name, parts):
            module.eval()
    for name, parameter in network.named_parameters():
        if is_part(name, parts):
            parameter.requires_grad_(False)


def num_frozen(network: nn.Module, parts: Sequence[str]) -> int:
    """How many parameters `parts` have; 0 of no parts."""
    if not parts:
        return 0
    return sum(p.numel() for name, p in network.named_parameters() if is_part(name, parts))
