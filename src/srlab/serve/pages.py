"""HTML of the server's pages, with the report's styles, scripts and viewer."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from itertools import groupby
from typing import Any

import srlab
from srlab.serve.desk import Desk, Made, Result
from srlab.serve.limits import Limits
from srlab.serve.studies import Choice, Study, View
from srlab.show.report.assets import colormap, environment, for_script, script, style
from srlab.words import duration, num_bytes

STYLES = ("base.css", "tables.css", "viewer.css")
SCRIPTS = ("state.js", "tables.js", "viewer.js", "errors.js")


@dataclass(frozen=True, kw_only=True)
class _Pane:
    label: str
    uri: str
    note: str
    variant: None = None


@dataclass(frozen=True, kw_only=True)
class _Scene:
    """The whole picture, as the report's viewer takes it."""

    title: str
    alt: str
    width: int
    height: int
    panes: tuple[_Pane, ...]


@dataclass(frozen=True, kw_only=True)
class _Viewer:
    scenes: tuple[_Scene, ...]


class Pages:
    """All pages of one server."""

    def __init__(self, limits: Limits, studies: Sequence[Study]) -> None:
        self._limits = limits
        self._studies = studies
        self._templates = environment("srlab.serve")
        self._templates.filters["bytes"] = num_bytes
        self.static: Mapping[str, tuple[str, str]] = {
            "page.css": ("text/css", style(*STYLES) + _own("serve.css")),
            "page.js": ("text/javascript", script(*SCRIPTS) + _own("serve.js")),
        }
        self._version = hashlib.sha256(repr(self.static).encode()).hexdigest()[:12]

    def start(self, choices: Sequence[Choice]) -> str:
        """The form."""
        return self._render("start.html", "Try it", **_form(choices))

    def result(self, result: Result, desk: Desk) -> str:
        """A picture that waits, or beside what became of it the viewer."""
        there = [one for one in result.made if one.is_there]
        width, height = (result.scale * side for side in result.size)
        scene = _Scene(
            title=f"{result.name}, by each network",
            alt=result.name,
            width=width,
            height=height,
            panes=tuple(_pane(one, result) for one in there),
        )
        return self._render(
            "result.html",
            result.name,
            result=result,
            there=there,
            viewer=_Viewer(scenes=(scene,)),
            ahead=desk.ahead(result),
            archive_bytes=result.archive.stat().st_size if result.state == "done" else 0,
            size=(width, height),
        )

    def study(self, study: Study, view: View) -> str:
        """The leaderboard of a study as it is now."""
        return self._render("study.html", view.name, study=study, view=view)

    def message(self, title: str, text: str) -> str:
        """What went wrong, in a sentence."""
        return self._render("message.html", title, text=text)

    def _render(self, name: str, title: str, **values: Any) -> str:
        return self._templates.get_template(name).render(
            title=title,
            studies=self._studies,
            limits=self._limits,
            version=srlab.__version__,
            assets=self._version,
            data=for_script({"variants": [], "colormap": colormap() if "viewer" in values else []}),
            **values,
        )


def _own(name: str) -> str:
    return "\n" + resources.files("srlab.serve").joinpath("static", name).read_text(encoding="utf-8")


def _form(choices: Sequence[Choice]) -> dict[str, Any]:
    """Choices by scale and then by where they come from. The first of a scale is chosen, or the winners."""
    scales = sorted({choice.scale for choice in choices})
    return {
        "scales": scales,
        "groups": {
            scale: [
                (group, list(found))
                for group, found in groupby(
                    (choice for choice in choices if choice.scale == scale), key=lambda choice: choice.group
                )
            ]
            for scale in scales
        },
    }


def _pane(one: Made, result: Result) -> _Pane:
    place = result.made.index(one)
    seconds = one.seconds or 0.0
    return _Pane(
        label=one.label,
        uri=f"/result/{result.id}/{place}.png",
        note=f"{seconds:.2f} s" if seconds < 10 else duration(seconds),
    )
