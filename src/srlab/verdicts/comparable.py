"""Which scores may stand beside each other: those that were computed with the same weights."""

from collections import Counter
from collections.abc import Mapping
from typing import TypeVar

from msgspec.structs import replace

from srlab.folder.scores import StoredScores, weights_of

Key = TypeVar("Key")


def comparable(
    found: Mapping[Key, StoredScores],
) -> tuple[dict[Key, StoredScores], list[tuple[Key, str]]]:
    """For each metric only the scores that most of what is `found` computed with the same weights.

    Where two have as many, those that come first stay. Returns what is left, and the keys and metrics of
    what was taken out.
    """
    taken_out: list[tuple[Key, str]] = []
    for metric in sorted({metric for stored in found.values() for metric in stored.metrics}):
        keys = [key for key, stored in found.items() if metric in stored.metrics]
        used = {key: tuple(sorted(weights_of(metric, found[key].weights).items())) for key in keys}
        ((most, _),) = Counter(used.values()).most_common(1)
        taken_out += [(key, metric) for key in keys if used[key] != most]
    out = set(taken_out)
    kept = {
        key: replace(stored, scores=tuple(one for one in stored.scores if (key, one.metric) not in out))
        for key, stored in found.items()
    }
    return kept, taken_out
