"""Averaged weights beside those that are trained: an exponential moving average over the steps."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from srlab.declare.study import Run
from srlab.folder.checkpoints import require_same_tensors
from srlab.networks import Network, build_network


class Average:
    """The average of a network's weights and running statistics, as a network of its own in inference mode.

    After step t, from 1, it is decay x average + (1 - decay) x weights, with the protocol's `ema` as decay,
    but (1 + t) / (10 + t) at most: so the random weights of the start are soon forgotten. Counts, such as
    that of batch normalization's batches, are the network's own.
    """

    def __init__(self, network: Network, run: Run, *, decay: float) -> None:
        device = next(network.parameters()).device
        devices = [device] if device.type == "cuda" else []
        with torch.random.fork_rng(devices=devices):  # building draws weights, which are not used
            copy = build_network(run.variant.network, scale=run.scale)
        copy = copy.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        copy.load_state_dict(network.state_dict())
        self.network: Network = copy.requires_grad_(False).eval()
        self.decay = decay

    @torch.no_grad()
    def update(self, network: Network, *, step: int) -> None:
        """Take in the weights that `network` has after `step` steps."""
        decay = min(self.decay, (1 + step) / (10 + step))
        averages: list[Tensor] = []
        weights: list[Tensor] = []
        now = network.state_dict()
        for name, average in self.network.state_dict().items():
            if average.is_floating_point():
                averages.append(average)
                weights.append(now[name])
            else:
                average.copy_(now[name])
        torch._foreach_lerp_(averages, weights, 1 - decay)

    def load(self, state: Mapping[str, Any], *, what: str) -> None:
        """Go on from the `state_dict` of an average.

        Raises:
            UserError: it is that of another network.
        """
        require_same_tensors(state, self.network.state_dict(), what=what)
        self.network.load_state_dict(state, strict=True)
