"""The data sets that are known by name: what they are, whose, how many images, and where they can be had.

Nothing is fetched here. A checksum is written only where somebody has published one for that very file, and
says who; where there is none, `srlab.data.download` says that it could not verify and records the hash of
what it got.
"""

import difflib
import os
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from srlab.errors import UserError


@dataclass(frozen=True, kw_only=True)
class Mirror:
    """One archive that holds a set.

    `folder` is where in the archive the pictures lie ("" for its root), `size` the bytes to download, about
    (None: not known), `checksum` ``sha256:...`` or ``md5:...`` as published by `checksum_from`.
    """

    url: str
    folder: str
    size: int | None = None
    checksum: str | None = None
    checksum_from: str = ""

    @property
    def most_bytes(self) -> int:
        """A download of more bytes than this is given up, since it cannot be the archive."""
        return most_bytes(self.size)


MOST_UNKNOWN = 500_000_000  # bytes of an archive whose size nobody told


def most_bytes(size: int | None) -> int:
    """The bytes that a download of about `size` bytes may have: sizes are rounded, and archives are renewed.

    >>> most_bytes(22_000_000), most_bytes(None)
    (45000000, 500000000)
    """
    return MOST_UNKNOWN if size is None else 2 * size + 1_000_000


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A data set. `parts` are the sets that it is made of; one without `mirrors` has to be added by hand."""

    name: str
    about: str
    num_images: int
    terms: str
    homepage: str
    mirrors: tuple[Mirror, ...] = ()
    parts: tuple[str, ...] = ()


_BERKELEY = "https://www2.eecs.berkeley.edu/Research/Projects/CS/vision"
_HUB = "https://huggingface.co/datasets"
_DIV2K = "https://data.vision.ee.ethz.ch/cvl/DIV2K"
_RESEARCH = "for research; rights with the photographers"
_TFDS = "TensorFlow Datasets, div2k/checksums.tsv"


def _benchmark(folder: str) -> Mirror:
    """EDSR's archive of four test sets, 250 MB for any of them."""
    return Mirror(
        url="https://cv.snu.ac.kr/research/EDSR/benchmark.tar",
        folder=f"benchmark/{folder}/HR",
        size=250_000_000,
        checksum="md5:4ace41d33c2384b97e6b320cd0afd6ba",
        checksum_from="torchSR, torchsr/datasets",
    )


