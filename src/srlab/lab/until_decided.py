"""Seeds until a study is decided: what is undecided gets more of them, and the looks share the error."""

from collections.abc import Callable
from pathlib import Path

from msgspec.structs import replace

from srlab.declare.objectives import AdversarialObjective
from srlab.declare.study import Study
from srlab.errors import UserError
from srlab.folder import store
from srlab.folder.choice import candidates
from srlab.folder.looks import load_looks, save_looks
from srlab.folder.schema import Look
from srlab.lab.claims import begun
from srlab.lab.scheduler import Failure
from srlab.verdicts import judge
from srlab.verdicts.looks import planned_looks


def check_until_decided(study: Study, folder: Path) -> None:
    """Raise `UserError` if seeds cannot be added to the study until it is decided."""
    if study.max_seeds is None:
        return
    if any(isinstance(variant.objective, AdversarialObjective) for variant in study.variants):
        raise UserError(
            f"study {study.name!r} has a variant with a discriminator, which ranks by two measures at once; "
            "add seeds by hand (--seeds) instead of --until-decided"
        )
    looks = [look for look in load_looks(folder) if look.most is not None]
    if looks and (before := begun(folder)) is not None:
        known = {variant.name for variant in before.variants}
        if added := [variant.name for variant in study.variants if variant.name not in known]:
            raise UserError(
                f"{folder} holds a study whose seeds are added until it is decided, and its results were "
                f"looked at before {', '.join(added)} came; give the larger study another --out"
            )
    for look in looks:
        if look.most != study.max_seeds:
            raise UserError(
                f"{folder} holds a study that was begun with --max-seeds {look.most}, and its error rates "
                f"were shared out for that; it cannot be {study.max_seeds} now"
            )


def until_decided(
    study: Study, folder: Path, carry_out: Callable[[Study], list[Failure]], *, say: Callable[[str], None]
) -> list[Failure]:
    """Carry the study out with its seeds, then with more for what is undecided, look by look.

    What a look found is stored, so the same call again goes on with the same variants. It ends when a run
    fails.
    """
    assert study.max_seeds is not None
    asked = study
    for count in planned_looks(len(study.seeds), study.max_seeds):
        failures = carry_out(asked.with_seeds(count))
        if failures:
            return failures
        undecided = look_at(folder, study, count)
        if not undecided or count == study.max_seeds:
            break
        say(f"undecided with {count} seeds: {', '.join(undecided)}")
        asked = study.with_variants(undecided)
    return []


def look_at(folder: Path, study: Study, count: int) -> tuple[str, ...]:
    """The variants that are undecided with so many seeds, as an earlier call found, or by the verdicts."""
    looks = load_looks(folder)
    this = next((look for look in looks if look.seeds == count and look.most is not None), None)
    if this is None:
        this = Look(seeds=count, most=study.max_seeds)
        looks = (*looks, this)
        save_looks(folder, looks)  # the verdicts are then by this look's error rate
    if this.undecided is None:
        found = replace(this, undecided=undecided_variants(folder))
        save_looks(folder, [found if look is this else look for look in looks])
        this = found
    return this.undecided or ()


def undecided_variants(folder: Path) -> tuple[str, ...]:
    """Those of undecided pairs by psnr_y; of the planned pair alone, if there is one."""
    verdicts = judge(folder)
    if not verdicts.tables:
        return ()
    pairs = verdicts.primary or verdicts.tables[0].pairs
    asked = candidates(store.load_study(folder))
    undecided = {
        name
        for pair in pairs
        if pair.outcome == "undecided"
        and pair.interval is not None  # of one test image there is none, however many seeds
        and (verdicts.primary or {pair.variant, pair.other} <= set(asked))
        for name in (pair.variant, pair.other)
    }
    return tuple(name for name in verdicts.variants if name in undecided)
