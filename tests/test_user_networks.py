"""What is promised of networks of a user's own: everything that srlab's have, and no code runs unasked."""

import importlib.metadata
import json
import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import srlab
from own_code import srlab as srlab_command
from same_picture import assert_same_floats
from srlab.declare.studies import load_study
from srlab.declare.study import Study, Variant
from srlab.errors import UserError
from srlab.folder.checkpoints import load_weights, save_weights
from srlab.folder.user_networks import keep_code, trusted
from srlab.lab.comparison import compare
from srlab.networks import (
    Architecture,
    build_network,
    check_network,
    find_architecture,
    num_parameters,
    options_from_dict,
    options_to_dict,
)
from srlab.networks.complexity import multiply_adds, receptive_radius, user_network_in
from srlab.networks.diagram import plot
from srlab.networks.summary import summary
from srlab.show.leaderboard import leaderboard
from srlab.use.upscale import upscale_tensor
from srlab.use.upscaler import Upscaler
from srlab.user_code import declared as declared_things
from srlab.user_code.code import read_code, run_code
from srlab.user_code.identity import identity_of
from srlab.verdicts import judge
from tiny_study import MACHINE, write_pictures

EXAMPLES = Path(__file__).parents[1] / "examples"

MINE = '''"""Does a wider network help?"""

from dataclasses import dataclass

from torch import nn

from srlab import Architecture, Study, TrainingProtocol, Variant, preset, with_options
from helper import activation  # beside this file


@dataclass(frozen=True, kw_only=True)
class MyOptions:
    width: int = 4


class MyNet(nn.Module):
    """LR to SR."""

    def __init__(self, options, *, scale):
        super().__init__()
        self.scale = 0.5  # a name that srlab uses too
        self.body = nn.Sequential(
            nn.Conv2d(3, options.width, 3, padding=1),
            activation(),
            nn.Conv2d(options.width, 3 * scale**2, 3, padding=1),
            nn.PixelShuffle(scale),
        )

    def forward(self, lr):
        return self.body(lr)


mine = Architecture("mine", MyOptions, MyNet)

STUDY = Study(
    name="mine",
    scale=2,
    variants=(
        Variant(name="mine/narrow", network=mine()),
        Variant(name="mine/wide", network=mine(width=8)),
        Variant(
            name="srcnn/small",
            network=with_options(preset("srcnn/vanilla", scale=2), {"num_features": "4,4"}),
        ),
    ),
    learning_rates=(1e-3,),
    seeds=(0,),
    protocol=TrainingProtocol(num_steps=4, batch_size=2, lr_patch_size=8),
    train=(TRAIN,),
    test=(TEST,),
)
'''
HELPER = "from torch import nn\n\n\ndef activation():\n    return nn.ReLU()\n"


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A list of agreed code of its own; and what the code of a test does to torch ends with the test."""
    monkeypatch.setenv("SRLAB_TRUSTED", str(tmp_path / "trusted.txt"))
    before = set(vars(nn.Module))
    yield
    for name in set(vars(nn.Module)) - before:
        delattr(nn.Module, name)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The study file, a module beside it, and pictures."""
    folder = tmp_path_factory.mktemp("mine")
    train = write_pictures(folder / "train", 3, seed=1)
    test = write_pictures(folder / "set", 2, seed=2)
    path = folder / "mine.py"
    path.write_text(MINE.replace("TRAIN", repr(train)).replace("TEST", repr(test)))
    (folder / "helper.py").write_text(HELPER)
    return path


