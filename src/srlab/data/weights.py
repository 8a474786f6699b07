"""Published weights of other people's networks, by name: where they are had, and where they lie.

They are fetched as the data sets are, by ``srlab data get``, and lie beside them, one file each. A file whose
checksum is not the published one is never put there.
"""

import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from srlab.data.catalogue import data_folder, most_bytes
from srlab.data.download import DownloadError, Patience, Progress, download
from srlab.errors import UserError
from srlab.files import sha256_of
from srlab.folder.store import locked, write_atomically
from srlab.words import num_bytes

FOLDER = "weights"


@dataclass(frozen=True, kw_only=True)
class Weights:
    """A file of weights; `sha256` may be a beginning of it, which torchvision's names end in.

    `checksum_from` says who published it. `size` is in bytes, about.
    """

    name: str
    about: str
    file: str
    urls: tuple[str, ...]
    size: int
    sha256: str
    checksum_from: str
    terms: str
    homepage: str


_TORCHVISION = "the name of torchvision's own file"

_ENTRIES = (
    Weights(
        name="vgg19",
        about="torchvision's VGG19, for content and perceptual losses",
        file="vgg19-dcbb9e9d.pth",
        urls=("https://download.pytorch.org/models/vgg19-dcbb9e9d.pth",),
        size=574_700_000,
        sha256="dcbb9e9d",
        checksum_from=_TORCHVISION,
        terms="torchvision: BSD 3-clause; trained on ImageNet, which is for research",
        homepage="https://docs.pytorch.org/vision/stable/models/vgg.html",
    ),
    Weights(
        name="squeezenet",
        about="torchvision's SqueezeNet 1.1, the features of lpips_squeeze",
        file="squeezenet1_1-b8a52dc0.pth",
        urls=("https://download.pytorch.org/models/squeezenet1_1-b8a52dc0.pth",),
        size=4_960_000,
        sha256="b8a52dc0",
        checksum_from=_TORCHVISION,
        terms="torchvision: BSD 3-clause; trained on ImageNet, which is for research",
        homepage="https://docs.pytorch.org/vision/stable/models/squeezenet.html",
    ),
    Weights(
        name="alexnet",
        about="torchvision's AlexNet, the features of lpips_alex",
        file="alexnet-owt-7be5be79.pth",
        urls=("https://download.pytorch.org/models/alexnet-owt-7be5be79.pth",),
        size=244_410_000,
        sha256="7be5be79",
        checksum_from=_TORCHVISION,
        terms="torchvision: BSD 3-clause; trained on ImageNet, which is for research",
        homepage="https://docs.pytorch.org/vision/stable/models/alexnet.html",
    ),
    Weights(
        name="vgg16",
        about="torchvision's VGG16, the features of lpips_vgg and dists",
        file="vgg16-397923af.pth",
        urls=("https://download.pytorch.org/models/vgg16-397923af.pth",),
        size=553_430_000,
        sha256="397923af",
        checksum_from=_TORCHVISION,
        terms="torchvision: BSD 3-clause; trained on ImageNet, which is for research",
        homepage="https://docs.pytorch.org/vision/stable/models/vgg.html",
    ),
)

WEIGHTS: dict[str, Weights] = {entry.name: entry for entry in _ENTRIES}


def weights_file(name: str) -> Path:
    """Where the weights lie once they are there."""
    return data_folder() / FOLDER / WEIGHTS[name].file


def absent(name: str, *, hint: str = "") -> UserError:
    """What to do about weights that are known but not there; `hint` is another way."""
    known = WEIGHTS[name]
    return UserError(
        f"{known.about}: the file {weights_file(name)} does not exist; fetch it ({num_bytes(known.size)}) "
        f"with `srlab data get {name}`, or add a copy of {known.file} with `srlab data add {name} "
        f"FILE`{hint}"
    )


def get_weights(
    name: str,
    *,
    report: Callable[[str], None],
    progress: Progress | None = None,
    patience: Patience | None = None,
) -> Path:
    """Fetch weights by name and return the file; nothing is done where it is there.

    A download that was interrupted continues where it stopped.

    Raises:
        UserError: no address has it, which says what each did; or the disk is full or read-only.
    """
    known, path = WEIGHTS[name], weights_file(name)
    with _changing(name):
        if path.is_file():
            report(f"{name} is already there: {path}")
            return path
        problems = []
        for url in known.urls:
            report(f"fetching {name} from {url}")
            try:
                checksum = f"sha256:{known.sha256}"
                sha256 = download(
                    url,
                    path,
                    checksum=checksum,
                    most_bytes=most_bytes(known.size),
                    progress=progress,
                    patience=patience,
                )
            except DownloadError as error:
                problems.append(error.why)
                report(str(error))
                continue
            report(f"verified: sha256 {sha256}, as in {known.checksum_from}")
            report(f"got {name}: {path}")
            return path
    raise UserError(
        f"{name} could not be fetched ({'; '.join(problems)}); try again later, or add a copy of "
        f"{known.file} with `srlab data add {name} FILE`"
    )


def add_weights(name: str, source: Path, *, report: Callable[[str], None]) -> Path:
    """Copy weights that one has to where srlab looks for them, and return the file.

    Raises:
        UserError: `source` is not a file, or not the published one.
    """
    known, path = WEIGHTS[name], weights_file(name)
    if not source.is_file():
        what = "is a folder" if source.is_dir() else "does not exist"
        raise UserError(f"{source} {what}; the file {known.file} was expected")
    sha256 = sha256_of(source)
    if not sha256.startswith(known.sha256):
        raise UserError(
            f"{source} is not {known.file}: its SHA-256 is {sha256}, and should begin with {known.sha256} "
            f"({known.checksum_from})"
        )
    with _changing(name):
        write_atomically(path, lambda part: shutil.copyfile(source, part))
    report(f"added {name}: {path}")
    return path


def _changing(name: str) -> AbstractContextManager[None]:
    """Let no other process change this file meanwhile."""
    busy = f"another srlab process is fetching or adding {name}; wait until it ends"
    return locked(data_folder() / FOLDER / f"{name}.lock", busy=busy)
