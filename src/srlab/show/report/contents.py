"""All that a report holds, gathered from a study's folder."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from srlab.folder.profile_store import measured_costs
from srlab.folder.records import RunRecord, StudyFolder
from srlab.folder.schema import StudyVariant
from srlab.show.grid import Grid
from srlab.show.leaderboard import leaderboard, notes_of_variants
from srlab.show.published import Published
from srlab.show.report.commands import Commands
from srlab.show.report.figures import Drawing, drawings
from srlab.show.report.setting import Setting, read_setting
from srlab.show.report.variants import VariantCard, variant_cards
from srlab.show.tables.costs import budgets_grid, costs_grid, progress_grid, rates_grid
from srlab.show.tables.effects import effects_grid
from srlab.show.tables.images import images_grid
from srlab.show.tables.plane import plane_grid
from srlab.show.tables.profile import measured_grid
from srlab.show.tables.standings import leaderboard_grid, published_of
from srlab.show.tables.twins import twins_grid
from srlab.verdicts import VALIDATION, Cost, Verdicts, judge
from srlab.verdicts.values import Weigh


@dataclass(frozen=True, kw_only=True)
class Contents:
    """A study's verdicts as tables, figures and cards; grids are by scope and metric, or by metric.

    `notes` say of each variant what is not as it should be, in the leaderboard's words. Contents of a file of
    scores have no study's folder, and nothing that only a folder knows.
    """

    opened: StudyFolder | None
    num_seeds: int
    verdicts: Verdicts
    runs: tuple[RunRecord, ...]
    leaderboards: Mapping[tuple[str, str], Grid]
    effects: Mapping[tuple[str, str], Grid]
    images: Mapping[str, Grid]
    costs: Grid
    progress: Grid
    budgets: Grid
    twins: Grid
    rates: Grid
    measured: Grid
    plane: Grid
    drawings: tuple[Drawing, ...]
    cards: tuple[VariantCard, ...]
    published: tuple[Published, ...]
    setting: Setting
    notes: tuple[str, ...]

    def grids(self) -> list[Grid]:
        """Every table that has a row."""
        every = [
            *self.leaderboards.values(),
            *self.effects.values(),
            *self.images.values(),
            self.costs,
            self.progress,
            self.budgets,
            self.twins,
            self.rates,
            self.measured,
            self.plane,
        ]
        return [grid for grid in every if grid.rows]


def gather_scores(verdicts: Verdicts, *, command: str) -> Contents:
    """What verdicts on a file of scores say; `command` makes the page again."""
    return Contents(
        opened=None,
        num_seeds=len({seed for table in verdicts.tables for row in table.rows for seed in row.seeds}),
        verdicts=verdicts,
        runs=(),
        leaderboards=_leaderboards(verdicts, (), {}),
        effects=_effects(verdicts),
        images={metric: images_grid(verdicts, metric=metric) for metric in verdicts.metrics},
        costs=costs_grid(verdicts),
        progress=progress_grid(verdicts),
        budgets=budgets_grid(verdicts),
        twins=twins_grid(verdicts),
        rates=rates_grid(verdicts),
        measured=measured_grid(verdicts, {}),
        plane=plane_grid(verdicts),
        drawings=tuple(drawings(verdicts, bicubic=None)),
        published=(),
        cards=(),
        setting=Setting(
            protocol=(("Scores", verdicts.protocol),),
            machines=(),
            commands=Commands(lines=(command,), remarks=()),
            remarks=(),
        ),
        notes=(),
    )


def gather(
    folder: Path | StudyFolder, *, base: str | None = None, equal_within: float = 0.1, weigh: Weigh = "images"
) -> Contents:
    """What the files in a study's folder say now.

    Raises:
        UserError: `folder` is not a study's, or `base` is not one of its variants.
    """
    opened = StudyFolder.of(folder)
    study, runs = opened.study, opened.runs
    verdicts = judge(opened, base=base, equal_within=equal_within, weigh=weigh)
    measured = measured_costs(opened)
    bicubic = opened.bicubic or {}
    return Contents(
        opened=opened,
        num_seeds=len(study.seeds),
        verdicts=verdicts,
        runs=runs,
        leaderboards=_leaderboards(verdicts, study.variants, {cost.variant: cost for cost in verdicts.costs}),
        effects=_effects(verdicts),
        images={metric: images_grid(verdicts, metric=metric) for metric in verdicts.metrics},
        costs=costs_grid(verdicts),
        progress=progress_grid(verdicts),
        budgets=budgets_grid(verdicts),
        twins=twins_grid(verdicts),
        rates=rates_grid(verdicts),
        measured=measured_grid(verdicts, measured),
        plane=plane_grid(verdicts),
        drawings=tuple(drawings(verdicts, bicubic=bicubic.get("psnr_y"), measured=measured)),
        published=tuple(
            {
                found.network: found
                for table in verdicts.tables
                for found in published_of(table, variants=study.variants, scale=study.scale)
                if found is not None
            }.values()
        ),
        cards=tuple(variant_cards(study, runs, base=verdicts.base)),
        setting=read_setting(opened),
        notes=notes_of_variants(leaderboard(opened, verdicts=verdicts).standings),
    )


def _leaderboards(
    verdicts: Verdicts, variants: Sequence[StudyVariant], costs: Mapping[str, Cost]
) -> dict[tuple[str, str], Grid]:
    """Without a column for the outcomes, which the page tells by colors."""
    return {
        (table.scope, table.metric): leaderboard_grid(
            table, verdicts, variants=variants, costs=costs
        ).without(("outcome",))
        for table in verdicts.tables
    }


def _effects(verdicts: Verdicts) -> dict[tuple[str, str], Grid]:
    scopes = [(table.scope, table.metric) for table in verdicts.tables] + [(VALIDATION, "psnr_y")]
    grids = {key: effects_grid(verdicts, scope=key[0], metric=key[1]) for key in scopes}
    return {key: grid for key, grid in grids.items() if grid.rows}
