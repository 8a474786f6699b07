"""``srlab networks``: what there is to train, and what any of it looks like."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from srlab.cli import app
from srlab.cli.output import messages, print_json, results, say, show, show_grid, show_path
from srlab.errors import UserError

if TYPE_CHECKING:
    from srlab.networks import NetworkOptions
    from srlab.networks.presets import Preset
    from srlab.show.grid import Grid


@app.command()
def networks(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="VARIANT",
            help="A variant to show, such as edsr/batch_norm, or a family to list, such as edsr. "
            "discriminator shows SRGAN's discriminator.",
            show_default="all, as a list",
        ),
    ] = None,
    scale: Annotated[
        int | None,
        typer.Option(
            help="Scale factor: 2, 3 or 4.", show_default="all in a list; for one variant its first scale"
        ),
    ] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="OPTION=VALUE",
            help="Change an option of the network, such as num_blocks=8; repeatable.",
        ),
    ] = None,
    hr_patch_size: Annotated[
        int | None,
        typer.Option(
            "--hr-patch-size",
            min=1,
            help="Side of the discriminator's patches, in HR pixels. Only for the discriminator.",
            show_default="96",
        ),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Draw a diagram to this .svg or .png file; print nothing else."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the list as one JSON object.")] = False,
) -> None:
    """List all networks with their size and cost, or show one layer by layer."""
    from srlab.cli.parsing import of_option, parse_changes
    from srlab.networks import PRESETS, find_preset, preset, with_options
    from srlab.networks.blocks import check_scale
    from srlab.networks.options import changed_name

    if name == "discriminator":
        if scale is not None:
            raise UserError("the discriminator judges HR patches and has no scale; leave --scale out")
        _discriminator(parse_changes(changes or []), hr_patch_size, plot, as_json=as_json)
        return
    if hr_patch_size is not None:
        raise UserError("--hr-patch-size applies to the discriminator only: srlab networks discriminator")
    if scale is not None:
        with of_option("--scale"):
            check_scale(scale)
    family = [known for known in PRESETS.values() if name is None or known.name.startswith(f"{name}/")]
    if family:
        if changes or plot:
            raise UserError(
                "--set and --plot need a variant, such as: srlab networks edsr/vanilla --plot edsr.svg"
            )
        listed = [
            (known, known_scale)
            for known in family
            for known_scale in known.scales
            if scale in (None, known_scale)
        ]
        if not listed:
            raise UserError(f"no variant of {name} exists at x{scale}; `srlab networks {name}` lists them")
        own = _installed() if name is None else {}
        listed += [(known, scale or known.scales[0]) for known in own.values()]
        _print_list(_counted(listed), as_json=as_json)
        return
    assert name is not None
    if plot:
        from srlab.networks.diagram import check_suffix

        check_suffix(plot)
    own = _installed() if name not in PRESETS else {}
    known = own[name] if name in own else find_preset(name)
    options = known.options
    set_to = parse_changes(changes or [])
    if set_to:  # a new network, which exists at any scale
        with of_option("--set"):
            options = with_options(options, set_to)
        scale = scale or known.scales[0]
    else:
        scale = scale or known.scales[0]
        options = known.options if name in own else preset(name, scale=scale)
    frozen = () if set_to else known.frozen
    if plot:
        from srlab.networks.diagram import plot as draw

        title = " ".join((name, f"x{scale}", *(changes or ())))
        draw(options, plot, scale=scale, title=title, frozen=frozen)
    if as_json:
        about = "" if set_to else known.about
        _print_list([_row(changed_name(name, set_to), options, scale, about=about)], as_json=True)
        if plot:
            say(f"drawn: {plot}")
    elif plot:
        show_path(plot)
    else:
        from srlab.networks.summary import summary

        typer.echo(f"{changed_name(name, set_to)}: {summary(options, scale=scale, frozen=frozen)}")


def _installed() -> "dict[str, Preset]":
    """The architectures that installed packages offer, with their default options."""
    from srlab.networks.presets import ALL_SCALES, Preset
    from srlab.user_code.declared import load_installed

    return {
        own.name: Preset(own.name, own(), ALL_SCALES, f"of the package {own.identity}")
        for own in load_installed("Architecture")
    }


def _discriminator(
    changes: dict[str, str], hr_patch_size: int | None, plot: Path | None, *, as_json: bool
) -> None:
    """Show or draw SRGAN's discriminator."""
    from srlab.cli.parsing import of_option
    from srlab.networks import DiscriminatorOptions, with_options
    from srlab.networks.diagram import check_suffix, plot_discriminator
    from srlab.networks.discriminator import HR_PATCH_SIZE, meta_discriminator, multiply_adds_of_a_patch
    from srlab.networks.options import changed_name
    from srlab.networks.summary import discriminator_summary

    if plot:
        check_suffix(plot)
    with of_option("--set"):
        options = with_options(DiscriminatorOptions(), changes)
    side = HR_PATCH_SIZE if hr_patch_size is None else hr_patch_size
    with of_option("--hr-patch-size"):
        network = meta_discriminator(options, hr_patch_size=side)
    name = changed_name("discriminator", changes)
    if plot:
        plot_discriminator(options, plot, title=f"{name}, {side} x {side}", hr_patch_size=side)
    if as_json:
        statistics = sum(buffer.numel() for key, buffer in network.named_buffers() if "running_" in key)
        print_json(
            {
                "networks": [
                    {
                        "name": name,
                        "architecture": "Discriminator",
                        "hr_patch_size": side,
                        "color": "rgb",
                        "parameters": sum(parameter.numel() for parameter in network.parameters()),
                        "running_statistics": statistics,
                        "multiply_adds": multiply_adds_of_a_patch(network),
                    }
                ]
            }
        )
        if plot:
            say(f"drawn: {plot}")
    elif plot:
        show_path(plot)
    else:
        typer.echo(f"{name}: {discriminator_summary(options, hr_patch_size=side)}")


