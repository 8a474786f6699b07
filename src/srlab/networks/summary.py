"""A network in words: its layers, their shapes, and what it costs."""

from srlab.networks import (
    NetworkOptions,
    architecture,
    meta_network,
    network_color,
    num_parameters,
    num_running_statistics,
)
from srlab.networks.complexity import multiply_adds, receptive_radius
from srlab.networks.options import to_values

LR_SIZE = 24  # pixels; what the shapes are shown for
COLUMN_WIDTH = 20


def summary(options: NetworkOptions, *, scale: int) -> str:
    """The options, every layer with kernel, output shape and parameters, and the totals, as lines of text.

    Shapes are those of one LR picture of 24 x 24; nothing is computed, so that large networks take no longer.
    """
    import torchinfo

    network = meta_network(options, scale=scale)
    layers = torchinfo.summary(
        network,
        input_size=(1, 3, LR_SIZE, LR_SIZE),
        device="meta",
        mode="eval",
        depth=6,
        verbose=0,
        col_names=("kernel_size", "output_size", "num_params"),
        col_width=COLUMN_WIDTH,
        row_settings=("var_names",),
    )
    table = str(layers).split("\nTotal params")[0].rstrip("=\n")
    radius = receptive_radius(network)
    return "\n".join(
        (
            f"{architecture(options)} x{scale}, {network_color(options)}",
            *(f"  {name} = {_text(value)}" for name, value in to_values(options).items()),
            table,
            "=" * len(table.partition("\n")[0]),
            f"Parameters: {num_parameters(options, scale=scale):,}",
            f"Running statistics: {num_running_statistics(options, scale=scale):,}",
            f"Multiply-adds: {multiply_adds(options, scale=scale) / 1e9:,.1f} G for SR of 1280 x 720 pixels",
            f"Sees: {radius} LR pixels around each one, so {2 * radius + 1} x {2 * radius + 1}",
        )
    )


def _text(value: object) -> str:
    if isinstance(value, list):
        return ",".join(map(str, value))
    return str(value).lower() if value is None or isinstance(value, bool) else str(value)