@pytest.fixture(scope="module")
def finished(file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The study's folder after ``srlab study mine.py --jobs 2``, in processes of its own."""
    folder = tmp_path_factory.mktemp("runs") / "mine"
    said = run("study", file, "--out", folder, "--jobs", "2", said_yes=folder.parent / "yes.txt")
    assert said.returncode == 0, said.stderr
    return folder


def run(*words: object, said_yes: Path) -> subprocess.CompletedProcess[str]:
    """A command in a new process, of a user whose list of code is the file `said_yes`."""
    return subprocess.run(
        [sys.executable, "-m", "srlab", *map(str, words)],
        env={**os.environ, "SRLAB_TRUSTED": str(said_yes), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )


# A study


def test_it_stands_in_the_leaderboard_beside_a_network_of_srlab(finished: Path) -> None:
    rows = {row.name: row for row in leaderboard(finished).standings}
    assert rows["mine/wide"].parameters == 3 * 9 * 8 + 8 + 8 * 9 * 12 + 12
    assert rows["mine/wide"].multiply_adds == (3 * 9 * 8 + 8 * 9 * 12) * 640 * 360
    assert all(rows[name].tests for name in ("mine/narrow", "mine/wide", "srcnn/small"))


def test_its_options_are_what_changes_between_variants(finished: Path) -> None:
    names = [effect.name for effect in judge(finished).effects]
    assert any("width 4 → 8" in name for name in names)
    assert not any("code" in name for name in names)


def test_every_run_has_its_diagram_and_summary(finished: Path) -> None:
    folder = finished / "mine-wide-lr0.001-seed0"
    assert "MyNet" not in (folder / "summary.txt").read_text().splitlines()[0]
    assert "width = 8" in (folder / "summary.txt").read_text()
    assert "Sees: 2 LR pixels" in (folder / "summary.txt").read_text()
    assert "3 → 8" in (folder / "diagram.svg").read_text()


def test_its_code_lies_in_the_study_with_all_that_it_imports(finished: Path, file: Path) -> None:
    (folder,) = (finished / "code").iterdir()
    described = json.loads((folder / "code.json").read_text())
    assert (described["entry"], described["files"]) == ("mine.py", ["helper.py", "mine.py"])
    assert (folder / "helper.py").read_text() == HELPER
    assert described["sha256"] == read_code(file).digest
    assert (
        folder.name
        == json.loads((finished / "study.json").read_text())["variants"][0]["network"]["code"][:16]
    )


def test_a_study_may_grow_but_its_network_may_not_change(file: Path, finished: Path, tmp_path: Path) -> None:
    other = tmp_path / "mine.py"
    (tmp_path / "helper.py").write_text("# a comment\n" + HELPER)
    text = file.read_text()
    other.write_text(text.replace("LR to SR.", "Other words.").replace("(1e-3,)", "(1e-3, 1e-4)"))
    said = run("study", other, "--out", finished, "--plan", "--no-estimate", said_yes=tmp_path / "yes")
    assert (said.returncode, "6 runs, 3 left" in said.stdout) == (0, True), said.stderr
    other.write_text(text.replace("0.5", "0.25"))
    said = run("study", other, "--out", finished, "--plan", said_yes=tmp_path / "yes")
    assert said.returncode == 2
    assert "other code of your own" in said.stderr
    other.write_text(text)
    (tmp_path / "helper.py").write_text(HELPER.replace("ReLU", "Tanh"))
    assert run("study", other, "--out", finished, "--plan", said_yes=tmp_path / "yes").returncode == 2


# Trust


def test_code_runs_only_after_the_user_said_so_and_is_remembered(finished: Path, tmp_path: Path) -> None:
    write_pictures(tmp_path / "pictures", 1, seed=3)
    source, out, yes = tmp_path / "pictures" / "0.png", tmp_path / "large.png", tmp_path / "yes.txt"
    command = ("upscale", source, out, "--model", finished / "mine-wide-lr0.001-seed0")
    refused = run(*command, said_yes=yes)
    digest = json.loads(next((finished / "code").glob("*/code.json")).read_text())["sha256"]
    assert (refused.returncode, out.exists(), yes.exists()) == (2, False, False)
    assert f"--trust {digest}" in refused.stderr
    assert len(refused.stderr.strip().splitlines()) == 1
    assert run(*command, "--trust", digest, said_yes=yes).returncode == 0
    assert out.exists()
    assert run(*command, "--overwrite", said_yes=yes).returncode == 0


def test_changed_code_must_be_agreed_to_again(finished: Path, tmp_path: Path) -> None:
    study = shutil.copytree(finished, tmp_path / "mine")
    helper = next((study / "code").glob("*/helper.py"))
    helper.write_text("import sys\nsys.exit('the code of a stranger')\n" + HELPER)
    said = run("evaluate", "--model", study, "--data", tmp_path, said_yes=finished.parent / "yes.txt")
    assert said.returncode == 2
    assert "a stranger" not in said.stderr


def test_weights_alone_take_the_file_that_declares_them(finished: Path, file: Path, tmp_path: Path) -> None:
    alone = tmp_path / "weights.safetensors"
    alone.write_bytes((finished / "mine-narrow-lr0.001-seed0" / "weights.safetensors").read_bytes())
    said = run("profile", alone, "--size", "32x32", said_yes=tmp_path / "yes.txt")
    assert said.returncode == 2
    assert "--trust FILE.py" in said.stderr
    said = run("profile", alone, "--size", "32x32", "--trust", file, said_yes=tmp_path / "yes.txt")
    assert said.returncode == 0, said.stderr
    assert "mine/narrow" in said.stdout


def test_the_code_is_found_from_within_the_runs_folder(
    finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(finished / "mine-wide-lr0.001-seed0")
    monkeypatch.setattr(declared_things, "_known", {})
    with pytest.raises(UserError, match=r"--trust [0-9a-f]{64}"):
        load_weights(Path("weights.safetensors"))


def test_a_trusted_file_that_calls_exit_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("import sys\nsys.exit(0)\n")
    with pytest.raises(UserError, match="cannot be run: SystemExit"):
        srlab.trust(tmp_path / "a.py")


@pytest.mark.parametrize("given", ["nothing.py", "abc", "0" * 63])
def test_what_cannot_be_trusted_is_said(given: str) -> None:
    with pytest.raises(UserError, match="cannot be trusted"):
        srlab.trust(given)


def test_a_list_that_cannot_be_written_only_asks_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SRLAB_TRUSTED", str(tmp_path / "file" / "list.txt"))
    srlab.trust("a" * 64)
    assert "a" * 64 in trusted()


# A network


@dataclass(frozen=True, kw_only=True)
class Deep:
    """Options of a network of plain convolutions."""

    depth: int = 3
    pool: bool = False
    branch: bool = False


class DeepNet(nn.Module):
    """Sees `depth` + 1 pixels, or with `pool` the whole picture; `branch` cannot be traced."""

    def __init__(self, options: Deep, *, scale: int) -> None:
        super().__init__()
        self.options = options
        self.head = nn.Conv2d(3, 4, 1)
        self.body = nn.Sequential(
            *(nn.Conv2d(4, 4, 3, padding=1, padding_mode="reflect") for _ in range(options.depth))
        )
        self.tail = nn.Sequential(nn.Conv2d(4, 3 * scale**2, 3, padding=1), nn.PixelShuffle(scale))

    def forward(self, lr: Tensor) -> Tensor:
        x = self.body(self.head(lr))
        if self.options.branch and x.mean() > 1e9:
            x = -x
        if self.options.pool:
            x = x + x.mean((2, 3), keepdim=True)
        sr: Tensor = self.tail(x)
        return sr


deep = Architecture("deep", Deep, DeepNet)


def test_how_far_it_sees_is_tried_out() -> None:
    network = build_network(deep(), scale=2)
    assert receptive_radius(network) == 4
    own = user_network_in(network)
    assert own is not None
    assert not own.sees_all
    everywhere = build_network(deep(pool=True), scale=2)
    assert receptive_radius(everywhere) == 64
    own = user_network_in(everywhere)
    assert own is not None
    assert own.sees_all
    assert "at least 64" in summary(deep(pool=True), scale=2)


def test_where_it_sees_the_whole_picture_a_user_is_told_of_seams() -> None:
    for pool in (False, True):
        network = build_network(deep(pool=pool), scale=2)
        assert Upscaler(network, variant="deep").may_show_seams == pool
    assert not Upscaler(build_network(deep(), scale=2), variant="deep").may_show_seams


def test_a_layer_that_begins_with_zeros_hides_nothing() -> None:
    network = build_network(deep(), scale=2)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
    assert receptive_radius(network) == 4
    assert not any(parameter.any() for parameter in network.parameters())  # a copy was tried


@pytest.mark.parametrize("tile", [7, 16, 33])
def test_its_tiles_have_no_seams(tile: int) -> None:
    network = build_network(deep(), scale=2).eval()
    lr = torch.rand(1, 3, 50, 61)
    with torch.no_grad():
        assert_same_floats(upscale_tensor(network, lr, tile=tile, in_strips=True), network(lr))


def test_multiplications_are_counted_by_torch_as_srlab_counts_its_own() -> None:
    per_pixel = 3 * 4 + 3 * 4 * 4 * 9 + 4 * 9 * 12
    assert multiply_adds(deep(), scale=2) == per_pixel * 640 * 360
    assert multiply_adds(deep(branch=True), scale=2) == per_pixel * 640 * 360  # it needs numbers


def test_a_network_that_cannot_be_followed_is_drawn_by_its_parts(tmp_path: Path) -> None:
    plot(deep(branch=True), tmp_path / "net.svg", scale=2, title="deep")
    drawn = (tmp_path / "net.svg").read_text()
    assert "parts as declared" in drawn
    plot(deep(), tmp_path / "net.svg", scale=2, title="deep")
    assert "parts as declared" not in (tmp_path / "net.svg").read_text()


def test_luma_is_given_one_channel() -> None:
    @dataclass(frozen=True)
    class Options:
        pass

    class Y(nn.Module):
        def __init__(self, options: Options, *, scale: int) -> None:  # noqa: ARG002
            super().__init__()
            self.body = nn.Sequential(nn.Conv2d(1, scale**2, 3, padding=1), nn.PixelShuffle(scale))

        def forward(self, y: Tensor) -> Tensor:
            assert y.shape[1] == 1
            sr: Tensor = self.body(y)
            return sr

    luma = Architecture("luma_net", Options, Y, color="luma")
    network = build_network(luma(), scale=3)
    assert network(torch.rand(2, 3, 5, 7)).shape == (2, 3, 15, 21)
    assert receptive_radius(network) == 2  # bicubic chroma
    assert num_parameters(luma(), scale=3) == 90


def test_weights_come_back(tmp_path: Path) -> None:
    network = build_network(deep(), scale=2)
    save_weights(tmp_path / "weights.safetensors", network, variant="deep", options=deep(), scale=2)
    loaded = load_weights(tmp_path / "weights.safetensors")
    lr = torch.rand(1, 3, 9, 8)
    assert torch.equal(loaded.network(lr), network.eval()(lr))
    assert options_from_dict(options_to_dict(deep(depth=2))) == deep(depth=2)


def test_options_travel_to_another_process(file: Path) -> None:
    study = load_study(str(file)).study
    code = (
        "import pickle, sys, srlab.networks as n\n"
        "study = pickle.load(sys.stdin.buffer)\n"
        "print(n.num_parameters(study.variants[1].network, scale=2))"
    )
    said = subprocess.run(
        [sys.executable, "-c", code], input=pickle.dumps(study), capture_output=True, check=True
    )
    assert int(said.stdout) == num_parameters(study.variants[1].network, scale=2)


# What it is


def test_what_a_network_is_leaves_out_what_it_does_not_rest_on(tmp_path: Path) -> None:
    (tmp_path / "helper.py").write_text(HELPER)
    path = tmp_path / "mine.py"
    text = MINE.replace("TRAIN", "'t'").replace("TEST", "'t'")

    def found(changed: str) -> str:
        path.write_text(changed)
        return declared(path)

    first = found(text)
    for same in (
        text.replace("1e-3", "1e-4"),
        text.replace("LR to SR.", "Words."),
        text + "\n\nUNUSED = 3\n",
        text.replace("class MyNet", "# a comment\nclass MyNet"),
    ):
        assert found(same) == first
    for other in (text.replace("0.5", "0.6"), text.replace("width: int = 4", "width: int = 5")):
        assert found(other) != first
    (tmp_path / "helper.py").write_text(HELPER.replace("ReLU", "Tanh"))
    assert found(text) != first


def declared(path: Path) -> str:
    mine = run_code(read_code(path))["mine"]
    assert isinstance(mine, Architecture)
    return mine.identity


NET = """from dataclasses import dataclass
from functools import partial
import helper_of_net, torch
from helper_of_net import *
from srlab import Architecture

TABLE = [0]
LIST = []

@dataclass(frozen=True)
class Options:
    width: int = 4

def fill(value):
    TABLE.append(value)

def plain(function):
    def inner(options, *, scale):
        return function(options, scale=scale)
    return inner

class Net(torch.nn.Module):
    def forward(self, lr):
        from inner_of_net import SIZE
        return (lr, TABLE, SIZE, PLACE, "a")
MORE
mine = Architecture("mine", Options, NETWORK)
AFTER
"""


@pytest.mark.parametrize("network", ["Net", "lambda o, scale: Net(o)", "partial(Net)", "plain(Net)"])
@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("torch.nn.Module", "torch.nn.Conv2d"),
        ("PLACE = 1", "PLACE = 2"),
        ("SIZE = 1", "SIZE = 2"),
        ("MORE", "fill(1)"),
        ("MORE", "for i in range(2):\n    TABLE.append(i)"),
        ("AFTER", "TABLE[0] = 1"),
        ("AFTER", "Net.size = 1"),
        ("MORE", "torch.set_default_dtype(torch.float32)"),
        ("Module.size = 1", "Module.size = 2"),
        (", NETWORK)", ", NETWORK, border=2)"),
    ],
)
def test_what_a_network_rests_on_is_a_part_of_it(
    network: str, before: str, after: str, tmp_path: Path
) -> None:
    assert before_and_after(before, after, network, tmp_path) == "other"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("AFTER", "for width in (1, 2):\n    LIST.append(mine(width=width))"),
        ("AFTER", "lr = (1e-3,)\nscale = 2"),
        ("AFTER", "if __name__ == '__main__':\n    print(mine())"),
        (", NETWORK)", ", NETWORK, radius=2)"),
        ("AFTER", "@dataclass(frozen=True)\nclass Others:\n    width: int = 4"),
        ('return (lr, TABLE, SIZE, PLACE, "a")', "return (  # all\n            lr, TABLE, SIZE, PLACE, 'a')"),
        ("import partial", "import partial, reduce"),
    ],
)
def test_what_it_does_not_rest_on_is_not(before: str, after: str, tmp_path: Path) -> None:
    assert before_and_after(before, after, "Net", tmp_path) == "same"


