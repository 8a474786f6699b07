"""How the tensors of other programs are called: one file for each source, in ``maps/``.

``names`` pairs the name of a tensor, or of the module that it belongs to, with ours. ``{n}`` counts from 0 to
N - 1; ``{n+2}``, ``{N}`` and ``{N+1}`` are numbers made of it. ``blocks`` is the name whose numbers are
counted for N.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "maps"
_NUMBER = re.compile(r"\{(n|N)([+-]\d+)?\}")


@dataclass(frozen=True, kw_only=True)
class NameMap:
    """One source's names.

    `variant` is what the weights are called, and the name of a preset unless there are `options`. `presets`
    are tried first, since tensors do not tell everything, such as the factor of a residual. `widths`
    takes options from tensors: an option's name, and a tensor whose first dimension it is. `layout` is that
    of kernels in the file. `times` are factors of our tensors, where the source has pixels from 0 to 255.
    """

    name: str
    about: str
    variant: str
    scales: tuple[int, ...]
    names: Mapping[str, str]
    blocks: str = ""
    options: Mapping[str, str] = field(default_factory=dict)
    architecture: str = ""
    widths: Mapping[str, str] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()
    layout: str = "oihw"
    times: Mapping[str, float] = field(default_factory=dict)
    presets: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()

    def num_blocks(self, tensors: Mapping[str, Any]) -> int:
        """N: how many numbers there are in the place of `blocks`."""
        if not self.blocks:
            return 0
        pattern = re.compile(re.escape(self.blocks).replace(r"\{n\}", r"(\d+)") + r"(\..*)?")
        return len({found[1] for name in tensors if (found := pattern.fullmatch(name))})

    def expanded(self, num_blocks: int) -> dict[str, str]:
        """Their names and ours, with every number in its place."""
        pairs = {}
        for theirs, ours in self.names.items():
            for n in range(num_blocks) if "{n" in theirs else range(1):
                pairs[_numbered(theirs, n, num_blocks)] = _numbered(ours, n, num_blocks)
        return pairs


def _numbered(text: str, n: int, num_blocks: int) -> str:
    return _NUMBER.sub(lambda found: str((n if found[1] == "n" else num_blocks) + int(found[2] or 0)), text)


@cache
def name_maps() -> dict[str, NameMap]:
    """All that srlab knows, by name."""
    found = {}
    for path in sorted(FOLDER.glob("*.toml")):
        values = tomllib.loads(path.read_text(encoding="utf-8"))
        for key in ("scales", "ignored", "presets", "remarks"):
            values[key] = tuple(values.get(key, ()))
        found[path.stem] = NameMap(name=path.stem, **values)
    return found
