"""The page: everything that it shows, put into its templates. One file, no request to anywhere."""

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

import srlab
from srlab.folder import store
from srlab.folder.records import RunRecord
from srlab.show.draw.canvas import MARKERS
from srlab.show.grid.html import as_html, downloads
from srlab.show.report.assets import colormap, environment, for_script, script, style
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


def render(contents: Contents, viewer: Viewer) -> str:
    """The report as HTML."""
    pages = environment()
    pages.filters |= {"slug": slug, "anchor": anchor}
    code = script(*SCRIPTS)
    verdicts = contents.verdicts
    states = _states(contents.runs)
    return pages.get_template("report.html").render(
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
        style=Markup(style(*STYLES)),
        script=Markup(code),
        script_hash=base64.b64encode(hashlib.sha256(code.encode()).digest()).decode(),
        data=for_script(_data(verdicts)),
    )


def _protocol_id(contents: Contents) -> str:
    if contents.opened is None:
        return contents.verdicts.protocol.partition(":")[0]
    return contents.opened.study.evaluation.id


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
    return {
        "variants": list(verdicts.variants),
        "base": verdicts.base,
        "alpha": verdicts.rules.error,
        "tables": {
            f"{table.scope}|{table.metric}": _pairs(table, verdicts.variants) for table in verdicts.tables
        },
        "colormap": colormap(),
    }


def _p_value(pair: Difference) -> float | None:
    if pair.reason:  # of one training each: nothing to rank by
        return None
    return 1.0 if pair.estimate == 0 else pair.p_value


def _pairs(table: Table, variants: Sequence[str]) -> list[tuple[int, int, float | None]]:
    """(better, other, p) by the variants' places; equal means can never be told apart, so their p is 1."""
    places: Mapping[str, int] = {name: place for place, name in enumerate(variants)}
    return [(places[pair.variant], places[pair.other], _p_value(pair)) for pair in table.pairs]
