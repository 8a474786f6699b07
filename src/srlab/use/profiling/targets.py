"""Which networks a path or a name means, as a study that could train them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from srlab.declare.protocol import EvaluationProtocol, TrainingProtocol
from srlab.declare.start import WEIGHTS_SUFFIX, Start
from srlab.declare.study import Study, Variant
from srlab.errors import UserError
from srlab.folder import store
from srlab.folder.checkpoints import load_weights
from srlab.folder.profile_store import BICUBIC, digest_of
from srlab.folder.schema import StudyVariant
from srlab.folder.user_networks import read_network, read_objective
from srlab.folder.winner import find_weights
from srlab.networks import find_preset, network_color, only_scale, preset

_NOTHING = ("nothing",)  # in the place of images: none are read


@dataclass(frozen=True, kw_only=True)
class Target:
    """What is to be profiled.

    `title` is for people. `folder` is the study's, where the profile is kept; None if it is only shown.
    `digests` say as what each variant was declared.
    """

    title: str
    study: Study
    folder: Path | None
    digests: Mapping[str, str]


def find_target(what: str, *, scale: int | None = None) -> Target:
    """The networks that `what` means: a study's folder, a run's, a weights file, or a variant's name.

    A variant that exists at several scales needs `scale`; of all others it may say what is expected.

    Raises:
        UserError: there is nothing of that name, or it is for another scale.
    """
    path = Path(what)
    if store.is_study(path):
        target = _study(path)
    elif path.exists() or what.endswith(WEIGHTS_SUFFIX):
        target = _weights(path)
    else:
        return _preset(what, scale=scale)
    if scale not in (None, target.study.scale):
        raise UserError(f"{what} enlarges by {target.study.scale}, not by {scale}; leave the scale out")
    return target


def _study(folder: Path) -> Target:
    stored = store.load_study(folder)
    study = Study(
        name=stored.name,
        scale=stored.scale,
        variants=tuple(_variant(one, folder) for one in stored.variants),
        learning_rates=stored.learning_rates,
        protocol=stored.protocol,
        evaluation=stored.evaluation,
        train=_NOTHING,
        test=_NOTHING,
    )
    return Target(
        title=f"{study.name} (x{study.scale})",
        study=study,
        folder=folder,
        digests={BICUBIC: digest_of(stored, None)}
        | {variant.name: digest_of(stored, variant) for variant in stored.variants},
    )


def _variant(stored: StudyVariant, folder: Path) -> Variant:
    return Variant(
        name=stored.name,
        network=read_network(stored.network, folder),
        objective=read_objective(stored.objective, folder),
        start=stored.start,
        protocol=stored.protocol,
    )


def _weights(path: Path) -> Target:
    weights = load_weights(find_weights(path).weights)
    variant = Variant(name=weights.variant, network=weights.options)
    return _alone(variant, scale=weights.scale, title=f"{path}: {weights.variant} (x{weights.scale})")


def _preset(name: str, *, scale: int | None) -> Target:
    if name == BICUBIC:
        raise UserError("every profile includes bicubic; name a variant, a study's folder or a weights file")
    try:
        known = find_preset(name)
    except UserError as error:
        raise UserError(
            f"there is no folder or file {name}, and it is not the name of a variant either: {error}"
        ) from error
    scale = only_scale(name) if scale is None else scale
    network = preset(name, scale=scale)
    # Frozen parts make its training steps cheaper; where their weights would come from does not matter.
    frozen = tuple(known.frozen)
    start = Start(source=f"any{WEIGHTS_SUFFIX}", keep=frozen, freeze=True) if frozen else None
    variant = Variant(name=name, network=network, start=start)
    return _alone(variant, scale=scale, title=f"{name} (x{scale})")


def _alone(variant: Variant, *, scale: int, title: str) -> Target:
    color = network_color(variant.network)
    study = Study(
        name="profile",
        scale=scale,
        variants=(variant,),
        learning_rates=(1e-4,),
        protocol=TrainingProtocol(num_steps=1),
        evaluation=EvaluationProtocol(color="luma" if color == "luma" else "rgb"),
        train=_NOTHING,
        test=_NOTHING,
    )
    return Target(title=title, study=study, folder=None, digests={})
