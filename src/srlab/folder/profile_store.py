"""What ``srlab profile`` measured, as a study's folder keeps it in ``profile.json``. Needs no torch.

Each machine, device, number of threads and precision has a profile of its own; no number of one ever stands
in another's.
"""

import statistics
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from srlab.errors import UserError
from srlab.folder import store
from srlab.folder.shapes import SESSION, amount, count, listed, maybe, positive, record, text
from srlab.words import plural

PROFILE = "profile.json"
BICUBIC = "bicubic"

Size = tuple[int, int]  # width and height, in pixels

_FORMAT = "srlab profile"
_VERSION = 1

_SIZE = listed(positive, least=2, most=2)
_SETTING = {"device": text, "device_name": text, "threads": count, "precision": text, "torch": text}
_ENLARGING = record(
    {"size": _SIZE, "tile": maybe(count), "seconds": listed(positive), "reason": text}
    | dict.fromkeys(("peak_bytes", "before_bytes"), listed(count))
)
_TRAINING = record(
    {"batch_size": count, "lr_patch_size": count, "precision": text, "seconds": listed(positive)}
    | {"reason": text}
)
_COUNTS = ("parameters", "frozen", "running_statistics", "multiply_adds", "receptive_radius")
_VARIANT = record(
    {"name": text, "digest": text, "enlarging": listed(_ENLARGING), "training": maybe(_TRAINING)}
    | dict.fromkeys(_COUNTS, count)
)
_PROFILE = record(
    {
        "setting": record(_SETTING),
        "sizes": listed(_SIZE, least=1),
        "load": maybe(amount),
        "provenance": SESSION,
        "variants": listed(_VARIANT),
    }
)


@dataclass(frozen=True, kw_only=True)
class Setting:
    """The setting of a profile: only times of one setting can be compared.

    A new profile replaces that of the same setting. `device` is ``cpu`` or ``cuda``, `device_name` the
    processor's or the GPU's. `precision` is that of enlarging: ``fp32``, ``bf16``, or ``tf32`` for fp32 whose
    convolutions a GPU computes in TF32.
    """

    device: str
    device_name: str
    threads: int
    precision: str
    torch: str

    @property
    def label(self) -> str:
        """In words, without the name of the device and the version of torch."""
        threads = plural(self.threads, "thread")
        return f"{self.device}, {threads}, {self.precision}"


@dataclass(frozen=True, kw_only=True)
class Enlarging:
    """One variant making one SR picture, of `size` (width and height in pixels).

    `seconds` has one number for each round, in which all variants took turns: the same place of two variants
    is the same round. `tile` is the side of the tiles in LR pixels, None if the picture was made whole.
    `peak_bytes` is the most memory at a time, one number for each of the processes that did nothing else: on
    a CPU that of the whole process, on a GPU that of all tensors. `before_bytes` is what each had before its
    first pass. What could not be measured is empty, and `reason` says why.
    """

    size: Size
    tile: int | None = None
    seconds: tuple[float, ...] = ()
    peak_bytes: tuple[int, ...] = ()
    before_bytes: tuple[int, ...] = ()
    reason: str = ""

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


@dataclass(frozen=True, kw_only=True)
class Training:
    """Seconds that a training step takes, one number for each round, of that batch in that precision."""

    batch_size: int
    lr_patch_size: int
    precision: str
    seconds: tuple[float, ...] = ()
    reason: str = ""

    @property
    def median(self) -> float | None:
        """Seconds for one step."""
        return statistics.median(self.seconds) if self.seconds else None


@dataclass(frozen=True, kw_only=True)
class VariantProfile:
    """What one variant costs.

    `multiply_adds` are for SR of 1280 x 720, `receptive_radius` is in LR pixels. `digest` says of which
    declaration all this is (`digest_of`). `training` is None if there is nothing to train.
    """

    name: str
    digest: str
    parameters: int
    frozen: int
    running_statistics: int
    multiply_adds: int
    receptive_radius: int
    enlarging: tuple[Enlarging, ...]
    training: Training | None

    def of_size(self, size: Size) -> Enlarging | None:
        """What was measured for SR of `size`."""
        return next((found for found in self.enlarging if found.size == size), None)


