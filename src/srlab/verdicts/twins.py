"""Whether the order of a study's variants holds for a shorter training: a study beside its twins."""

from itertools import combinations

from srlab.verdicts.values import BICUBIC, Flip, Table, Twin


def make_twin(part: int, table: Table, shorter: Table, *, is_complete: bool) -> Twin:
    """What `shorter`, of a training with one in `part` of the steps, says of the order in `table`."""
    means, others = _means(table), _means(shorter)
    names = [name for name in means if name in others]
    agreements = {
        frozenset((a, b)): (means[a] - means[b]) * (others[a] - others[b]) for a, b in combinations(names, 2)
    }
    there = {frozenset((pair.variant, pair.other)): pair for pair in shorter.pairs}
    flips = tuple(
        Flip(whole=pair, shorter=there[names_of])
        for pair in table.pairs
        if (names_of := frozenset((pair.variant, pair.other))) in there and agreements.get(names_of, 0) < 0
    )
    signs = [(value > 0) - (value < 0) for value in agreements.values()]
    return Twin(
        part=part,
        table=shorter,
        variants=tuple(names),
        tau=sum(signs) / len(signs) if signs else None,
        flips=flips,
        is_complete=is_complete,
    )


def _means(table: Table) -> dict[str, float]:
    return {row.variant: row.mean for row in table.rows if row.mean is not None and row.variant != BICUBIC}
