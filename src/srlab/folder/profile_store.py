"""What ``srlab profile`` measured, as a study's folder keeps it in ``profile.json``. Needs no torch.

Each machine, device, number of threads and precision has a profile of its own; no number of one ever stands
in another's.
"""

import statistics
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta, structs

from srlab.declare.kinds import Amount, Count, Positive, Text, Whole
from srlab.folder import store
from srlab.folder.records import StudyFolder
from srlab.folder.schema import Session, Stored, StudyFile, StudyVariant, as_json
from srlab.words import plural

PROFILE = "profile.json"
BICUBIC = "bicubic"

Size = tuple[Whole, Whole]  # width and height, in pixels


class Setting(Stored, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The setting of a profile: only times of one setting can be compared.

    A new profile replaces that of the same setting. `device` is ``cpu`` or ``cuda``, `device_name` the
    processor's or the GPU's. `precision` is that of enlarging: ``fp32``, ``bf16``, or ``tf32`` for fp32 whose
    convolutions a GPU computes in TF32.
    """

    device: Text
    device_name: Text
    threads: Count
    precision: Text
    torch: Text

    @property
    def label(self) -> str:
        """In words, without the name of the device and the version of torch."""
        threads = plural(self.threads, "thread")
        return f"{self.device}, {threads}, {self.precision}"


class Enlarging(Stored, frozen=True, kw_only=True):
    """One variant making one SR picture, of `size` (width and height in pixels).

    `seconds` has one number for each round, in which all variants took turns: the same place of two variants
    is the same round. `tile` is the side of the tiles in LR pixels, None if the picture was made whole.
    `peak_bytes` is the most memory at a time, one number for each of the processes that did nothing else: on
    a CPU that of the whole process, on a GPU that of all tensors. `before_bytes` is what each had before its
    first pass. What could not be measured is empty, and `reason` says why.
    """

    size: Size
    tile: Count | None = None
    seconds: tuple[Positive, ...] = ()
    peak_bytes: tuple[Count, ...] = ()
    before_bytes: tuple[Count, ...] = ()
    reason: Text = ""

    def __post_init__(self) -> None:
        if len(self.peak_bytes) != len(self.before_bytes):
            raise ValueError("peak_bytes and before_bytes come from different processes")

    @property
    def median(self) -> float | None:
        """Seconds for one picture."""
        return statistics.median(self.seconds) if self.seconds else None

    @property
    def peak(self) -> float | None:
        """Bytes: the median over the processes, which differ by how well freed memory was used again."""
        return statistics.median(self.peak_bytes) if self.peak_bytes else None

    @property
    def added(self) -> float | None:
        """Bytes that making the picture added to what was there."""
        differences = [peak - before for peak, before in zip(self.peak_bytes, self.before_bytes, strict=True)]
        return max(0, statistics.median(differences)) if differences else None

    def ratio_to(self, base: "Enlarging | None") -> float | None:
        """How many times as long as `base` it takes: the median over the rounds, which drift alike."""
        if base is None or not self.seconds or len(self.seconds) != len(base.seconds):
            return None
        return statistics.median(a / b for a, b in zip(self.seconds, base.seconds, strict=True))


class Training(Stored, frozen=True, kw_only=True):
    """Seconds that a training step takes, one number for each round, of that batch in that precision."""

    batch_size: Count
    lr_patch_size: Count
    precision: Text
    seconds: tuple[Positive, ...] = ()
    reason: Text = ""

    @property
    def median(self) -> float | None:
        """Seconds for one step."""
        return statistics.median(self.seconds) if self.seconds else None


class VariantProfile(Stored, frozen=True, kw_only=True):
    """What one variant costs.

    `multiply_adds` are for SR of 1280 x 720, `receptive_radius` is in LR pixels. `digest` says of which
    declaration all this is (`digest_of`). `training` is None if there is nothing to train.
    """

    name: Text
    digest: Text
    parameters: Count
    frozen: Count
    running_statistics: Count
    multiply_adds: Count
    receptive_radius: Count
    enlarging: tuple[Enlarging, ...]
    training: Training | None

    def of_size(self, size: Size) -> Enlarging | None:
        """What was measured for SR of `size`."""
        return next((found for found in self.enlarging if found.size == size), None)


class Profile(Stored, frozen=True, kw_only=True):
    """All variants under one setting, bicubic first; `sizes` are those of the SR pictures.

    `load` is the system's load average when it began, None if there is none; `provenance` is as in a run's
    ``provenance.json``.
    """

    setting: Setting
    sizes: Annotated[tuple[Size, ...], Meta(min_length=1)]
    load: Amount | None
    provenance: Session
    variants: tuple[VariantProfile, ...]

    def variant(self, name: str) -> VariantProfile | None:
        """The one of that name."""
        return next((found for found in self.variants if found.name == name), None)


class ProfileFile(Stored, frozen=True, kw_only=True):
    """``profile.json``."""

    format: Literal["srlab profile"] = "srlab profile"
    version: Literal[1] = 1
    profiles: tuple[Profile, ...]


def load_profiles(folder: Path | StudyFolder) -> tuple[Profile, ...]:
    """All profiles of a study, the last measured last; empty if none was measured.

    A variant that was declared otherwise when it was measured is left out.

    Raises:
        UserError: `folder` is not a study's, or its ``profile.json`` is damaged or of another
            version.
    """
    opened = StudyFolder.of(folder)
    study, stored = opened.study, opened.read(opened.path / PROFILE, ProfileFile)
    declared = {BICUBIC: digest_of(study, None)} | {
        variant.name: digest_of(study, variant) for variant in study.variants
    }
    return tuple(
        structs.replace(
            profile,
            variants=tuple(one for one in profile.variants if declared.get(one.name) == one.digest),
        )
        for profile in (stored.profiles if stored else ())
    )


def add_profile(study_dir: Path, profile: Profile) -> None:
    """Keep `profile` with the study, instead of the one of the same setting if there is one."""
    others = [found for found in load_profiles(study_dir) if found.setting != profile.setting]
    store.save(study_dir / PROFILE, ProfileFile(profiles=(*others, profile)))


def digest_of(study: StudyFile, variant: StudyVariant | None) -> str:
    """What the cost of a variant, or of bicubic, depends on: network, objective, start, batch."""
    protocol = study.protocol if variant is None else study.protocol_of(variant)
    of_protocol, of_variant = ("batch_size", "lr_patch_size", "precision"), ("network", "objective", "start")
    return store.digest(
        {
            "scale": study.scale,
            "protocol": {name: getattr(protocol, name) for name in of_protocol},
            **{name: as_json(getattr(variant, name, None)) for name in of_variant},
        }
    )


def costs(profile: Profile, *, size: Size | None = None) -> dict[str, dict[str, float]]:
    """Each measured cost by name with its unit, and in it each variant that has it; for plots and fronts.

    `size` is that of the SR picture; None takes the largest one. Bicubic is among the variants.
    """
    width, height = size or max(profile.sizes, key=lambda size: size[0] * size[1])
    names = {
        "seconds": f"milliseconds for {width} x {height} ({profile.setting.label})",
        "bytes": f"peak MB for {width} x {height} ({profile.setting.label})",
        "step": f"milliseconds for a training step ({profile.setting.label})",
    }
    found: dict[str, dict[str, float]] = {name: {} for name in names.values()}
    for variant in profile.variants:
        enlarging = variant.of_size((width, height))
        if enlarging is not None and enlarging.median is not None:
            found[names["seconds"]][variant.name] = 1000 * enlarging.median
        if enlarging is not None and enlarging.peak is not None:
            found[names["bytes"]][variant.name] = enlarging.peak / 1e6
        if variant.training is not None and variant.training.median is not None:
            found[names["step"]][variant.name] = 1000 * variant.training.median
    return {name: values for name, values in found.items() if values}


def measured_costs(folder: Path | StudyFolder) -> dict[str, dict[str, float]]:
    """`costs` of every profile of a study; settings of one label are told apart by the device's name."""
    profiles = load_profiles(folder)
    labels = [profile.setting.label for profile in profiles]
    found: dict[str, dict[str, float]] = {}
    for profile in profiles:
        is_alone = labels.count(profile.setting.label) == 1
        for name, values in costs(profile).items():
            found[name if is_alone else f"{name} on {_machine(profile.setting)}"] = values
    return found


def _machine(setting: Setting) -> str:
    return f"{setting.device_name}, torch {setting.torch}"
