"""The verdict on two variants, or a variant and bicubic, by themselves."""

from dataclasses import dataclass
from pathlib import Path

from srlab.errors import UserError
from srlab.folder.records import StudyFolder
from srlab.verdicts.judging import judge
from srlab.verdicts.options import changes, describe, options_of
from srlab.verdicts.selection import find_variant
from srlab.verdicts.values import BICUBIC, Change, Difference, Verdicts, Weigh
from srlab.verdicts.words import comparison, scope_words, share, span


@dataclass(frozen=True, kw_only=True)
class Pair:
    """What is known of `variant` minus `other`.

    `differences` are by metric and scope, the one that counts most first, each by itself: a question about
    one pair is no family, so `p_holm` is the p-value. `changes` lead from `other` to `variant`.
    """

    study: str
    variant: str
    other: str
    level: float
    headline: tuple[str, ...]
    changes: tuple[Change, ...]
    differences: tuple[Difference, ...]
    remarks: tuple[str, ...]


def compare_pair(
    folder: Path,
    variant: str,
    other: str,
    *,
    level: float = 0.95,
    equal_within: float = 0.1,
    weigh: Weigh = "images",
) -> Pair:
    """The two compared by the scores in a study's `folder`; a `UserError` if one is not of the study."""
    opened = StudyFolder(folder)
    study = opened.study
    declared = {one.name: one for one in study.variants}
    names = [name if name == BICUBIC else find_variant(list(declared), name) for name in (variant, other)]
    if names[0] == names[1]:
        raise UserError(f"{names[0]} is compared with itself; name two variants, or a variant and bicubic")
    if names[0] == BICUBIC:
        raise UserError(f"bicubic comes second: srlab compare {folder} {names[1]} bicubic")
    variant, other = names
    verdicts = judge(
        opened,
        base=None if other == BICUBIC else other,
        level=level,
        equal_within=equal_within,
        weigh=weigh,
        variants=[name for name in names if name != BICUBIC],
    )
    found = tuple(
        test
        for table in verdicts.tables
        for row in table.rows
        if row.variant == variant
        and (test := row.to_bicubic if other == BICUBIC else row.to_base) is not None
    )
    if not found:
        reasons = dict.fromkeys(f"{one.variant}: {one.reason}" for one in verdicts.missing)
        why = "; ".join(reasons) or "no scores that both have"
        raise UserError(f"{variant} and {other} cannot be compared yet ({why})")
    changed: tuple[Change, ...] = ()
    if other != BICUBIC:
        options = [options_of(declared[name], protocol=study.protocol) for name in (other, variant)]
        changed = changes(options[0], options[1])
    return Pair(
        study=study.name,
        variant=variant,
        other=other,
        level=level,
        headline=_headline(verdicts, variant, other, found[0], changed),
        changes=changed,
        differences=found,
        remarks=_remarks(verdicts, found),
    )


def _headline(
    verdicts: Verdicts, variant: str, other: str, test: Difference, changed: tuple[Change, ...]
) -> tuple[str, ...]:
    where = scope_words(test.scope, verdicts.test_sets, weigh=verdicts.rules.weigh)
    lines = [f"{comparison(test, where=where, is_start=True)}."]
    if test.percent is not None:
        lines[0] += f" That is {share(test.percent)} of what {other} gains over bicubic."
    if len(test.seeds) == 1:
        lines[0] += f" This holds for the networks of seed {test.seeds[0]}; another training may differ."
    if test.interval is None:
        lines.append(f"The reason: {test.reason}.")
    if verdicts.is_adversarial:
        lines.append("One was trained with a discriminator, so read psnr_y together with LPIPS.")
    if changed:
        lines.append(f"What changes from {other} to {variant}: {describe(changed)}.")
    if len(changed) > 1:
        lines.append(f"{len(changed)} options change at once, so the effect of each is unknown.")
    return tuple(lines)


def _remarks(verdicts: Verdicts, found: tuple[Difference, ...]) -> tuple[str, ...]:
    # It has no ranks, and the headline says of which seed it is.
    remarks: list[str] = [remark for remark in verdicts.remarks if remark.kind not in ("ranks", "one seed")]
    fixed = found[0].on_these_images
    if fixed is not None:
        remarks.insert(
            1,
            f"for other trainings on these very images, the interval of {found[0].metric} is "
            f"{span(fixed, found[0].metric)}",
        )
    if verdicts.is_complete:
        return tuple(remarks)
    reasons = dict.fromkeys(f"{one.variant}, seed {one.seed}: {one.reason}" for one in verdicts.missing)
    return (*remarks, *reasons)