def before_and_after(before: str, after: str, network: str, folder: Path) -> str:
    """Whether a network is ``same`` or ``other`` once a text in its files is another."""
    files = {
        "net.py": NET.replace("NETWORK", network) if before != ", NETWORK)" else NET,
        "helper_of_net.py": "from torch.nn import Module\nPLACE = 1\nModule.size = 1\n",
        "inner_of_net.py": "SIZE = 1\n",
    }
    assert any(before in text for text in files.values())
    found = []
    for old, new in ((before, before), (before, after)):
        for name, text in files.items():
            changed = text.replace(old, new).replace("NETWORK", network)
            (folder / name).write_text(changed.replace("MORE", "").replace("AFTER", ""))
        found.append(declared(folder / "net.py"))
    return "same" if found[0] == found[1] else "other"


def test_a_constant_that_it_names_is_a_part_of_it(tmp_path: Path) -> None:
    path = tmp_path / "net.py"
    names = []
    for number in (1, 2):
        path.write_text(f"N = {number}\nM = N + 1\n\n\nclass Net:\n    size = M\n")
        names.append(identity_of(read_code(path), "net", [("net", "Net")]))
    assert names[0] != names[1]


def test_a_network_of_a_package_beside_a_script_comes_back(tmp_path: Path) -> None:
    package = tmp_path / "nets_of_mine"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "blocks.py").write_text("from torch.nn import Identity as Block\n")
    (package / "net.py").write_text(
        "from dataclasses import dataclass\nfrom srlab import Architecture\nfrom .blocks import Block\n"
        "@dataclass(frozen=True)\nclass Options:\n    width: int = 4\n"
        "class Net(Block):\n    pass\nmine = Architecture('mine', Options, Net)\n"
    )
    script = (
        "import pickle, sys\nfrom nets_of_mine.net import mine\nsys.stdout.buffer.write(pickle.dumps(mine()))"
    )
    (tmp_path / "script.py").write_text(script)
    sent = subprocess.run([sys.executable, tmp_path / "script.py"], capture_output=True, check=True).stdout
    assert pickle.loads(sent).width == 4


