"""Which of a study's variants and images are judged."""

import difflib
from collections.abc import Mapping, Sequence

from srlab.errors import UserError
from srlab.folder.schema import StudyFile, StudyVariant
from srlab.verdicts.cells import images_by_set


def find_variant(names: Sequence[str], wanted: str, *, of: str = "the study") -> str:
    """`wanted` in full: a variant's name, or what stands after its "/"; a `UserError` for another name.

    `of` is what the names are of.
    """
    if wanted in names:
        return wanted
    short = [name for name in names if name.rpartition("/")[2] == wanted]
    if len(short) == 1:
        return short[0]
    if short:
        raise UserError(f"{wanted!r} may be {' or '.join(short)}; write the one you mean in full")
    parts = {name.rpartition("/")[2]: name for name in names} | {name: name for name in names}
    near = difflib.get_close_matches(wanted, parts, n=1)
    hint = f"did you mean {parts[near[0]]}? It" if near else "it"
    raise UserError(f"{of} has no variant {wanted!r}; {hint} has {', '.join(names)}")


def select_variants(study: StudyFile, wanted: Sequence[str] | None) -> list[StudyVariant]:
    """The variants of ``study.json`` that are wanted (None: all), in its order."""
    names = [variant.name for variant in study.variants]
    chosen = set(names) if wanted is None else {find_variant(names, name) for name in wanted}
    if not chosen:
        raise UserError(f"no variant is left to judge; the study has {', '.join(names)}")
    return [variant for variant in study.variants if variant.name in chosen]


def select_images(study: StudyFile, wanted: Mapping[str, Sequence[str]] | None) -> dict[str, tuple[str, ...]]:
    """The test images by set that are wanted (None: all), in the study's order."""
    there = images_by_set(study)
    if wanted is None:
        return there
    for name, images in wanted.items():
        if name not in there:
            raise UserError(f"the study has no test set {name!r}; it has {', '.join(there)}")
        for image in images:
            if image not in there[name]:
                raise UserError(f"{name} has no image {image!r}; it has {', '.join(there[name])}")
    return {
        name: tuple(image for image in images if image in set(wanted[name]))
        for name, images in there.items()
        if wanted.get(name)
    }
