"""What the report's page is made of, for other pages too: templates, styles, scripts, the two themes."""

import json
from importlib import resources
from typing import Any

import matplotlib as mpl
from jinja2 import BaseLoader, ChoiceLoader, Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from srlab import words
from srlab.show.draw.colors import DARK, LIGHT, css_variables
from srlab.show.grid.html import breakable

_FOR_SCRIPTS = str.maketrans(
    {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
)


def environment(*packages: str) -> Environment:
    """Templates of `packages`, then the report's own. All that they show is escaped."""
    loaders: list[BaseLoader] = [PackageLoader(package) for package in (*packages, "srlab.show.report")]
    found = Environment(
        loader=ChoiceLoader(loaders),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters |= {
        "whole": words.whole,
        "count": words.count,
        "number": words.number,
        "rate": words.rate,
        "plural": words.plural,
        "breakable": breakable,
        "minus": words.true_minus,
    }
    return found


def style(*names: str) -> str:
    """Both themes, and the report's style sheets of these names, as one."""
    return "\n".join([_theme(), *map(_static, names)])


def script(*names: str) -> str:
    """The report's scripts of these names, as one."""
    return "\n".join(["'use strict';", *map(_static, names)])


def for_script(values: Any) -> Markup:
    """`values` as JSON that cannot end the ``<script>`` element it stands in, whatever its strings hold.

    >>> print(for_script({"name": "</script>"}))
    {"name": "\\u003c/script\\u003e"}
    """
    text = json.dumps(values, allow_nan=False, ensure_ascii=True)
    return Markup(text.translate(_FOR_SCRIPTS))


def colormap() -> list[list[int]]:
    """The colors of error maps, from no difference to the largest: red, green and blue of 256 levels."""
    inferno = mpl.colormaps["inferno"]
    return [[round(255 * part) for part in inferno(level)[:3]] for level in range(256)]


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