def test_two_files_with_a_module_of_one_name_each_have_their_own(tmp_path: Path) -> None:
    found = []
    for number in (1, 2):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "helper_of_two.py").write_text(f"NUMBER = {number}\n")
        (folder / "a.py").write_text("from helper_of_two import NUMBER\n")
        found.append(run_code(read_code(folder / "a.py"))["NUMBER"])
    assert found == [1, 2]


def test_a_module_of_the_same_name_that_is_there_already_stays(tmp_path: Path) -> None:
    before = sys.modules["same_picture"]
    (tmp_path / "same_picture.py").write_text("NUMBER = 3\n")
    (tmp_path / "a.py").write_text("from same_picture import NUMBER\n")
    assert run_code(read_code(tmp_path / "a.py"))["NUMBER"] == 3
    assert sys.modules["same_picture"] is before


def test_a_network_of_a_notebooks_cell_is_refused() -> None:
    code = (
        "from dataclasses import dataclass\nfrom torch import nn\nfrom srlab import Architecture\n"
        "@dataclass(frozen=True)\nclass O: pass\nclass N(nn.Module): pass\n"
        "Architecture('n', O, N)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "UserError: architecture 'n' is defined in no file" in " ".join(said.stderr.split())


# Networks as they are found elsewhere


@dataclass(frozen=True)
class Kind:
    """Which of the things that networks do."""

    kind: str = "plain"
    width: int = 4


class Unusual(nn.Module):
    """One convolution, with something that some networks do."""

    def __init__(self, options: Kind, *, scale: int) -> None:
        super().__init__()
        self.kind = options.kind
        first: nn.Module = nn.Conv2d(3, 3 * scale**2, 3, padding=1)
        if self.kind == "numbers":
            self.rates = [rate.item() for rate in torch.linspace(0, 0.1, 4)]
        elif self.kind == "weight norm":
            first = nn.utils.weight_norm(first)
        elif self.kind == "mask":
            self.register_buffer("mask", torch.ones(1, 1, 1, dtype=torch.bool))
        elif self.kind == "stride":
            first = nn.Sequential(
                nn.Conv2d(3, 8, 2, stride=2), nn.ConvTranspose2d(8, 3 * scale**2, 2, stride=2)
            )
        elif self.kind == "no copy":
            self.rows = (row for row in range(3))
        elif self.kind == "lazy":
            first = nn.LazyConv2d(3 * scale**2, 3, padding=1)
        body = nn.Sequential(first, nn.PixelShuffle(scale))
        self.body: Any = torch.jit.script(body) if self.kind == "script" else body

    def forward(self, lr: Tensor) -> Tensor:
        if self.kind == "in place":
            lr.sub_(0.5)
        if self.kind == "stride":
            height, width = lr.shape[-2:]
            padded = nn.functional.pad(lr, (0, width % 2, 0, height % 2))
            whole: Tensor = self.body(padded)
            return whole[..., : 2 * height, : 2 * width]
        sr: Tensor = self.body(lr * self.get_buffer("mask") if self.kind == "mask" else lr)
        return sr.detach() if self.kind == "no gradient" else sr


unusual = Architecture("unusual", Kind, Unusual)


@pytest.mark.filterwarnings("ignore")  # torch advises against some
@pytest.mark.parametrize("kind", ["numbers", "weight norm", "mask", "no copy", "script", "in place"])
def test_what_networks_do_elsewhere_works_here(kind: str, tmp_path: Path) -> None:
    options = unusual(kind=kind)
    assert multiply_adds(options, scale=2) == 3 * 9 * 12 * 640 * 360
    assert "Sees: 1 LR pixels" in summary(options, scale=2)
    plot(options, tmp_path / "net.svg", scale=2, title="unusual")
    network = build_network(options, scale=2)
    save_weights(tmp_path / "a.safetensors", network, variant="a", options=options, scale=2)
    load_weights(tmp_path / "a.safetensors")


def test_where_a_stride_makes_seams_possible_a_user_is_told() -> None:
    network = build_network(unusual(kind="stride"), scale=2)
    assert receptive_radius(network) == 1
    assert Upscaler(network, variant="stride").may_show_seams
    example = load_study(str(EXAMPLES / "attention.py")).study.variants
    seams = [Upscaler(build_network(one.network, scale=2), variant="x").may_show_seams for one in example]
    assert seams == [True, False]


def test_a_declared_radius_sets_the_margin_and_hides_no_seams() -> None:
    network = build_network(unusual(kind="stride"), scale=2)
    own = user_network_in(network)
    assert own is not None
    own.radius = 9  # as if it were declared
    assert receptive_radius(network) == 9
    assert Upscaler(network, variant="stride").may_show_seams


def test_where_it_cannot_be_tried_how_far_it_sees_is_unknown() -> None:
    network = build_network(unusual(kind="no gradient"), scale=2)
    assert receptive_radius(network) == 64
    assert "at least 64" in summary(unusual(kind="no gradient"), scale=2)


@pytest.mark.filterwarnings("ignore")
def test_a_layer_without_a_shape_is_refused_before_a_study_begins() -> None:
    with pytest.raises(UserError, match="has no shape yet"):
        check_network(unusual(kind="lazy"), scale=2)


@dataclass(frozen=True)
class Doubled:
    """A value that changes each time."""

    kind: str = "plain"
    width: int = 4

    def __post_init__(self) -> None:
        object.__setattr__(self, "width", 2 * self.width)


class Stateful(nn.Conv2d):
    """Its state is more than tensors."""

    def __init__(self, options: Any, *, scale: int) -> None:  # noqa: ARG002
        super().__init__(3, 3, 1)

    def get_extra_state(self) -> int:
        return 1


def test_what_would_not_come_back_is_refused_before_a_study_begins() -> None:
    doubled = Architecture("doubled", Doubled, Unusual)
    with pytest.raises(UserError, match="made again from its values, it is Doubled"):
        check_network(doubled(), scale=2)

    @dataclass(frozen=True)
    class Options:
        pass

    stateful = Architecture("stateful", Options, Stateful)
    with pytest.raises(UserError, match=r"tensors only, but network\._extra_state is a int"):
        check_network(stateful(), scale=2)


# What is refused


class Broken(nn.Module):
    """A network that does what `how` says."""

    def __init__(self, options: Any, *, scale: int) -> None:
        super().__init__()
        if options.how == "raises":
            raise ZeroDivisionError("no")
        self.how, self.factor = options.how, scale
        self.weight = nn.Parameter(torch.ones(1))
        self.mask: Tensor | None = None

    def forward(self, lr: Tensor) -> Any:
        if self.how == "one size":
            self.mask = torch.ones_like(lr) if self.mask is None else self.mask
            return self.weight * (lr * self.mask).repeat(1, 1, 2, 2)
        if self.how == "no gradient":
            return self.weight.detach() * lr.repeat(1, 1, 2, 2)
        if self.how == "wants more":
            return lr.repeat_interleave(2, 2).repeat_interleave(2, 3)[..., :16, :16] + lr.view(-1, 3, 16, 16)
        return {"is small": lr, "no tensor": 3, "not finite": lr.repeat(1, 1, 2, 2) * float("nan")}[self.how]


@dataclass(frozen=True)
class How:
    """How it is broken."""

    how: str = "raises"


broken = Architecture("broken", How, Broken)


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("raises", "raised ZeroDivisionError: no"),
        ("is small", r"must become SR of the shape \[1, 3, 24, 26\], but its network gave \[1, 3, 12, 13\]"),
        ("no tensor", "but its network gave int"),
        ("wants more", "it must take any height and width"),
        ("not finite", "gives NaN or infinity"),
        ("one size", "it must take any height and width"),
        ("no gradient", "cannot be trained"),
    ],
)
def test_a_network_that_cannot_work_is_refused_before_a_study_begins(how: str, message: str) -> None:
    study = load_study("smoke").study
    with pytest.raises(UserError, match=message):
        replace(study, variants=(Variant(name="broken", network=broken(how=how)),))


