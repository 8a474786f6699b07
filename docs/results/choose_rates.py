"""Write the learning rates that a finished pilot chose into rates.json, where the study reads them.

Run:       python docs/results/choose_rates.py docs/results/c1_srcnn RUNS/c1_srcnn_pilot

The first folder holds the study's files, the second is what `srlab study .../pilot.py` made. The study's
``study.py`` takes its rates from ``rates.json`` in its own folder (`with_chosen_rates`). The file also keeps
the pilot's validation scores. A file that is there is never changed: the study may have started from it.
"""

import json
import math
import sys
from dataclasses import replace
from pathlib import Path

from srlab import Study, TrainingProtocol, UserError
from srlab.files import write_text
from srlab.folder.choice import load_choice
from srlab.folder.records import read_runs

RATES = "rates.json"
ENDED = ("finished", "diverged")
BLOCKS = tuple(  # of the seed study's EDSR: those that C3's planned comparison is chosen from
    f"edsr/{name}"
    for name in ("vanilla", "leaky_relu", "relu_after_add", "batch_norm", "batch_norm_relu", "srresnet_block")
)
TEST = ("data/Set5", "data/Set14", "data/B100")


def with_chosen_rates(
    pilot: Study, folder: Path, *, name: str, seeds: tuple[int, ...], primary: tuple[str | None, str]
) -> Study:
    """The study that `pilot` chose the rates for: each variant at its one rate in ``folder/rates.json``.

    It has four times the steps, validates four times in a run, and is scored on all test images. `primary` is
    the planned comparison; None in it stands for `best_beside` the other in the pilot.

    Raises:
        UserError: the file is not there, or has other variants than the pilot.
    """
    path = folder / RATES
    if not path.is_file():
        raise UserError(
            f"there is no {path}: the pilot has not chosen the learning rates yet; run {folder / 'pilot.py'} "
            "with `srlab study`, then docs/results/choose_rates.py"
        )
    rates = json.loads(path.read_text(encoding="utf-8"))["learning_rates"]
    if set(rates) != (names := {variant.name for variant in pilot.variants}):
        raise UserError(
            f"{path} has rates for other variants than the pilot: {', '.join(sorted(set(rates) ^ names))}"
        )
    study = at_steps(pilot, factor=4, validations=4, name=name)
    variants = tuple(replace(variant, learning_rates=(rates[variant.name],)) for variant in study.variants)
    first, second = primary
    first = first or best_beside(second, folder, among=BLOCKS)
    return replace(study, seeds=seeds, test=TEST, variants=variants, primary=(first, second))


def best_beside(other: str, folder: Path, *, among: tuple[str, ...]) -> str:
    """Of the variants in `among` but `other`, the one with the highest validation psnr_y in the pilot."""
    found = json.loads((folder / RATES).read_text(encoding="utf-8"))["validation_psnr_y"]
    return max((name for name in among if name != other), key=lambda name: float(found[name]))


def at_steps(study: Study, *, factor: float, validations: int, name: str) -> Study:
    """`study` under another name with `factor` times the steps and `validations` validations in each run."""

    def changed(protocol: TrainingProtocol) -> TrainingProtocol:
        steps = round(factor * protocol.num_steps)
        return replace(
            protocol,
            num_steps=steps,
            validate_every=math.ceil(steps / validations),
            checkpoint_every=math.ceil(steps / 10),
        )

    return replace(
        study,
        name=name,
        protocol=changed(study.protocol),
        variants=tuple(
            variant if variant.protocol is None else replace(variant, protocol=changed(variant.protocol))
            for variant in study.variants
        ),
    )


def chosen_rates(pilot: Path) -> dict[str, dict[str, float]]:
    """What the pilot's folder chose: ``learning_rates`` and ``validation_psnr_y`` of each variant.

    Raises:
        UserError: a run of the pilot has not ended, or every run of a variant diverged.
    """
    if waiting := [run.name for run in read_runs(pilot) if run.status not in ENDED]:
        raise UserError(
            f"{len(waiting)} runs of the pilot in {pilot} have not ended ({waiting[0]}, ...); "
            "run the pilot's command again, it goes on where it stopped"
        )
    choices = load_choice(pilot)
    if without := [name for name, choice in choices.items() if choice.learning_rate is None]:
        raise UserError(
            f"no rate of {', '.join(without)} came to the end of its pilot; give it smaller rates"
        )
    return {
        "learning_rates": {name: choice.learning_rate for name, choice in choices.items()},
        "validation_psnr_y": {name: choice.psnr_y for name, choice in choices.items()},
    }


def write_rates(folder: Path, pilot: Path) -> Path:
    """Write the pilot's choice to ``folder/rates.json``; nothing to do where it is there already.

    Raises:
        UserError: as `chosen_rates`, and where the file is there with other rates.
    """
    found = chosen_rates(pilot)
    path = folder / RATES
    if path.exists():
        if json.loads(path.read_text(encoding="utf-8")) != found:
            raise UserError(
                f"{path} has other rates than the pilot in {pilot} chose; the study may have started from "
                "them, so they stay. To start anew, remove the file and give the study another --out"
            )
        return path
    write_text(path, json.dumps(found, indent=2) + "\n")
    return path


def main(arguments: list[str]) -> int:
    """The command line: STUDY_FILES PILOT_FOLDER."""
    if len(arguments) != 2:
        sys.stderr.write("give two folders: that of the study's files, and that of the pilot's runs\n")
        return 2
    try:
        path = write_rates(Path(arguments[0]), Path(arguments[1]))
    except UserError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write(f"{path}\n{path.read_text(encoding='utf-8')}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
