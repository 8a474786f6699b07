"""A tiny study declared in a folder, with or without a profile that nobody measured."""

from pathlib import Path

from msgspec.structs import replace

from srlab.declare.protocol import TrainingProtocol
from srlab.declare.study import Study, Variant
from srlab.folder import store
from srlab.folder.profile_store import (
    BICUBIC,
    Enlarging,
    Profile,
    Setting,
    Size,
    Training,
    VariantProfile,
    digest_of,
)
from srlab.folder.sessions import begin_session
from srlab.lab.claims import declare_study
from srlab.lab.planning import make_plan
from srlab.networks import SRCNNOptions
from stored_files import images_of
from tiny_study import MACHINE, QUESTION

SETTING = Setting(device="cpu", device_name="a CPU", threads=2, precision="fp32", torch="2.13.0")
STUDY = Study(
    name="tiny",
    scale=2,
    variants=(
        Variant(name="tiny/large", network=SRCNNOptions(num_features=(64, 4))),
        Variant(name="tiny/small", network=SRCNNOptions(num_features=(4, 4))),
    ),
    learning_rates=(1e-3,),
    seeds=(0,),
    protocol=TrainingProtocol(num_steps=4, batch_size=2, lr_patch_size=8, precision="fp32"),
    train=("nothing",),
    test=("nothing",),
)


def declare(folder: Path, study: Study = STUDY) -> Path:
    """``study.json`` as `srlab study` writes it before its first run."""
    plan = make_plan(study, folder, MACHINE)
    declaration = declare_study(plan, question=QUESTION, data="0" * 64, images=images_of({}), notes={})
    store.save(folder / store.STUDY, declaration)
    return folder


def made_profile(
    folder: Path, *, setting: Setting = SETTING, factor: float = 1, size: Size = (1280, 720)
) -> Profile:
    """A profile of all variants in a study's folder: of the first 400 ms, of each next half of that."""
    study = store.load_study(folder)
    variants = [
        VariantProfile(
            name=variant.name,
            digest=digest_of(study, variant),
            parameters=1000 // (place + 1),
            frozen=0,
            running_statistics=0,
            multiply_adds=10**9,
            receptive_radius=6,
            enlarging=(_enlarging(0.4 / 2**place, place + 2, factor, size),),
            training=Training(
                batch_size=2,
                lr_patch_size=8,
                precision="fp32",
                seconds=(0.02 * factor, 0.03 * factor, 0.01 * factor),
            ),
        )
        for place, variant in enumerate(study.variants)
    ]
    bicubic = replace(
        variants[0],
        name=BICUBIC,
        digest=digest_of(study, None),
        parameters=0,
        multiply_adds=0,
        enlarging=(_enlarging(0.01, 1, factor, size),),
        training=None,
    )
    return Profile(
        setting=setting,
        sizes=(size,),
        load=0.1,
        provenance=begin_session(device=setting.device, threads=setting.threads),
        variants=(bicubic, *variants),
    )


def _enlarging(seconds: float, hundred_megabytes: int, factor: float, size: Size) -> Enlarging:
    return Enlarging(
        size=size,
        seconds=tuple(factor * seconds for _ in range(3)),
        peak_bytes=(hundred_megabytes * 10**8,),
        before_bytes=(10**8,),
    )
