"""All scores that a study is judged by, as one value: what ``scores.csv`` holds and nothing else."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from srlab.declare.protocol import EvaluationProtocol
from srlab.folder.records import StudyFolder
from srlab.folder.schema import StudyFile
from srlab.verdicts.cells import Cells, chosen_rates, images_by_set, read_cells
from srlab.verdicts.options import Options, options_of
from srlab.verdicts.values import MissingCell


@dataclass(frozen=True, kw_only=True)
class ScoreTable:
    """Scores of variants at one learning rate each, with what is needed to judge them.

    `variants` are in order, bicubic is not one of them. `options` are those in which the variants differ, by
    variant: no others change a verdict. `protocol` says what was compared with what, in few words such as
    "rgb-replicate x2"; it is empty if nobody knows.
    """

    study: str
    protocol: str
    variants: tuple[str, ...]
    options: Mapping[str, Options]
    rates: Mapping[str, float | None]
    cells: Cells

    @property
    def metrics(self) -> tuple[str, ...]:
        """Those that a variant has scores of, in the order of the table."""
        by_seed = (self.cells.scores.get(variant, {}) for variant in self.variants)
        return tuple(dict.fromkeys(key[1] for seeds in by_seed for found in seeds.values() for key in found))

    @property
    def scale(self) -> int:
        """That of srlab's own protocols; 0 if it is not known."""
        words = self.protocol.rpartition(" x")
        return int(words[2]) if words[2].isdecimal() else 0

    @property
    def protocol_in_words(self) -> str:
        """In full, of srlab's own protocols; else as it is."""
        short = self.protocol.rpartition(" x")[0]
        return _PROTOCOLS.get(short, self.protocol)


_PROTOCOLS = {
    protocol.id: str(protocol)
    for protocol in (
        EvaluationProtocol(color="rgb", border="replicate"),
        EvaluationProtocol(color="rgb", border="symmetric"),
        EvaluationProtocol(color="luma", border="replicate"),
        EvaluationProtocol(color="luma", border="symmetric"),
    )
}


def read_score_table(folder: Path | StudyFolder) -> ScoreTable:
    """The scores that the verdicts on a study's `folder` rest on; a `UserError` if it is not one.

    They are of complete test sets, at the chosen learning rates.
    """
    opened = StudyFolder.of(folder)
    study = opened.study
    rates = chosen_rates(opened)
    return ScoreTable(
        study=study.name,
        protocol=f"{study.evaluation.id} x{study.scale}",
        variants=tuple(rates),
        options=_differing(study),
        rates=rates,
        cells=read_cells(opened, rates, images_by_set(study)),
    )


def _differing(study: StudyFile) -> dict[str, Options]:
    """Of every variant the options that not all share, and the objective where one is adversarial."""
    every = {variant.name: options_of(variant, protocol=study.protocol) for variant in study.variants}
    names = dict.fromkeys(option for options in every.values() for option in options)
    kept = {
        name
        for name in names
        if len({options.get(name) for options in every.values()}) > 1
        or (name == "objective" and any(options[name] == "adversarial" for options in every.values()))
    }
    return {
        variant: {name: value for name, value in options.items() if name in kept}
        for variant, options in every.items()
    }


def gaps(table: ScoreTable, metrics: Sequence[str]) -> tuple[MissingCell, ...]:
    """Each variant, seed and test set without a metric that others have."""
    found = []
    for variant in table.variants:
        for seed, by_image in sorted(table.cells.scores.get(variant, {}).items()):
            for scope in table.cells.test_sets:
                if lacking := [metric for metric in metrics if (scope, metric) not in by_image]:
                    reason = f"no {', '.join(lacking)} in the file"
                    found.append(
                        MissingCell(variant=variant, seed=seed, scope=scope, reason=reason, is_final=True)
                    )
    return tuple(found)