@dataclass
class Thawed:
    """Not frozen."""


@dataclass(frozen=True)
class Odd:
    """A field that cannot be stored."""

    layers: dict[str, int]


@dataclass(frozen=True)
class Reserved:
    """A field that srlab stores itself."""

    code: int = 1


@dataclass(frozen=True)
class Hidden:
    """A field that does not come back."""

    width: int = field(default=3, init=False)


@dataclass(frozen=True)
class Equal:
    """Options that look the same whatever they are."""

    width: int = field(default=3, compare=False)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("mine", Hidden, "width could not be told from others"),
        ("mine", Equal, "width could not be told from others"),
        ("9", How, "not a valid name"),
        ("a-b", How, "not a valid name"),
        ("mine", Thawed, r"@dataclass\(frozen=True\) above Thawed"),
        ("mine", dict, "must be a dataclass"),
        ("mine", Odd, "the option layers has a type that cannot be stored"),
        ("mine", Reserved, "cannot be called 'code'"),
        ("another", How, "share the options How"),
    ],
)
def test_an_architecture_that_cannot_be_stored_is_refused(name: str, options: type, message: str) -> None:
    with pytest.raises(UserError, match=message):
        Architecture(name, options, Broken)


def test_wrong_options_are_refused() -> None:
    with pytest.raises(UserError, match="depth must be a whole number"):
        deep(depth="3")
    with pytest.raises(UserError, match="unexpected keyword argument 'dept'"):
        deep(dept=3)
    with pytest.raises(UserError, match="those of your own Architecture, not"):
        Variant(name="a", network=DeepNet)  # type: ignore[arg-type]