def _counted(listed: "list[tuple[Preset, int]]") -> list[dict[str, Any]]:
    """A row for each preset and scale; on a terminal a bar says how many are done."""
    from rich.progress import track

    steps = track(
        listed,
        "counting parameters and multiply-adds",
        console=messages,
        transient=True,
        disable=not messages.is_terminal,
    )
    return [_row(known.name, known.options, scale, about=known.about) for known, scale in steps]


def _row(name: str, options: "NetworkOptions", scale: int, *, about: str) -> dict[str, Any]:
    from srlab.networks import architecture, network_color, num_parameters, num_running_statistics
    from srlab.networks.complexity import multiply_adds

    return {
        "name": name,
        "about": about,
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
    from srlab.show.grid.terminal import fits

    grid = _grid(rows)
    whole = grid.without(("params",))
    grid = whole if fits(whole, results) else grid.without(("color", "parameters", "stats"))
    show_grid(grid)
    show("")
    if grid.has("stats"):
        show("stats: running means and variances of batch normalization", indent="  ")
    show("mult-adds: for SR of 1280 x 720; convolutions, without bias and interpolation", indent="  ")


def _grid(rows: list[dict[str, Any]]) -> "Grid":
    """With the parameters in full, and in few letters for a narrow terminal."""
    from srlab.show.grid import Column, Grid
    from srlab.words import count, whole

    columns = (
        Column(key="variant", heading="variant", is_text=True),
        Column(key="what", heading="what it is", is_text=True, is_prose=True),
        Column(key="at", heading="at", is_text=True),
        Column(key="color", heading="color", is_text=True),
        Column(key="parameters", heading="parameters"),
        Column(key="params", heading="params"),
        Column(key="stats", heading="stats"),
        Column(key="multiply_adds", heading="mult-adds"),
    )
    before = [None, *(row["name"] for row in rows)]
    texts = (
        (
            row["name"],
            "" if row["name"] == name_before else row["about"],
            f"x{row['scale']}",
            row["color"],
            whole(row["parameters"]),
            count(row["parameters"]),
            whole(row["running_statistics"]),
            count(row["multiply_adds"]),
        )
        for row, name_before in zip(rows, before, strict=False)
    )
    return Grid.of_texts("networks", columns, texts)
