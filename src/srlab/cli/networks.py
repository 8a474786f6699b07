"""``srlab networks``: what there is to train, and what any of it looks like."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from srlab.cli import app
from srlab.cli.output import messages, print_json
from srlab.errors import UserError

if TYPE_CHECKING:
    from srlab.networks import NetworkOptions


@app.command()
def networks(
    name: Annotated[
        str | None, typer.Argument(metavar="[VARIANT]", help="Show this one, such as edsr/batch_norm.")
    ] = None,
    scale: Annotated[
        int | None,
        typer.Option(help="Enlargement: 2, 3 or 4. Left out: all in the list; the first for one variant."),
    ] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="OPTION=VALUE", help="Change an option, such as num_blocks=8; repeatable."
        ),
    ] = None,
    plot: Annotated[Path | None, typer.Option(metavar="FILE", help="Draw it to an .svg or .png.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The list, as one JSON object.")] = False,
) -> None:
    """List all networks with their size and cost, or show one layer by layer."""
    from srlab.cli.parsing import parse_changes
    from srlab.networks import PRESETS, find_preset, preset, with_options
    from srlab.networks.blocks import check_scale

    if scale is not None:
        check_scale(scale)
    if name is None:
        if changes or plot:
            raise UserError(
                "--set and --plot need a variant, such as: srlab networks edsr/vanilla --plot edsr.svg"
            )
        rows = [
            _row(known.name, known.options, known_scale)
            for known in PRESETS.values()
            for known_scale in known.scales
            if scale in (None, known_scale)
        ]
        _print_list(rows, as_json=as_json)
        return
    if plot:
        from srlab.networks.diagram import check_suffix

        check_suffix(plot)
    known = find_preset(name)
    options = known.options
    if changes:  # a new network, which exists at any scale
        options = with_options(options, parse_changes(changes))
        scale = scale or known.scales[0]
    else:
        scale = scale or known.scales[0]
        options = preset(name, scale=scale)
    if as_json:
        _print_list([_row(name, options, scale)], as_json=True)
    else:
        from srlab.networks.summary import summary

        typer.echo(summary(options, scale=scale, frozen=() if changes else known.frozen))
    if plot:
        from srlab.networks.diagram import plot as draw

        draw(
            options,
            plot,
            scale=scale,
            title=" ".join((name, f"x{scale}", *(changes or ()))),
            frozen=() if changes else known.frozen,
        )
        messages.print(f"drawn: {plot}", markup=False, soft_wrap=True)


def _row(name: str, options: "NetworkOptions", scale: int) -> dict[str, Any]:
    from srlab.networks import architecture, network_color, num_parameters, num_running_statistics
    from srlab.networks.complexity import multiply_adds

    return {
        "name": name,
        "architecture": architecture(options),
        "scale": scale,
        "color": network_color(options),
        "parameters": num_parameters(options, scale=scale),
        "running_statistics": num_running_statistics(options, scale=scale),
        "multiply_adds": multiply_adds(options, scale=scale),
    }


def _print_list(rows: list[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        print_json({"networks": rows})
        return
    # Not rich's table: where the terminal is narrow it would drop columns.
    width = max((len(row["name"]) for row in rows), default=0)
    typer.echo(f"{'variant':{width}} scale color {'parameters':>10} {'stats':>6} {'mult-adds':>9}")
    for row in rows:
        typer.echo(
            f"{row['name']:{width}} x{row['scale']}    {row['color']:5} {row['parameters']:>10,} "
            f"{row['running_statistics']:>6,} {row['multiply_adds'] / 1e9:>7,.1f} G"
        )
    typer.echo(
        "\nstats: running means and variances of batch normalization"
        "\nmult-adds: for SR of 1280 x 720; convolutions, without bias and interpolation"
    )
