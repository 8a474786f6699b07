"""Reading data sets, by name or from any folder, and splitting them into training, validation and test.

A name of the catalogue always means that set, even where a folder of the same name lies in the current
directory; ``./set5`` means the folder.
"""

import hashlib
import os
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from importlib import resources
from itertools import chain
from pathlib import Path
from typing import Literal

from PIL import Image

from srlab.data.catalogue import CATALOGUE, absent, entry, set_folder
from srlab.errors import UserError
from srlab.folder.schema import Images, StudyImage
from srlab.pixels.images import HRImage, list_images, read_hr_image, read_hr_layout
from srlab.pixels.memory import available_bytes
from srlab.words import num_bytes

Role = Literal["train", "validate", "test"]
Progress = Callable[[str, int, int], None]  # what is being read, how many are done, of how many

SAMPLE: dict[Role, tuple[str, ...]] = {
    "train": (
        "astronaut.png",
        "coffee.png",
        "motorcycle_left.png",
        "motorcycle_right.png",
        "hubble_deep_field.jpg",
    ),
    "validate": ("rocket.jpg",),
    "test": ("chelsea.png",),
}
SAMPLE_NOTE = "one test image: this shows how a study runs and proves nothing"


@dataclass(frozen=True, kw_only=True, eq=False)
class SetImage(HRImage):
    """An image with the set and the file that it came from."""

    dataset: str
    file: str
    sha256: str  # of shape and pixels, as `HRImage.pixel_hash` computes it; kept, since it is asked for often

    def pixel_hash(self) -> str:
        return self.sha256


@dataclass(frozen=True, kw_only=True, eq=False)
class ImageSet:
    """Images under one name, a row of the leaderboard and a folder; `note` is to be printed with scores."""

    name: str
    images: tuple[SetImage, ...]
    note: str = ""


@dataclass(frozen=True, kw_only=True, eq=False)
class Split:
    """What is trained on, what chooses the learning rate, what is reported. No image is in two of them."""

    train: tuple[SetImage, ...]
    validation: tuple[SetImage, ...]
    test: tuple[ImageSet, ...]


def load_sets(
    names: Sequence[str],
    *,
    role: Role,
    progress: Progress | None = None,
) -> tuple[ImageSet, ...]:
    """Read the sets named, each a name of the catalogue or a folder; ``sample`` gives its part for `role`.

    `progress` is called after each image. Two sets of one name, two images of one name in a set, unknown
    names, files that are no plain picture, and pictures of more pixels than
    `srlab.pixels.images.pixel_limit` or than memory holds are a `UserError`.
    """
    sets = []
    for name in names:
        set_name, files, note = _files(name, role)
        images = read_images(set_name, files, progress)
        sets.append(ImageSet(name=set_name, images=images, note=note))
    doubled = [name for name, count in Counter(found.name for found in sets).items() if count > 1]
    if doubled:
        raise UserError(
            f"two {role} sets have the name {doubled[0]!r} (asked for: {', '.join(names)}); name each set "
            "once, or rename a folder if the sets differ"
        )
    return tuple(sets)


def split(
    *,
    train: Sequence[str],
    validate: Sequence[str] = (),
    test: Sequence[str],
    progress: Progress | None = None,
) -> Split:
    """Read all sets of a study and make sure that no image is in two of train, validation and test.

    Without `validate`, every tenth training image by name (the last one of fewer than ten) is held out.
    Images are compared by their pixels. One that is in two training sets is an error too, since it would
    count twice. Within one set it is left as it is: it counts twice in training (T91 is published with one
    picture twice, t36 and t65), is scored twice under two names, and is held out together with its copies.
    """
    train_images = tuple(
        chain.from_iterable(found.images for found in load_sets(train, role="train", progress=progress))
    )
    _refuse_doubles(train_images)
    if validate:
        sets = load_sets(validate, role="validate", progress=progress)
        validation = tuple(chain.from_iterable(found.images for found in sets))
    else:
        train_images, validation = _hold_out(train_images)
    test_sets = load_sets(test, role="test", progress=progress)
    _refuse_overlap(
        train=train_images,
        validation=validation,
        test=tuple(chain.from_iterable(found.images for found in test_sets)),
    )
    return Split(train=train_images, validation=_with_unique_names(validation), test=test_sets)


