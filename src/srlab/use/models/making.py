"""A model's card, made from the folder of the run that trained it.

``python -m srlab.use.models.making RUN`` saves the run's weights into this folder and writes their card.
With ``--float16`` the kernels are rounded to float16 and the network is scored again on the test images,
which must be there under the names that the study has.
"""

import argparse
import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import msgspec
import torch

from srlab.data.catalogue import CATALOGUE
from srlab.data.datasets import load_sets
from srlab.errors import UserError
from srlab.files import sha256_of, write_atomically
from srlab.folder import store
from srlab.folder.checkpoints import load_weights, save_weights
from srlab.folder.records import run_status
from srlab.folder.schema import Provenance, Result, RunFile, StudyFile, StudyImage
from srlab.folder.scores import Score, load_scores
from srlab.use.evaluation import evaluate_network
from srlab.use.models import FOLDER, Card, DataSet, Licence, TestSet, Training

MOST_LOST = 0.005  # dB that float16 may cost
WEIGHTS_LICENCE = "MIT"
NOTE = (
    "The weights are srlab's own and under its MIT licence. The training images are not included; their own "
    "terms are on the card and in `srlab data list`. Whether such terms reach the weights is not settled."
)


def make_card(
    run: Path,
    *,
    weights: Path,
    licence: Licence,
    terms: Mapping[str, str],
    name: str | None = None,
    scores: Iterable[Score] | None = None,
) -> Card:
    """The card of the finished run in the folder `run`, a run of a study.

    `weights` is the file that will be included: the run's own or a smaller copy of it, whose size and hash
    the card then has. `terms` says for each set of images that is not in the catalogue under which terms it
    may be used. `name` is the variant's unless given. `scores` are those of that file, if they are not the
    run's.

    Raises:
        UserError: the run is not finished, was not scored on its test images, or a set has no terms.
    """
    if run_status(run) != "finished":
        raise UserError(f"{run} is not a finished run; only a finished one can be included")
    declared, result = store.read(run / store.RUN, RunFile), store.read(run / store.RESULT, Result)
    study = store.load_study(run.parent)
    first = store.read(run / store.PROVENANCE, Provenance).sessions[0]
    training = declared.protocol
    described = study.variant(declared.variant)
    assert described is not None
    values = {
        "format": 1,
        "name": name or declared.variant,
        "variant": declared.variant,
        "scale": declared.scale,
        "color": declared.network.get("color", "rgb"),
        "parameters": described.parameters + described.running_statistics,
        "weights": weights.name,
        "bytes": weights.stat().st_size,
        "sha256": sha256_of(weights),
        "training": Training(
            data=_data_sets(study.images.train, terms),
            validation=_data_sets(study.images.validation, terms),
            steps=result.step,
            batch_size=training.batch_size,
            lr_patch_size=training.lr_patch_size,
            loss=declared.objective["loss"],
            learning_rate=declared.learning_rate,
            schedule=training.schedule,
            seed=declared.seed,
            precision=training.precision,
            seconds=round(result.seconds or 0.0, 1),
            # Sessions of an older srlab do not have a GPU's name.
            device=first.cpu if first.device == "cpu" else first.gpu or first.device,
            threads=declared.threads,
            commit=first.git.commit if first.git else "",
        ),
        "protocol": declared.evaluation,
        "tests": _test_sets(study, run, scores),
        "licence": licence,
    }
    return msgspec.convert(msgspec.to_builtins(values), Card)


def pixels_hash(hashes: Iterable[str]) -> str:
    """One SHA-256 over the pixel hashes of a set's images, in any order; their names do not count."""
    return hashlib.sha256("\n".join(sorted(hashes)).encode()).hexdigest()


def _known_name(name: str) -> str:
    """The catalogue's name of a folder such as ``Set5``; its own name where the catalogue has none."""
    return name.lower() if name.lower() in CATALOGUE else name