_ENTRIES = (
    Entry(
        name="sample",
        about="photographs that scikit-image ships: five to train, one to validate, one to test",
        num_images=7,
        terms="public domain or CC, see scikit-image's data folder",
        homepage="https://scikit-image.org",
    ),
    Entry(
        name="t91",
        about="the 91 images of Yang et al. (2010), SRCNN's training set",
        num_images=91,
        terms=_RESEARCH,
        homepage="https://ieeexplore.ieee.org/document/5466111",
        mirrors=(
            Mirror(
                url="https://raw.github.com/IsaacCorley/pytorch-enhance/master/datasets/T91.zip", folder="T91"
            ),
            Mirror(url="https://github.com/tony-yin/SRGAN-PyTorch/raw/master/data/T91.zip", folder="T91"),
        ),
    ),
    Entry(
        name="bsds200",
        about="the 200 training images of the Berkeley segmentation data set",
        num_images=200,
        terms="non-commercial research and education",
        homepage="https://www2.eecs.berkeley.edu/Research/Projects/CS/vision/bsds/",
        mirrors=(
            Mirror(
                url=f"{_BERKELEY}/grouping/segbench/BSDS300-images.tgz",
                folder="BSDS300/images/train",
                size=22_000_000,
            ),
            Mirror(
                url=f"{_BERKELEY}/grouping/BSR/BSR_bsds500.tgz",
                folder="BSR/BSDS500/data/images/train",
                size=70_000_000,
            ),
        ),
    ),
    Entry(
        name="291",
        about="t91 and bsds200 together, VDSR's training set",
        num_images=291,
        terms="as its parts",
        homepage="https://cv.snu.ac.kr/research/VDSR/",
        parts=("t91", "bsds200"),
    ),
    Entry(
        name="general100",
        about="100 images without compression, FSRCNN's training set",
        num_images=100,
        terms=_RESEARCH,
        homepage="http://mmlab.ie.cuhk.edu.hk/projects/FSRCNN.html",
        mirrors=(
            Mirror(url=f"{_HUB}/goodfellowliu/General100/resolve/main/General100.zip", folder="General100"),
        ),
    ),
    Entry(
        name="div2k_train",
        about="DIV2K, 800 training images of 2K",
        num_images=800,
        terms="academic research only",
        homepage=f"{_DIV2K}/",
        mirrors=(
            Mirror(
                url=f"{_DIV2K}/DIV2K_train_HR.zip",
                folder="DIV2K_train_HR",
                size=3_530_603_713,
                checksum="sha256:9d0b9c463f6e35b6c62cc6a930ee2224f670b34c1df841a57670f9acf0f6c335",
                checksum_from=_TFDS,
            ),
        ),
    ),
    Entry(
        name="div2k_valid",
        about="DIV2K, 100 validation images of 2K",
        num_images=100,
        terms="academic research only",
        homepage=f"{_DIV2K}/",
        mirrors=(
            Mirror(
                url=f"{_DIV2K}/DIV2K_valid_HR.zip",
                folder="DIV2K_valid_HR",
                size=448_993_893,
                checksum="sha256:20dd31fd84d777bc1cf5d6b7654a3f569c0aec74458ae094122ad1d0489900fc",
                checksum_from=_TFDS,
            ),
        ),
    ),
    Entry(
        name="set5",
        about="five images (Bevilacqua et al., 2012)",
        num_images=5,
        terms=_RESEARCH,
        homepage="http://people.rennes.inria.fr/Aline.Roumy/results/SR_BMVC12.html",
        mirrors=(
            Mirror(
                url=f"{_HUB}/eugenesiow/Set5/resolve/main/data/Set5_HR.tar.gz", folder="Set5_HR", size=852_000
            ),
            _benchmark("Set5"),
        ),
    ),
    Entry(
        name="set14",
        about="14 images (Zeyde et al., 2010)",
        num_images=14,
        terms=_RESEARCH,
        homepage="https://sites.google.com/site/romanzeyde/research-interests",
        mirrors=(
            Mirror(url=f"{_HUB}/eugenesiow/Set14/resolve/main/data/Set14_HR.tar.gz", folder="Set14_HR"),
            _benchmark("Set14"),
        ),
    ),
    Entry(
        name="b100",
        about="BSD100: the 100 test images of the Berkeley segmentation data set of 2001",
        num_images=100,
        terms="non-commercial research and education",
        homepage="https://www2.eecs.berkeley.edu/Research/Projects/CS/vision/bsds/",
        mirrors=(
            Mirror(url=f"{_HUB}/eugenesiow/BSD100/resolve/main/data/BSD100_HR.tar.gz", folder="BSD100_HR"),
            _benchmark("B100"),
        ),
    ),
    Entry(
        name="urban100",
        about="100 pictures of buildings (Huang et al., 2015)",
        num_images=100,
        terms="CC BY 4.0 for the collection; rights with the photographers",
        homepage="https://github.com/jbhuang0604/SelfExSR",
        mirrors=(
            Mirror(
                url=f"{_HUB}/eugenesiow/Urban100/resolve/main/data/Urban100_HR.tar.gz",
                folder="Urban100_HR",
                size=135_000_000,
            ),
            _benchmark("Urban100"),
        ),
    ),
    Entry(
        name="manga109",
        about="109 pages of Japanese comics, one of each volume (Matsui et al., 2017)",
        num_images=109,
        terms="academic use, on request; may not be passed on",
        homepage="http://www.manga109.org/en/",
    ),
)

CATALOGUE: dict[str, Entry] = {entry.name: entry for entry in _ENTRIES}


def data_folder() -> Path:
    """Where the sets lie: ``$SRLAB_DATA``, else the user's data folder."""
    chosen = os.environ.get("SRLAB_DATA")
    return Path(chosen).expanduser() if chosen else Path(platformdirs.user_data_dir("srlab", appauthor=False))


def entry(name: str, *, or_folder: bool = False) -> Entry:
    """The set of that name; `UserError` with the known names, and the nearest one, for any other.

    ``or_folder``: a folder would have done as well, and was looked for.
    """
    if name in CATALOGUE:
        return CATALOGUE[name]
    nearest = difflib.get_close_matches(name.lower(), CATALOGUE, n=1, cutoff=0.6)
    guess = f" (did you mean {nearest[0]}?)" if nearest else ""
    raise UserError(
        f"there is {'no data set and no folder' if or_folder else 'no data set'} {name!r}{guess}; the sets "
        f"are {', '.join(CATALOGUE)}, and you can use any other folder of pictures by its path, without "
        "adding it"
    )


def set_folder(name: str) -> Path:
    """Where a set of the catalogue lies once it is there; ``sample`` and sets of parts have no folder."""
    return data_folder() / name


def is_present(name: str) -> bool:
    """Whether a set of the catalogue can be read. A set is there whole or not at all."""
    known = entry(name)
    if known.parts:
        return all(is_present(part) for part in known.parts)
    return name == "sample" or set_folder(name).is_dir()


def absent(name: str) -> UserError:
    """What to do about a set that is known but not there."""
    known = entry(name)
    how = (
        f"get it with `srlab data get {name}`, or"
        if known.mirrors
        else f"ask for it at {known.homepage}, then"
    )
    return UserError(
        f"data set {name} is not in {data_folder()}: {how} add your own copy with `srlab data add {name} "
        "FOLDER`"
    )