def load_validation(*, train: Sequence[str], validate: Sequence[str]) -> tuple[SetImage, ...]:
    """The validation images of `split` alone; training images are read only where some are held out."""
    if not validate:
        return split(train=train, test=()).validation
    sets = load_sets(validate, role="validate")
    return _with_unique_names(tuple(chain.from_iterable(found.images for found in sets)))


@dataclass(frozen=True, kw_only=True)
class PictureSizes:
    """How many pixels each picture has that a study scores, read from the files' headers alone."""

    validation: tuple[int, ...]  # in the order in which training takes them
    test: tuple[int, ...]


def picture_sizes(
    *, train: Sequence[str], validate: Sequence[str] = (), test: Sequence[str]
) -> PictureSizes | None:
    """The sizes of what `split` would score; None if a data set is not there or cannot be read.

    The held-out images are those of distinct pictures: copies that `split` would hold out too are not known.
    """
    try:
        if validate:
            held = [path for name in validate for path in _files(name, "validate")[1]]
        else:
            ordered = sorted(
                (path for name in train for path in _files(name, "train")[1]), key=lambda path: path.stem
            )
            held = ordered[9::10] or ordered[-1:]
        tested = [path for name in test for path in _files(name, "test")[1]]
        return PictureSizes(validation=tuple(map(_num_pixels, held)), test=tuple(map(_num_pixels, tested)))
    except (UserError, OSError, ValueError, Image.DecompressionBombError):
        return None


def test_set_sizes(names: Sequence[str]) -> tuple[int, ...] | None:
    """How many images each test set has, those of the catalogue also before they are there; None if one is
    not known.
    """
    try:
        return tuple(
            CATALOGUE[name].num_images
            if name in CATALOGUE and name != "sample"
            else len(_files(name, "test")[1])
            for name in names
        )
    except (UserError, OSError):
        return None


def _num_pixels(path: Path) -> int:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with Image.open(path) as picture:
            return picture.width * picture.height


def manifest(found: Split) -> Images:
    """Which images a study used."""
    roles = {role: tuple(map(_describe, images)) for role, images in _roles(found).items()}
    return Images(train=roles["train"], validation=roles["validation"], test=roles["test"])


def data_hash(found: Split) -> str:
    """One SHA-256 over the pixel hashes of all images in their roles and order; names do not count."""
    digest = hashlib.sha256()
    for role, images in _roles(found).items():
        for image in images:
            digest.update(f"{role} {image.pixel_hash()}\n".encode())
    return digest.hexdigest()


def read_images(
    set_name: str,
    files: Sequence[Path],
    progress: Progress | None = None,
) -> tuple[SetImage, ...]:
    """The pictures of a set, in the order of `files`; decoding takes all cores."""
    by_name: dict[str, Path] = {}
    for path in files:
        if (other := by_name.setdefault(path.stem.casefold(), path)) is not path:
            raise UserError(
                f"{other} and {path} have the same name in set {set_name}; results are named after the "
                "image, so rename or remove one of them"
            )

    _check_memory(set_name, files)

    def read(path: Path) -> SetImage:
        image = read_hr_image(path)
        return SetImage(
            name=image.name,
            pixels=image.pixels,
            is_gray=image.is_gray,
            dataset=set_name,
            file=str(path),
            sha256=image.pixel_hash(),
        )

    images = []
    with warnings.catch_warnings(), ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        # The reader silences Pillow's warnings, and the filters belong to the process: the threads would undo
        # one another's settings, so they are set once here, and put back when the last thread has ended.
        warnings.simplefilter("ignore")
        try:
            for image in pool.map(read, files):
                images.append(image)
                if progress is not None:
                    progress(set_name, len(images), len(files))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return tuple(images)


def _check_memory(set_name: str, files: Sequence[Path]) -> None:
    """Raise `UserError` if the set's pictures, decoded, are more than memory holds; decode nothing yet."""
    layouts = [read_hr_layout(path) for path in files]
    needed = sum(3 * layout.height * layout.width for layout in layouts)
    there = available_bytes()
    if needed > there:
        raise UserError(
            f"the {len(files)} pictures of {set_name} take {num_bytes(needed)} of memory, and "
            f"{num_bytes(there)} are free; take fewer or smaller pictures"
        )


