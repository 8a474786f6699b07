"""The page: everything that it shows, put into its templates. One file, no request to anywhere."""

import base64
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any

import matplotlib as mpl
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

import srlab
from srlab import words
from srlab.folder import store
from srlab.folder.records import RunRecord
from srlab.show.draw.canvas import MARKERS
from srlab.show.draw.colors import DARK, LIGHT, css_variables
from srlab.show.grid.html import as_html, breakable, downloads
from srlab.show.report.contents import Contents
from srlab.show.report.figures import Drawing
from srlab.show.report.glossary import TERMS, anchor
from srlab.show.report.viewer import Viewer
from srlab.show.texts import short_names
from srlab.verdicts import ALL_SETS, BICUBIC, VALIDATION, Difference, Table, Verdicts

STYLES = ("base.css", "tables.css", "plots.css", "viewer.css", "print.css")
SCRIPTS = ("state.js", "tables.js", "ranks.js", "viewer.js", "errors.js")
_SIGNS = dict(zip(MARKERS, "●■▲◆▼✚✖⬢", strict=True))
_ENDED = ("finished", "diverged")
_SAID_ELSEWHERE = ("protocol", "ranks", "unfinished", "missing")  # by a section or a notice of the page
_FOR_SCRIPTS = str.maketrans(
    {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
)


def render(contents: Contents, viewer: Viewer) -> str:
    """The report as HTML."""
    environment = Environment(
        loader=PackageLoader("srlab.show.report"),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "whole": words.whole,
        "count": words.count,
        "number": words.number,
        "rate": words.rate,
        "plural": words.plural,
        "slug": slug,
        "anchor": anchor,
        "breakable": breakable,
        "minus": words.true_minus,
    }
    script = "\n".join(["'use strict';", *map(_static, SCRIPTS)])
    verdicts = contents.verdicts
    states = _states(contents.runs)
    return environment.get_template("report.html").render(
        contents=contents,
        viewer=viewer,
        published=contents.published,
        verdicts=verdicts,
        remarks=[remark for remark in verdicts.remarks if remark.kind not in _SAID_ELSEWHERE],
        is_of_study=contents.opened is not None,
        protocol_id=_protocol_id(contents),
        legend=_legend(verdicts),
        has_intervals=_has_intervals(verdicts),
        glossary=TERMS,
        groups=_by_group(contents.drawings),
        inline=_inline,
        table=as_html,
        downloads=downloads,
        all_sets=ALL_SETS,
        bicubic=BICUBIC,
        scopes=list(dict.fromkeys(table.scope for table in verdicts.tables)),
        metrics=list(dict.fromkeys(table.metric for table in verdicts.tables)),
        states=states,
        open_states={state: number for state, number in states.items() if state not in _ENDED},
        made=store.now(),
        version=srlab.__version__,
        style=Markup("\n".join([_theme(), *map(_static, STYLES)])),
        script=Markup(script),
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        data=for_script(_data(verdicts)),
    )


def _protocol_id(contents: Contents) -> str:
    if contents.opened is None:
        return contents.verdicts.protocol.partition(":")[0]
    return contents.opened.study.evaluation.id


def for_script(values: Any) -> Markup:
    """`values` as JSON that cannot end the ``<script>`` element it stands in, whatever its strings hold.

    >>> print(for_script({"name": "</script>"}))
    {"name": "\\u003c/script\\u003e"}
    """
    text = json.dumps(values, allow_nan=False, ensure_ascii=True)
    return Markup(text.translate(_FOR_SCRIPTS))


def _has_intervals(verdicts: Verdicts) -> bool:
    """Whether a difference or an effect on a test set has one: one image allows none."""
    intervals = [
        *(row.to_base.interval for table in verdicts.tables for row in table.rows if row.to_base is not None),
        *(effect.interval for effect in verdicts.effects if effect.scope != VALIDATION),
    ]
    return any(interval is not None for interval in intervals)


def slug(text: str) -> str:
    """`text` as part of an id."""
    return re.sub(r"[^A-Za-z0-9_]+", "-", text)


def _static(name: str) -> str:
    return resources.files("srlab.show.report").joinpath("static", name).read_text(encoding="utf-8")


def _theme() -> str:
    """Both themes: the system's, unless the reader has chosen one."""
    light, dark = css_variables(LIGHT), css_variables(DARK)
    return (
        f":root {{ color-scheme: light; {light} }}\n"
        "@media screen and (prefers-color-scheme: dark) {\n"
        f"  :root:not([data-theme=light]) {{ color-scheme: dark; {dark} }}\n}}\n"
        f"@media screen {{ :root[data-theme=dark] {{ color-scheme: dark; {dark} }} }}"
    )


def _legend(verdicts: Verdicts) -> list[dict[str, Any]]:
    """Name, color and sign of each variant, as the plots have them."""
    short = short_names(verdicts.variants)
    signs = list(_SIGNS.values())
    return [
        {"name": name, "short": short[name], "number": number, "sign": signs[number % len(signs)]}
        for number, name in enumerate(verdicts.variants)
    ]


def _by_group(drawings: Sequence[Drawing]) -> dict[str, list[Drawing]]:
    groups: dict[str, list[Drawing]] = {
        group: []
        for group in (
            "ranking",
            "power",
            "base",
            "effects",
            "pareto",
            "curves",
            "rates",
            "rate effects",
            "plane",
        )
    }
    for drawing in drawings:
        groups[drawing.group].append(drawing)
    return groups


def _inline(drawing: Drawing, size: str) -> Markup:
    return Markup(drawing.inline("wide" if size == "wide" else "narrow"))


def _states(runs: Sequence[RunRecord]) -> dict[str, int]:
    states: dict[str, int] = {}
    for run in runs:
        states[run.status] = states.get(run.status, 0) + 1
    return states


def _data(verdicts: Verdicts) -> dict[str, Any]:
    """What the page computes with: all pairs with their p-values, so that ranks hold among those shown."""
    inferno = mpl.colormaps["inferno"]
    return {
        "variants": list(verdicts.variants),
        "base": verdicts.base,
        "alpha": verdicts.rules.error,
        "tables": {
            f"{table.scope}|{table.metric}": _pairs(table, verdicts.variants) for table in verdicts.tables
        },
        "colormap": [[round(255 * part) for part in inferno(level)[:3]] for level in range(256)],
    }


def _p_value(pair: Difference) -> float | None:
    if pair.reason:  # of one training each: nothing to rank by
        return None
    return 1.0 if pair.estimate == 0 else pair.p_value


def _pairs(table: Table, variants: Sequence[str]) -> list[tuple[int, int, float | None]]:
    """(better, other, p) by the variants' places; equal means can never be told apart, so their p is 1."""
    places: Mapping[str, int] = {name: place for place, name in enumerate(variants)}
    return [(places[pair.variant], places[pair.other], _p_value(pair)) for pair in table.pairs]
