"""A matplotlib figure as SVG that stands in the page: themed, and named for screen readers."""

import io
import re
from collections.abc import Sequence
from xml.etree import ElementTree

from matplotlib.figure import Figure

from srlab.show.draw.colors import as_variables

_SVG = "http://www.w3.org/2000/svg"
_XLINK = "http://www.w3.org/1999/xlink"
_REFERENCE = re.compile(r"url\(#([^)]+)\)")
_FAMILY = re.compile(r"(font-family: |font: (?:\w+ )*[\d.]+px )[^;]+")
_LONG_NUMBER = re.compile(r"(\d+\.\d{2})\d+")
_LEFT_OUT = {f"{{{_SVG}}}metadata", f"{{{_SVG}}}title", f"{{{_SVG}}}style"}
_OF_VARIANT = "variant:"
_OF_SEED = ":seed:"


def variant_id(number: int, *, seed: int | None = None) -> str:
    """The ``gid`` of what a figure draws for one variant, or for one seed of it.

    In the page it is ``data-variant`` and ``data-seed``.
    """
    return f"{_OF_VARIANT}{number}" + ("" if seed is None else f"{_OF_SEED}{seed}")


def inline_svg(
    figure: Figure, *, key: str, title: str, description: str, variants: Sequence[str] = ()
) -> str:
    """The figure as an ``<svg>`` element for HTML.

    `key` makes its ids differ from those of every other figure of the page. `title` and `description` are
    what a screen reader says in place of the drawing; they may hold any text. `variants` are the names that
    a pointer over what was drawn for them tells. To be called within `srlab.show.draw.canvas.plain_style`.
    """
    root = ElementTree.fromstring(_saved(figure))
    for parent in list(root.iter()):
        for element in [child for child in parent if child.tag in _LEFT_OUT]:
            parent.remove(element)
    width, height = root.attrib["viewBox"].split()[2:]
    used = _referenced(root)
    for element in root.iter():
        _make_its_own(element, key, used)
    for element in list(root.iter()):
        _name(element, variants)
    root.attrib.clear()
    root.attrib.update(
        {
            "viewBox": f"0 0 {width} {height}",
            "width": width,
            "height": height,
            "role": "img",
            "aria-labelledby": f"{key}-title {key}-desc",
        }
    )
    for place, (tag, text) in enumerate((("title", title), ("desc", description))):
        element = ElementTree.Element(f"{{{_SVG}}}{tag}", {"id": f"{key}-{tag}"})
        element.text = text
        root.insert(place, element)
    ElementTree.register_namespace("", _SVG)
    whole = ElementTree.tostring(root, encoding="unicode").replace(f' xmlns="{_SVG}"', "", 1)
    return as_variables(re.sub(r">\s+<", "><", whole))


def _name(element: ElementTree.Element, variants: Sequence[str]) -> None:
    """What a pointer over the element tells: its variant, and the seed if it is of one."""
    number = element.get("data-variant")
    if number is None or int(number) >= len(variants):
        return
    seed = element.get("data-seed")
    name = ElementTree.Element(f"{{{_SVG}}}title")
    name.text = variants[int(number)] + ("" if seed is None else f", seed {seed}")
    element.insert(0, name)


def _saved(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None}, transparent=True)
    return buffer.getvalue()


def _referenced(root: ElementTree.Element) -> set[str]:
    """The ids that something in the drawing points to."""
    links = {element.get(f"{{{_XLINK}}}href", "#").removeprefix("#") for element in root.iter()}
    clips = {
        found
        for element in root.iter()
        for value in element.attrib.values()
        for found in _REFERENCE.findall(value)
    }
    return links | clips


def _make_its_own(element: ElementTree.Element, key: str, used: set[str]) -> None:
    """Ids of this figure alone and only where used, the page's font, and no more digits than can be seen."""
    attributes: dict[str, str] = {}
    for name, value in element.attrib.items():
        if name == "id":
            if value.startswith(_OF_VARIANT):
                number, _, seed = value.removeprefix(_OF_VARIANT).partition(_OF_SEED)
                attributes |= {"data-variant": number} | ({"data-seed": seed} if seed else {})
            elif value in used:
                attributes["id"] = f"{key}-{value}"
        elif name == f"{{{_XLINK}}}href":
            attributes["href"] = f"#{key}-{value.removeprefix('#')}"
        else:
            value = _REFERENCE.sub(rf"url(#{key}-\1)", value)
            value = _FAMILY.sub(r"\1var(--sans)", value)
            attributes[name] = _LONG_NUMBER.sub(r"\1", value)
    element.attrib.clear()
    element.attrib.update(attributes)
