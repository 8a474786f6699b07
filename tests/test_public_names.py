"""What ``import srlab`` promises: the public names, all of them, and no torch until one needs it."""

import subprocess
import sys

import pytest

import srlab


def test_every_name_in_all_is_there_once() -> None:  # ruff keeps them sorted
    assert len(set(srlab.__all__)) == len(srlab.__all__)
    for name in srlab.__all__:
        assert getattr(srlab, name) is not None
        assert name in dir(srlab)


def test_every_lazy_name_is_public() -> None:
    assert {*srlab._MODULES, "__version__"} == set(srlab.__all__)


def test_public_names_do_not_hide_modules() -> None:
    """``srlab.networks`` stays the package, whatever was imported before: no public name hides it."""
    for name in srlab.__all__:
        assert f"srlab.{name}" not in sys.modules


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'upsample'"):
        srlab.upsample  # noqa: B018


@pytest.mark.parametrize(
    "statement",
    [
        "import srlab",
        "from srlab import UserError, EvaluationProtocol, read_picture, write_picture",
        "import srlab.show.pictures",
        "import srlab.folder.winner",
        "import srlab.cli",
    ],
)
def test_what_needs_no_torch_does_not_import_it(statement: str) -> None:
    program = f"{statement}\nimport sys\nassert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
