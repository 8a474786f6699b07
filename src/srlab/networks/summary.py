"""A network in words: its layers, their shapes, and what it costs."""

from itertools import groupby

import torch

from srlab.networks import (
    NetworkOptions,
    architecture,
    meta_network,
    network_color,
    num_parameters,
    num_running_statistics,
)
from srlab.networks.complexity import multiply_adds_of, receptive_radius
from srlab.networks.layers import layer_rows, layer_table
from srlab.networks.options import to_values

LR_SIZE = 24  # pixels; what the shapes are shown for


def summary(options: NetworkOptions, *, scale: int) -> str:
    """The options, every layer with kernel, output shape and parameters, and the totals, as lines of text.

    Blocks that follow each other and are alike are one row. Shapes are those of one LR picture of 24 x 24;
    none of its pixels is computed.
    """
    network = meta_network(options, scale=scale).eval()
    table = layer_table(layer_rows(network, torch.empty(1, 3, LR_SIZE, LR_SIZE, device="meta")))
    rule = "-" * max(map(len, table.splitlines()))
    radius = receptive_radius(network)
    return "\n".join(
        (
            f"{architecture(options)} x{scale}, {network_color(options)}",
            *(f"  {name} = {_text(value)}" for name, value in to_values(options).items()),
            rule,
            table,
            rule,
            f"Parameters: {num_parameters(options, scale=scale):,}",
            f"Running statistics: {num_running_statistics(options, scale=scale):,}",
            f"Multiply-adds: {multiply_adds_of(network) / 1e9:,.1f} G for SR of 1280 x 720 pixels",
            f"Sees: {radius} LR pixels around each one, so {2 * radius + 1} x {2 * radius + 1}",
        )
    )


def _text(value: object) -> str:
    if isinstance(value, list):
        runs = [(item, len(list(alike))) for item, alike in groupby(value)]
        return ",".join(
            f"{item}x{count}" if count > 2 else ",".join([str(item)] * count) for item, count in runs
        )
    return str(value).lower() if value is None or isinstance(value, bool) else str(value)