@dataclass(frozen=True, kw_only=True)
class Profile:
    """All variants under one setting, bicubic first; `sizes` are those of the SR pictures.

    `load` is the system's load average when it began, None if there is none; `provenance` is as in a run's
    ``provenance.json``.
    """

    setting: Setting
    sizes: tuple[Size, ...]
    load: float | None
    provenance: Mapping[str, Any]
    variants: tuple[VariantProfile, ...]

    def variant(self, name: str) -> VariantProfile | None:
        """The one of that name."""
        return next((found for found in self.variants if found.name == name), None)


def load_profiles(study_dir: Path) -> tuple[Profile, ...]:
    """All profiles of a study, the last measured last; empty if none was measured.

    A variant that was declared otherwise when it was measured is left out.

    Raises:
        UserError: `study_dir` is not a study's folder, or its ``profile.json`` is damaged or of another
            version.
    """
    study = store.load_study(study_dir)
    path = study_dir / PROFILE
    if not path.exists():
        return ()
    values = store.load_object(path, "format", "version", "profiles")
    if values["format"] != _FORMAT:
        raise UserError(f"{path} was not written by srlab")
    if values["version"] != _VERSION:
        raise UserError(f"{path} has version {values['version']!r}; this srlab reads version {_VERSION}")
    declared = {BICUBIC: digest_of(study, {})} | {
        variant["name"]: digest_of(study, variant) for variant in study["variants"]
    }
    store.check_shape(path, values, record({"profiles": listed(_PROFILE)}))
    try:
        return tuple(_profile(found, declared) for found in values["profiles"])
    except (TypeError, ValueError) as error:  # a key too many, lists of two lengths
        raise store.changed_by_something_else(path, error) from error


def add_profile(study_dir: Path, profile: Profile) -> None:
    """Keep `profile` with the study, instead of the one of the same setting if there is one."""
    others = [found for found in load_profiles(study_dir) if found.setting != profile.setting]
    values = {
        "format": _FORMAT,
        "version": _VERSION,
        "profiles": [as_dict(found) for found in [*others, profile]],
    }
    store.save_json(study_dir / PROFILE, values)


def as_dict(profile: Profile) -> dict[str, Any]:
    """A profile as JSON has it."""
    values: dict[str, Any] = store.plain(asdict(profile))
    return values


def digest_of(study: Mapping[str, Any], variant: Mapping[str, Any]) -> str:
    """What a variant's cost depends on, as ``study.json`` declares it: network, objective, start, batch."""
    protocol = variant.get("protocol") or study.get("protocol", {})
    return store.digest(
        {
            "scale": study["scale"],
            "protocol": {key: protocol.get(key) for key in ("batch_size", "lr_patch_size", "precision")},
            **{key: variant.get(key) for key in ("network", "objective", "start")},
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


def measured_costs(study_dir: Path) -> dict[str, dict[str, float]]:
    """`costs` of every profile of a study; settings of one label are told apart by the device's name."""
    profiles = load_profiles(study_dir)
    labels = [profile.setting.label for profile in profiles]
    found: dict[str, dict[str, float]] = {}
    for profile in profiles:
        is_alone = labels.count(profile.setting.label) == 1
        for name, values in costs(profile).items():
            found[name if is_alone else f"{name} on {_machine(profile.setting)}"] = values
    return found


def _machine(setting: Setting) -> str:
    return f"{setting.device_name}, torch {setting.torch}"


def _profile(values: Mapping[str, Any], declared: Mapping[str, str]) -> Profile:
    return Profile(
        setting=Setting(**values["setting"]),
        sizes=_sizes(values["sizes"]),
        load=values["load"],
        provenance=values["provenance"],
        variants=tuple(
            _variant(found) for found in values["variants"] if declared.get(found["name"]) == found["digest"]
        ),
    )


def _variant(values: Mapping[str, Any]) -> VariantProfile:
    rest = {name: value for name, value in values.items() if name not in ("enlarging", "training")}
    training = values["training"]
    return VariantProfile(
        **rest,
        enlarging=tuple(_enlarging(found) for found in values["enlarging"]),
        training=None
        if training is None
        else Training(**{**training, "seconds": tuple(training["seconds"])}),
    )


def _enlarging(values: Mapping[str, Any]) -> Enlarging:
    fields: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in values.items()
    }
    if len(fields["peak_bytes"]) != len(fields["before_bytes"]):
        raise ValueError("peak_bytes and before_bytes come from different processes")
    return Enlarging(**fields)


def _sizes(values: Iterable[Any]) -> tuple[Size, ...]:
    return tuple((int(width), int(height)) for width, height in values)