# Packages and examples


def test_an_installed_package_may_offer_one(monkeypatch: pytest.MonkeyPatch) -> None:
    class Point:
        name, value, dist = "deep", "package:deep", None

        def load(self) -> object:
            return deep

    def found(group: str) -> Iterator[Point]:
        assert group == "srlab.architectures"
        yield Point()

    monkeypatch.setattr(importlib.metadata, "entry_points", found)
    monkeypatch.setattr(declared_things, "_known", {})
    with pytest.raises(UserError, match="unknown architecture"):
        declared_things.find_own("Architecture", "other", "")
    assert declared_things.find_own("Architecture", "deep", deep.identity) is deep
    monkeypatch.setattr(Point, "load", lambda _: 3)
    with pytest.raises(UserError, match="is no Architecture"):
        declared_things.load_installed("Architecture")


PACKAGE = {
    "nets_for_srlab/__init__.py": "",
    "nets_for_srlab/all.py": """
from dataclasses import dataclass
import torch
from srlab import Architecture, Loss, Metric

@dataclass(frozen=True, kw_only=True)
class Options:
    width: int = 4

class Net(torch.nn.Module):
    def __init__(self, options, *, scale):
        super().__init__()
        first = torch.nn.Conv2d(3, options.width, 3, padding=1)
        last = torch.nn.Conv2d(options.width, 3 * scale**2, 3, padding=1)
        self.body = torch.nn.Sequential(first, last, torch.nn.PixelShuffle(scale))

    def forward(self, lr):
        return self.body(lr)

def error(sr, hr):
    return abs(sr - hr).mean()

net = Architecture("packed", Options, Net)
loss = Loss("packed_loss", error)
metric = Metric("packed_metric", better="lower", function=error)
""",
    "nets_for_srlab-1.2.dist-info/METADATA": "Metadata-Version: 2.1\nName: nets-for-srlab\nVersion: 1.2\n",
    "nets_for_srlab-1.2.dist-info/top_level.txt": "nets_for_srlab\n",
    "nets_for_srlab-1.2.dist-info/entry_points.txt": """
[srlab.architectures]
net = nets_for_srlab.all:net
[srlab.losses]
loss = nets_for_srlab.all:loss
[srlab.metrics]
metric = nets_for_srlab.all:metric
""",
}


