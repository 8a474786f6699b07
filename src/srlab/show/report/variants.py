"""Each variant as the report shows it: its diagram, and in which options it differs from the base."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from srlab.folder import store
from srlab.folder.records import RunRecord
from srlab.folder.schema import StudyFile, StudyVariant, as_json
from srlab.show.report.viewer import svg_uri

_COUNTED = ("name", "parameters", "running_statistics", "multiply_adds", "frozen")
_NOT_SET = "none"


@dataclass(frozen=True, kw_only=True)
class Changed:
    """An option with its value in the base and in the variant."""

    option: str
    base: str
    own: str


@dataclass(frozen=True, kw_only=True)
class VariantCard:
    """A variant; `options` are all of its own, `changed` those that differ from the base's."""

    name: str
    number: int
    is_base: bool
    parameters: int | None
    multiply_adds: int | None
    changed: tuple[Changed, ...]
    options: tuple[tuple[str, str], ...]
    diagram: str | None


def variant_cards(study: StudyFile, runs: Sequence[RunRecord], *, base: str) -> list[VariantCard]:
    """Every variant in the order of the study."""
    declared = {variant.name: _options(variant, study) for variant in study.variants}
    reference = declared.get(base, {})
    return [
        VariantCard(
            name=variant.name,
            number=number,
            is_base=variant.name == base,
            parameters=variant.parameters,
            multiply_adds=variant.multiply_adds,
            changed=tuple(
                Changed(option=_short(option), base=_value(before), own=_value(after))
                for option, before, after in store.differences(reference, declared[variant.name])
            ),
            options=tuple(
                (_short(key), _value(value))
                for key, value in declared[variant.name].items()
                if variant.protocol or not key.startswith("protocol.")
            ),
            diagram=_diagram(variant.name, runs),
        )
        for number, variant in enumerate(study.variants)
    ]


def _options(variant: StudyVariant, study: StudyFile) -> dict[str, Any]:
    """All that was declared of a variant, flat (``network.activation``); with the study's protocol."""
    flat: dict[str, Any] = {}
    of_variant = as_json(variant) | {"protocol": as_json(study.protocol_of(variant))}
    for key, value in of_variant.items():
        if key in _COUNTED:
            continue
        if isinstance(value, Mapping):
            flat |= {f"{key}.{inner}": found for inner, found in value.items()}
        else:
            flat[key] = value
    return flat


def _short(option: str) -> str:
    return option.removeprefix("network.").removeprefix("objective.")


def _value(value: Any) -> str:
    if value is None:
        return _NOT_SET
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(_value, value))
    return value if isinstance(value, str) else json.dumps(value)


def _diagram(variant: str, runs: Sequence[RunRecord]) -> str | None:
    for run in runs:
        if run.variant == variant and (drawing := svg_uri(run.folder / "diagram.svg")):
            return drawing
    return None