def _data_sets(images: Sequence[StudyImage], terms: Mapping[str, str]) -> tuple[DataSet, ...]:
    found = []
    for name, count in Counter(_known_name(image.set) for image in images).items():
        known = terms.get(name) or (CATALOGUE[name].terms if name in CATALOGUE else "")
        if not known:
            raise UserError(f"under which terms may the images of {name} be used? The card must say so")
        found.append(DataSet(name=name, images=count, terms=known))
    return tuple(found)


def _test_sets(study: StudyFile, run: Path, scores: Iterable[Score] | None) -> tuple[TestSet, ...]:
    scored = tuple(load_scores(run / "test" / store.SCORES).scores if scores is None else scores)
    bicubic = load_scores(run.parent / store.BASELINE / "test" / store.SCORES)
    found = []
    for name in dict.fromkeys(image.set for image in study.images.test):
        hashes = [image.sha256 for image in study.images.test if image.set == name]
        found.append(
            TestSet(
                name=_known_name(name),
                images=len(hashes),
                pixels=pixels_hash(hashes),
                scores=_means(scored, name),
                bicubic=_means(bicubic.scores, name),
            )
        )
    return tuple(found)


def _means(scores: Iterable[Score], test_set: str) -> dict[str, float]:
    values: dict[str, list[float]] = {}
    for score in scores:
        if score.dataset == test_set:
            values.setdefault(score.metric, []).append(score.value)
    return {metric: round(sum(found) / len(found), 6) for metric, found in values.items()}


def _scored_again(run: Path, weights: Path) -> list[Score]:
    """The scores of the rounded weights on the study's test images; none may be lost by rounding."""
    study = store.load_study(run.parent)
    protocol = store.read(run / store.RUN, RunFile).evaluation
    network = load_weights(weights).network
    found = [
        Score(dataset=tested.name, image=evaluation.image, metric=metric, value=value)
        for tested in load_sets(study.test, role="test")
        for evaluation in evaluate_network(
            network, tested.images, protocol=protocol, device=torch.device("cpu")
        )
        for metric, value in evaluation.scores.items()
    ]
    before = load_scores(run / "test" / store.SCORES).scores
    for name in dict.fromkeys(score.dataset for score in found):
        lost = _means(before, name)["psnr_y"] - _means(found, name)["psnr_y"]
        if lost > MOST_LOST:
            weights.unlink()
            raise SystemExit(f"float16 costs {lost:.4f} dB on {name}; leave --float16 out")
    return found


def main(words: Sequence[str] | None = None) -> None:
    """Save a run's weights into the package's folder, and write their card."""
    parser = argparse.ArgumentParser(prog="python -m srlab.use.models.making", description=main.__doc__)
    parser.add_argument("run", type=Path, help="the folder of a finished run")
    parser.add_argument("--name", help="what the network is asked for by (default: its variant's name)")
    parser.add_argument("--note", default=NOTE, help="what is known about the licence")
    parser.add_argument(
        "--terms",
        action="append",
        default=[],
        metavar="SET=TERMS",
        help="of a set that is not in the catalogue",
    )
    parser.add_argument(
        "--float16", action="store_true", help="round the kernels, and score what comes of it"
    )
    given = parser.parse_args(words)
    if run_status(given.run) != "finished":
        raise SystemExit(f"{given.run} is not a finished run")
    declared = store.read(given.run / store.RUN, RunFile)
    name = given.name or declared.variant
    weights = FOLDER / f"{name.replace('/', '-')}-x{declared.scale}.safetensors"
    loaded = load_weights(given.run / store.WEIGHTS)
    save_weights(
        weights,
        loaded.network,
        variant=loaded.variant,
        options=loaded.options,
        scale=loaded.scale,
        as_float16=given.float16,
    )  # not copied: an older run's file has no checksum of its tensors
    scores = _scored_again(given.run, weights) if given.float16 else None
    card = make_card(
        given.run,
        weights=weights,
        licence=Licence(weights=WEIGHTS_LICENCE, note=given.note),
        terms=dict(term.split("=", 1) for term in given.terms),
        name=name,
        scores=scores,
    )
    content = msgspec.json.format(msgspec.json.encode(card), indent=2) + b"\n"
    write_atomically(weights.with_suffix(".json"), lambda part: part.write_bytes(content))


if __name__ == "__main__":
    main()