def test_a_package_offers_networks_losses_and_metrics_to_all_studies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, text in PACKAGE.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    listed = json.loads(srlab_command("networks", "--json").text)["networks"]
    (row,) = [row for row in listed if row["name"] == "packed"]
    assert (row["parameters"], row["about"]) == (4 * 28 + 12 * 37, "of the package nets-for-srlab 1.2")
    assert "width = 8" in srlab_command("networks", "packed", "--set", "width=8", "--scale", "3").text
    sent = []
    for kind, name in (("Architecture", "packed"), ("Loss", "packed_loss"), ("Metric", "packed_metric")):
        (own,) = declared_things.load_installed(kind)  # type: ignore[arg-type]
        assert (own.name, own.code, own.identity) == (name, None, "nets-for-srlab 1.2")
        sent.append(pickle.dumps(own(width=8) if kind == "Architecture" else own))
    monkeypatch.setattr(declared_things, "_known", {})
    network, loss, metric = map(pickle.loads, sent)
    assert num_parameters(network, scale=2) == 8 * 28 + 12 * 73
    assert (loss.name, metric.name) == ("packed_loss", "packed_metric")


def test_the_example_of_the_page_is_a_study(tmp_path: Path) -> None:
    page = (EXAMPLES.parent / "docs" / "own-networks.md").read_text(encoding="utf-8")
    code = page.partition("```python\n")[2].partition("```")[0]
    (tmp_path / "mine.py").write_text(code, encoding="utf-8")
    study = load_study(str(tmp_path / "mine.py")).study
    assert [variant.name for variant in study.variants] == ["mine/plain", "mine/attention", "srcnn/vanilla"]
    assert "Sees: 2 LR pixels" in summary(study.variants[1].network, scale=2)


