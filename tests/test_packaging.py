"""What the package promises: it installs without a checkout, with all that it needs, and works there."""

import ast
import email
import importlib.metadata
import os
import re
import runpy
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[1]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
NOT_SOURCES = shutil.ignore_patterns(
    ".git", ".venv", "__pycache__", "*.egg-info", ".*_cache", "build", "dist", "runs"
)
# Imported only where the user has it, and a message says so otherwise.
OPTIONAL = {
    "IPython",
    "h5py",
    "onnxruntime",
    "openvino",
    "pillow_heif",
    "pyarrow",
    "starlette",
    "tifffile",
    "uvicorn",
}


@dataclass(frozen=True)
class Built:
    """The two files that one would upload."""

    sdist: Path
    wheel: Path

    def metadata(self) -> email.message.Message:
        with zipfile.ZipFile(self.wheel) as archive:
            (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
            return email.message_from_bytes(archive.read(name))


@dataclass(frozen=True)
class Installed:
    """An environment that has srlab from the wheel alone, and an empty folder to work in."""

    bin: Path
    folder: Path

    def __call__(self, *words: str) -> str:
        """What the command prints to standard output."""
        environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
        environment |= {"COLUMNS": "100", "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
        done = subprocess.run(
            [str(self.bin / words[0]), *words[1:]],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            encoding="utf-8",
            timeout=500,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """The sdist of a copy of the sources, and the wheel of the unpacked sdist."""
    folder = tmp_path_factory.mktemp("built")
    shutil.copytree(ROOT, folder / "copy", ignore=NOT_SOURCES)
    sdist = _build("sdist", folder / "copy", folder)
    with tarfile.open(sdist) as archive:
        archive.extractall(folder / "unpacked", filter="data")
    (unpacked,) = (folder / "unpacked").iterdir()
    return Built(sdist=sdist, wheel=_build("wheel", unpacked, folder))


def _build(kind: str, sources: Path, out: Path) -> Path:
    """Build without a network: setuptools is here already."""
    code = f"import sys; from setuptools.build_meta import build_{kind} as b; print('\\n' + b(sys.argv[1]))"
    done = subprocess.run(
        [sys.executable, "-c", code, str(out)],
        cwd=sources,
        capture_output=True,
        encoding="utf-8",
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return out / done.stdout.splitlines()[-1]


@pytest.fixture(scope="module")
def installed(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """An environment of its own. What srlab depends on it sees in this one, so that nothing is fetched."""
    folder = tmp_path_factory.mktemp("installed")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder / "venv")], check=True)
    bin_folder = folder / "venv" / ("Scripts" if sys.platform == "win32" else "bin")
    python = bin_folder / "python"
    asked = [str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    there = Path(subprocess.run(asked, check=True, capture_output=True, text=True).stdout.strip())
    # Found after the environment's own packages. A .pth file there is not read: srlab is not this checkout.
    (there / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    pip = [sys.executable, "-m", "pip", "--python", str(python), "--disable-pip-version-check"]
    done = subprocess.run(
        [*pip, "install", "--quiet", "--no-deps", "--no-index", "--force-reinstall", str(built.wheel)],
        env={key: value for key, value in os.environ.items() if not key.startswith("PYTHON")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (folder / "work").mkdir()
    return Installed(bin=bin_folder, folder=folder / "work")


def test_srlab_is_the_installed_one_and_not_the_checkout(installed: Installed) -> None:
    place = installed("python", "-c", "import srlab; print(srlab.__file__)").strip()
    assert Path(place).is_relative_to(installed.bin.parent)


def test_the_included_networks_are_listed_and_enlarge_a_picture(installed: Installed) -> None:
    assert "srcnn/pixel_shuffle_residual_leaky_relu " in installed("srlab", "models")
    Image.fromarray(np.full((20, 24, 3), 90, np.uint8)).save(installed.folder / "photo.png")
    installed("srlab", "upscale", "photo.png", "large.png")
    with Image.open(installed.folder / "large.png") as image:
        assert image.size == (48, 40)


def test_it_runs_as_a_module_too(installed: Installed) -> None:
    assert installed("python", "-m", "srlab", "--version") == f"srlab {PROJECT['version']}\n"


def test_a_study_runs_there(installed: Installed) -> None:
    command = "srlab study smoke --steps 20 --validate-every 20 --threads 1 --no-estimate"
    out = installed(*command.split())
    assert "srcnn/pixel_shuffle_residual_leaky_relu" in out
    assert (installed.folder / "runs" / "smoke" / "leaderboard.md").is_file()


def test_the_sdist_has_every_file_of_the_repository(built: Built) -> None:
    if not (ROOT / ".git").exists() or shutil.which("git") is None:
        pytest.skip("needs git and a checkout, to know which files there are")
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, encoding="utf-8", check=True
    ).stdout.split("\0")
    with tarfile.open(built.sdist) as archive:
        there = {name.partition("/")[2] for name in archive.getnames()}
    assert {name for name in listed if name and (ROOT / name).exists()} - there == set()


def test_the_wheel_has_all_that_lies_in_the_package_and_nothing_else(built: Built) -> None:
    source = ROOT / "src"
    expected = {
        path.relative_to(source).as_posix()
        for path in (source / "srlab").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    with zipfile.ZipFile(built.wheel) as archive:
        there = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert there == expected


def test_the_description_makes_sense_away_from_the_repository(built: Built) -> None:
    """An index shows it without the files beside it: a relative link or picture would lead nowhere."""
    metadata = built.metadata()
    text = str(metadata.get_payload())
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert "# srlab" in text
    assert "srlab upscale photo.jpg" in text
    targets = re.findall(r"\]\(([^)]+)\)", text)
    assert [target for target in targets if not target.startswith(("https://", "#"))] == []


def test_with_an_address_links_and_pictures_of_the_description_get_it() -> None:
    description = runpy.run_path(str(ROOT / "setup.py"))["description"]
    text = "![a crop](docs/a.png) and [the page](docs/b.md#top), [there](https://example.org), [here](#x)"
    assert description(text, None) == " and the page, [there](https://example.org), [here](#x)"
    assert description(text, "https://example.org/srlab") == (
        "![a crop](https://example.org/srlab/raw/main/docs/a.png) and "
        "[the page](https://example.org/srlab/blob/main/docs/b.md#top), [there](https://example.org), "
        "[here](#x)"
    )


def test_every_package_that_is_imported_is_a_dependency() -> None:
    """The environment of the tests has more than a user's: what is missing there would not be seen."""
    distributions = importlib.metadata.packages_distributions()
    declared = {_normal(re.split(r"[>=<\[ ]", line)[0]) for line in PROJECT["dependencies"]}
    missing = {
        module
        for path in (ROOT / "src" / "srlab").rglob("*.py")
        for module in _imported(path)
        if module not in sys.stdlib_module_names
        and module not in OPTIONAL | {"srlab"}
        and not declared & {_normal(name) for name in distributions.get(module, [module])}
    }
    assert missing == set()


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _imported(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.partition(".")[0])
    return found


def test_the_citation_names_this_version_and_licence() -> None:
    text = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    fields = dict(re.findall(r"^([a-z-]+): (.+)$", text, flags=re.MULTILINE))
    assert fields["version"] == PROJECT["version"]
    assert fields["license"] == PROJECT["license"]
    assert fields["cff-version"] == "1.2.0"
    assert fields["message"]
    assert "authors:\n  - name: " in text
