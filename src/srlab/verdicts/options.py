"""What variants declare: their options as words, and what changes from one variant to another."""

from collections.abc import Mapping, Sequence
from typing import Any

from srlab.declare.protocol import TrainingProtocol, protocol_to_dict
from srlab.folder.schema import StudyVariant, as_json
from srlab.verdicts.values import Change

Options = Mapping[str, str]

_KINDS = (
    "architecture",
    "objective",
    "start",
)  # where these differ, the options that come with them do not count
_NONE = "none"


def options_of(variant: StudyVariant, *, protocol: TrainingProtocol) -> Options:
    """The declared options of a variant of ``study.json``, by name, as people read them.

    `protocol` is the study's training protocol, which a variant's own takes the place of.

    >>> options = {"architecture": "SRCNN", "skip": None}
    >>> counts = {"parameters": 1, "running_statistics": 0, "multiply_adds": 1}
    >>> variant = StudyVariant(name="a", network=options, objective={"loss": "mse"}, **counts)
    >>> found = options_of(variant, protocol=TrainingProtocol(num_steps=10))
    >>> found["skip"], found["objective.loss"], found["start"], found["training.num_steps"]
    ('none', 'mse', 'none', '10')
    """
    network = dict(variant.network)
    network.pop("code", None)  # of a user's architecture: it changes with the architecture's meaning alone
    objective, start = dict(variant.objective), as_json(variant.start) or {}
    objective.pop("code", None)  # so does that of a user's losses
    options = {"architecture": _word(network.pop("architecture", None))}
    options |= {name: _word(value) for name, value in network.items()}
    options["objective"] = _word(objective.pop("kind", "pixels"))
    options |= {f"objective.{name}": _word(value) for name, value in objective.items()}
    options["start"] = _word(start.pop("source", None))
    options |= {f"start.{name}": _word(value) for name, value in start.items()}
    training = protocol_to_dict(variant.protocol or protocol)
    return options | {f"training.{name}": _word(value) for name, value in training.items()}


def _word(value: Any) -> str:
    if value is None:
        return _NONE
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "-".join(map(_word, value))
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_word(of)}" for key, of in value.items())
    return str(value)


def _kind_of(option: str) -> str:
    """The option that decides whether `option` exists: every architecture has options of its own."""
    group, dot, _ = option.partition(".")
    if group in ("objective", "start"):
        return group
    return "training" if dot else "architecture"


def changes(before: Options, after: Options) -> tuple[Change, ...]:
    """What differs between two variants, in the order of the options.

    Two architectures differ in "architecture" alone: their options do not mean the same. So do two kinds
    of objective, and a network that starts from weights and one that does not.
    """
    other_kinds = {kind for kind in _KINDS if before.get(kind) != after.get(kind)}
    found = []
    for option in dict.fromkeys([*before, *after]):
        one, two = before.get(option, _NONE), after.get(option, _NONE)
        kind = _kind_of(option)
        if one != two and (option == kind or kind not in other_kinds):
            found.append(Change(option=option, before=one, after=two))
    return tuple(found)


def reverse(change: Sequence[Change]) -> tuple[Change, ...]:
    """The change back."""
    return tuple(Change(option=one.option, before=one.after, after=one.before) for one in change)


def describe(change: Sequence[Change]) -> str:
    """In words.

    >>> describe([Change(option="skip", before="none", after="bicubic")])
    'skip none → bicubic'
    """
    return ", ".join(f"{one.option} {one.before} → {one.after}" for one in change)