def picture_folder(folder: Path) -> Path:
    """The folder itself, or its subfolder ``HR`` where the pictures lie there (as in Set5/HR)."""
    inner = folder / "HR"
    return inner if inner.is_dir() and not any(path.is_file() for path in folder.iterdir()) else folder


def _files(name: str, role: Role) -> tuple[str, list[Path], str]:
    """Name of the set, its files, and the note that goes with it."""
    if name == "sample":
        return name, _sample_files(role), SAMPLE_NOTE if role == "test" else ""
    if name in CATALOGUE:
        parts = CATALOGUE[name].parts or (name,)
        for part in parts:
            if not set_folder(part).is_dir():
                raise absent(part)
        return name, list(chain.from_iterable(list_images(set_folder(part)) for part in parts)), ""
    folder = Path(name).expanduser()
    if not folder.is_dir() and not _is_path(name):
        entry(name, or_folder=True)  # raises: the name is unknown
    if folder.is_dir() and picture_folder(folder) != folder:
        raise UserError(
            f"{name} holds no pictures, but its folder HR does; to use those, write {folder / 'HR'}"
        )
    files = list_images(folder)
    resolved = folder.resolve()
    # A folder named HR says nothing: Set5/HR is Set5.
    return (resolved.parent.name if resolved.name == "HR" else resolved.name) or "root", files, ""


def _is_path(name: str) -> bool:
    return (
        os.sep in name
        or (os.altsep is not None and os.altsep in name)
        or name in (".", "..")
        or name[:1] == "~"
    )


def _sample_files(role: Role) -> list[Path]:
    folder = Path(str(resources.files("skimage"))) / "data"
    files = [folder / name for name in SAMPLE[role]]
    if missing := [path.name for path in files if not path.is_file()]:
        raise UserError(
            f"the installed scikit-image has no {', '.join(missing)}, which the data set sample needs; "
            "install scikit-image 0.24 or later, or name another data set"
        )
    return files


def _hold_out(images: tuple[SetImage, ...]) -> tuple[tuple[SetImage, ...], tuple[SetImage, ...]]:
    """Training and validation: every tenth by name, the last one of fewer than ten, and their copies."""
    ordered = sorted(images, key=lambda image: (image.name, image.dataset))
    held = {image.sha256 for image in ordered[9::10] or ordered[-1:]}
    kept = tuple(image for image in images if image.sha256 not in held)
    if not kept:
        raise UserError(
            f"{len({image.sha256 for image in images})} training image is not enough, because one image is "
            "held out to validate; use more training images, or name validation data"
        )
    return kept, tuple(image for image in ordered if image.sha256 in held)


def _refuse_doubles(images: Iterable[SetImage]) -> None:
    seen: dict[str, SetImage] = {}
    for image in images:
        other = seen.setdefault(image.sha256, image)
        if other.dataset != image.dataset:
            raise UserError(
                f"training sets {other.dataset} and {image.dataset} share a picture, so it would count "
                f"twice: {other.file} and {image.file}; name each set once, or remove one of the files"
            )


def _refuse_overlap(**roles: Sequence[SetImage]) -> None:
    seen: dict[str, tuple[str, SetImage]] = {}
    for role, images in roles.items():
        for image in images:
            first_role, other = seen.setdefault(image.sha256, (role, image))
            if first_role != role:
                raise UserError(
                    f"the same picture is in {first_role} and {role} data: {other.file} and {image.file}; "
                    "scores on pictures that a network has seen prove nothing, so remove it from one of "
                    "them"
                )


def _with_unique_names(images: tuple[SetImage, ...]) -> tuple[SetImage, ...]:
    """Images of several sets under one roof: those that share a name get the set's in front."""
    counts = Counter(image.name.casefold() for image in images)
    return tuple(
        replace(image, name=f"{image.dataset}-{image.name}") if counts[image.name.casefold()] > 1 else image
        for image in images
    )


def _roles(found: Split) -> dict[str, list[SetImage]]:
    return {
        "train": list(found.train),
        "validation": list(found.validation),
        "test": list(chain.from_iterable(tested.images for tested in found.test)),
    }


def _describe(image: SetImage) -> StudyImage:
    height, width = image.pixels.shape[:2]
    return StudyImage(name=image.name, set=image.dataset, sha256=image.sha256, size=(width, height))
