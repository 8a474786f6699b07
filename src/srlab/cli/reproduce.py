"""``srlab reproduce``: published numbers, measured again."""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from srlab.cli import app
from srlab.cli.output import print_json, say, show, show_grid
from srlab.errors import UserError

if TYPE_CHECKING:
    from srlab.pixels.images import HRImage
    from srlab.show.grid import Grid
    from srlab.use.reproduce import Claim, Result

_UNITS = {"psnr_y": "dB", "multiply_adds": "G"}
_DECIMALS = {"psnr_y": 2, "ssim_y": 4, "parameters": 0, "multiply_adds": 1}


@app.command()
def reproduce(
    names: Annotated[
        list[str] | None,
        typer.Argument(help="What to measure: how the names of claims begin, such as vdsr or bicubic-set5."),
    ] = None,
    all_: Annotated[bool, typer.Option("--all", help="Measure every claim.")] = False,
    weights: Annotated[
        list[Path] | None,
        typer.Option(
            "--weights",
            help="A file of weights, of srlab or of another program (`srlab import`); may be given again.",
            show_default="bicubic and costs alone",
        ),
    ] = None,
    markdown: Annotated[
        Path | None,
        typer.Option("--markdown", help="Write the results to this file too.", show_default="not written"),
    ] = None,
    device: Annotated[
        str, typer.Option("--device", help="Where networks run: auto, cpu, cuda, or cuda:1.")
    ] = "auto",
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object to standard output, unrounded.")
    ] = False,
) -> None:
    """Measure published numbers again, under the protocol of their tables. Without names, list them.

    Test sets are those of `srlab data`. A claim passes if the number measured here is within its tolerance.
    What cannot be measured says what it needs. The exit code is 1 if a claim fails.
    """
    from srlab.cli.parsing import parse_device
    from srlab.use.reproduce import claims, find_claims
    from srlab.use.reproduce import reproduce as measure

    if not names and not all_:
        if weights or markdown:
            raise UserError("name the claims to measure, such as vdsr, or use --all")
        _list(claims(), as_json=as_json)
        return
    if names and all_:
        raise UserError("name claims, or use --all, not both")
    place = parse_device(device)
    if markdown is not None and markdown.is_dir():
        raise UserError(f"--markdown: {markdown} is a folder; name a file")
    wanted = claims() if all_ else find_claims(names or [])
    results = list(measure(wanted, images=_images, weights=weights or [], device=place, progress=_say_next))
    if as_json:
        print_json({"claims": [_as_dict(result) for result in results]})
    else:
        _print(results)
    if markdown is not None:
        from srlab.files import write_text

        write_text(markdown, _as_markdown(results))
    if any(result.outcome == "fail" for result in results):
        raise typer.Exit(1)


def _say_next(what: str) -> None:
    say(f"measuring {what}")


def _images(name: str) -> "tuple[HRImage, ...]":
    from srlab.data.datasets import load_sets

    (tested,) = load_sets([name], role="test")
    return tested.images


def _list(known: "Sequence[Claim]", *, as_json: bool) -> None:
    if as_json:
        print_json({"claims": [_about(claim) for claim in known]})
        return
    rows = ((*_words(one), one.source) for one in known)
    show_grid(_grid(("claim", "published", "protocol", "source"), rows))


def _words(claim: "Claim") -> list[str]:
    return [claim.name, _number(claim, claim.published), claim.protocol]


def _print(results: "Sequence[Result]") -> None:
    if (grid := _measured(results)).rows:
        show_grid(grid)
    counted = Counter(result.outcome for result in results)
    show(f"{counted['pass']} pass, {counted['fail']} fail, {counted['needs']} cannot be measured here")
    for needs, number in _needs(results).items():
        show(f"- {number} need {needs}", indent="  ")


def _needs(results: "Sequence[Result]") -> Counter[str]:
    """How many claims need the same."""
    return Counter(result.needs for result in results if result.outcome == "needs")


def _grid(headings: tuple[str, ...], rows: Iterable[Sequence[str]]) -> "Grid":
    """The last column is prose."""
    from srlab.show.grid import Column, Grid

    columns = [
        Column(
            key=heading,
            heading=heading,
            is_text=heading not in ("published", "measured"),
            is_prose=heading == headings[-1],
        )
        for heading in headings
    ]
    return Grid.of_texts("claims", columns, rows)


def _measured(results: "Sequence[Result]") -> "Grid":
    rows = (
        (*_words(one.claim)[:2], _number(one.claim, one.measured), one.claim.protocol, one.outcome)
        for one in results
        if one.measured is not None
    )
    return _grid(("claim", "published", "measured", "protocol", "outcome"), rows)


def _number(claim: "Claim", value: float) -> str:
    number = f"{value:,.{_DECIMALS[claim.kind]}f}"
    return f"{number} {_UNITS[claim.kind]}" if claim.kind in _UNITS else number


def _about(claim: "Claim") -> dict[str, Any]:
    from dataclasses import asdict

    return asdict(claim)


def _as_dict(result: "Result") -> dict[str, Any]:
    return {
        **_about(result.claim),
        "outcome": result.outcome,
        "measured": result.measured,
        "needs": result.needs,
        "weights": result.weights,
    }


def _as_markdown(results: "Sequence[Result]") -> str:
    """A table of what was measured, then what was not, by what it needs."""
    from srlab.show.grid.files import as_markdown

    lines = as_markdown(_measured(results), has_caption=False).splitlines()
    if left := _needs(results):
        lines += ["", "Not measured:", ""]
        lines += [f"- {number} need {needs}" for needs, number in left.items()]
    return "\n".join(lines) + "\n"