def test_code_that_lost_a_file_is_kept_again(file: Path, tmp_path: Path) -> None:
    network = find_architecture(load_study(str(file)).study.variants[0].network)
    assert network is not None
    keep_code(network, tmp_path)
    (folder,) = (tmp_path / "code").iterdir()
    (folder / "helper.py").unlink()
    (tmp_path / "code" / ".left").mkdir()  # as a kill leaves it
    keep_code(network, tmp_path)
    assert (folder / "helper.py").read_text() == HELPER
    assert list((tmp_path / "code").iterdir()) == [folder]


@pytest.mark.parametrize("name", ["espcn", "attention", "edges"])
def test_the_examples_run(name: str, tmp_path: Path) -> None:
    declared = load_study(str(EXAMPLES / f"{name}.py"))
    small: Study = replace(
        declared.study,
        protocol=replace(declared.study.protocol, num_steps=2, batch_size=2, lr_patch_size=8),
        train=(write_pictures(tmp_path / "train", 3, seed=1),),
        validate=(),
        test=(write_pictures(tmp_path / "set", 2, seed=2),),
    )
    failures = compare(
        small,
        tmp_path / "study",
        MACHINE,
        question=declared.question,
        announce=lambda _: None,
        report=lambda _: None,
    )
    assert failures == []
    assert {row.name for row in leaderboard(tmp_path / "study").standings} == {
        "bicubic",
        *(variant.name for variant in small.variants),
    }
