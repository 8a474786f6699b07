"""What ``srlab export`` promises: a file that gives srlab's pictures without srlab, or none."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

import srlab
from own_code import srlab as command
from srlab import UserError
from srlab.folder.checkpoints import save_weights
from srlab.networks import (
    PRESETS,
    Architecture,
    EDSROptions,
    NetworkOptions,
    SRCNNOptions,
    SRResNetOptions,
    build_network,
)
from srlab.networks.composed import Chain
from srlab.networks.values import Activation
from srlab.use import exports
from srlab.use.exports import export_network
from srlab.use.exports.graphs import (
    Run,
    onnx_bytes,
    open_onnx,
    open_openvino,
    open_pt2,
    program_of,
    pt2_bytes,
    save_openvino,
)
from stored_files import save_run

pytest.importorskip("onnxscript", reason="needs onnx and onnxscript: pip install 'srlab[export]'")
needs_openvino = pytest.mark.skipif(
    find_spec("openvino") is None, reason="needs openvino: pip install 'srlab[openvino]'"
)
onnxruntime = pytest.importorskip("onnxruntime", reason="needs onnxruntime: pip install 'srlab[export]'")

PAGE = Path(__file__).parents[1] / "docs" / "export.md"
WINNER = "srcnn/pixel_shuffle_residual_leaky_relu"
ABOUT = {"srlab": "0", "variant": "tiny", "scale": "2", "input": "in", "output": "out"}
SIZES = ((1, 1, 1), (2, 5, 5), (3, 20, 11))

# Together they have every kind of layer that srlab's networks have.
TINY: dict[str, tuple[NetworkOptions, int]] = {
    "luma": (SRCNNOptions(kernel_sizes=(3, 3), num_features=(2,), color="luma"), 3),
    "rgb": (
        SRResNetOptions(
            num_blocks=1,
            num_dense_blocks=1,
            num_features=2,
            activation=Activation("prelu", 0.2),
            skip="bilinear",
        ),
        2,
    ),
}


def same(network: nn.Module, run: Callable[[NDArray[np.float32]], NDArray[np.float32]]) -> None:
    for count, height, width in SIZES:
        lr = torch.rand(count, 3, height, width)
        with torch.inference_mode():
            np.testing.assert_allclose(run(lr.numpy()), network(lr), rtol=0, atol=2e-5)


def stirred(network: nn.Module) -> nn.Module:
    """With statistics and slopes that are not those of a fresh network."""
    for tensor in network.state_dict().values():
        if tensor.is_floating_point() and tensor.dim() == 1:
            tensor.copy_(torch.rand_like(tensor) * 0.5 + 0.1)
    return network.eval()


@pytest.mark.parametrize("kind", ["luma", pytest.param("rgb", marks=pytest.mark.slow)])
def test_the_file_holds_for_every_size_whatever_the_layers(kind: str) -> None:
    options, scale = TINY[kind]
    network = stirred(build_network(options, scale=scale))
    same(network, open_pt2(pt2_bytes(program_of(network, name=kind), metadata=ABOUT)))


@pytest.mark.slow
@pytest.mark.parametrize("kind", TINY)
def test_onnx_holds_for_every_size_too(kind: str) -> None:
    options, scale = TINY[kind]
    network = stirred(build_network(options, scale=scale))
    same(network, open_onnx(onnx_bytes(program_of(network, name=kind), metadata=ABOUT)))


@pytest.fixture(scope="module")
def winner(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("exported") / "srcnn.onnx"
    said = command("export", WINNER, out, "--scale", 2)
    assert said.code == 0, said.text
    assert re.search(
        r"the worst difference from torch at 3 sizes is \d\.\de-0[678] \(0\.000\d of 255", said.text
    )
    return out


def test_the_program_on_the_page_gives_the_picture_of_upscale_without_srlab_and_torch(
    winner: Path, tmp_path: Path
) -> None:
    program = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)[0]
    (tmp_path / "srcnn.onnx").write_bytes(winner.read_bytes())
    noise = np.random.default_rng(3).integers(0, 256, (23, 31, 3)).astype(np.uint8)
    Image.fromarray(noise).save(tmp_path / "photo.png")
    without = "import sys; sys.modules.update(torch=None, srlab=None)\n"
    done = subprocess.run(
        [sys.executable, "-c", without + program], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{WINNER}\n"
    found = np.asarray(Image.open(tmp_path / "photo-large.png")).astype(int)
    wanted = np.asarray(srlab.load(WINNER, scale=2, device="cpu").upscale(noise)).astype(int)
    assert np.abs(found - wanted).max() <= 1
    assert (found != wanted).mean() < 0.01


def test_the_file_says_what_it_is_and_names_nothing_of_this_computer(winner: Path) -> None:
    session = onnxruntime.InferenceSession(winner)
    about = session.get_modelmeta()
    assert about.producer_name == "srlab"
    assert about.custom_metadata_map["scale"] == "2"
    assert about.custom_metadata_map["weights_sha256"] == srlab.use.models.best(2).sha256
    assert [session.get_inputs()[0].name, *session.get_inputs()[0].shape] == ["lr", "N", 3, "H", "W"]
    assert [session.get_outputs()[0].name, *session.get_outputs()[0].shape] == ["sr", "N", 3, "2*H", "2*W"]
    content = winner.read_bytes()
    assert b".py" not in content
    assert str(Path.home()).encode() not in content


def test_a_run_s_file_says_how_it_was_trained_and_a_pt2_says_it_too(tmp_path: Path) -> None:
    run = tmp_path / "run"
    save_run(run, variant="tiny")
    options = EDSROptions(num_blocks=1, num_features=4)
    weights = build_network(options, scale=2)
    save_weights(run / "weights.safetensors", weights, variant="tiny", options=options, scale=2)
    done = export_network(str(run), tmp_path / "net.pt2")
    about = {"srlab.json": ""}
    module = torch.export.load(str(tmp_path / "net.pt2"), extra_files=about).module()
    assert json.loads(about["srlab.json"]) == done.metadata
    assert str(Path(srlab.__file__).parent).encode() not in (tmp_path / "net.pt2").read_bytes()
    assert json.loads(done.metadata["protocol"])[0]["num_steps"] > 0
    lr = torch.rand(1, 3, 9, 6)
    wanted = srlab.load(run, device="cpu").network(lr)
    torch.testing.assert_close(module(lr), wanted, rtol=0, atol=1e-5)


@dataclass(frozen=True, kw_only=True)
class Options:
    asks: bool = False


class Mine(nn.Module):
    """Sees the whole picture; what it does to it may depend on the height."""

    def __init__(self, options: Options, *, scale: int) -> None:
        super().__init__()
        self.asks = options.asks
        self.body = nn.Sequential(nn.Conv2d(3, 3 * scale**2, 3, padding=1), nn.PixelShuffle(scale))

    def forward(self, lr: Tensor) -> Tensor:
        image = lr + lr.mean((2, 3), keepdim=True)
        sr: Tensor = self.body(image.flip(3) if self.asks and lr.shape[2] % 4 == 0 else image)
        return sr


mine = Architecture("mine", Options, Mine)


def test_a_network_of_one_s_own_is_exported_if_its_steps_do_not_depend_on_the_size() -> None:
    network = build_network(mine(), scale=2).eval()
    same(network, open_pt2(pt2_bytes(program_of(network, name="mine"), metadata=ABOUT)))
    with pytest.raises(UserError, match=r"mine cannot be exported for pictures of any size: torch.export"):
        program_of(build_network(mine(asks=True), scale=2), name="mine")


def test_a_file_that_differs_from_torch_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "net.pt2"
    out.write_bytes(b"as before")
    faults: dict[str, Callable[[NDArray[np.float32]], NDArray[np.float32]]] = {
        r"differs from torch by 9.\de-04, and at most 1e-04": lambda sr: sr + np.float32(1e-3),
        r"differs from torch by nan": lambda sr: sr * np.float32("nan"),
        r"gives \(1, 3, 25, 74\), and torch gives \(1, 3, 26, 74\)": lambda sr: sr[:, :, 1:],
    }
    for said, fault in faults.items():

        def opened(content: bytes, fault: Callable[..., NDArray[np.float32]] = fault) -> Run:
            run = open_pt2(content)
            return lambda lr: fault(run(lr))

        monkeypatch.setattr(exports, "open_pt2", opened)
        with pytest.raises(UserError, match=said):
            export_network("bicubic", out, scale=2, overwrite=True)
        assert out.read_bytes() == b"as before"
        assert list(tmp_path.iterdir()) == [out]


def test_what_torch_s_own_rounding_makes_is_no_fault() -> None:
    network = build_network(EDSROptions(num_blocks=1, num_features=4), scale=2).eval()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}

    class Large(nn.Module):
        """The values grow on the way, so that of 20,000 the last bit is worth 0.002, of a million 0.06."""

        def __init__(self, most: float = 2e4) -> None:
            super().__init__()
            self.network = network
            self.most = most

        def forward(self, lr: Tensor) -> Tensor:
            sr: Tensor = self.network(lr)
            return sr + self.most - self.most

    def exact(lr: NDArray[np.float32]) -> NDArray[np.float32]:
        with torch.inference_mode():
            return network(torch.from_numpy(lr)).numpy()

    assert exports.TOLERANCE < exports.check_same(Large(), exact, name="large") < 0.5 / 255
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, before[name])
    with pytest.raises(UserError, match=r"differs from torch"):
        exports.check_same(Large(), lambda lr: exact(lr) + np.float32(0.0021), name="large")
    with pytest.raises(UserError, match=r"differs from torch"):  # rounding too may spoil half a level at most
        exports.check_same(Large(1e6), exact, name="large")


def test_a_random_network_is_refused_for_no_file_can_be_like_it() -> None:
    class Random(nn.Module):
        def forward(self, lr: Tensor) -> Tensor:
            return lr + 0.1 * torch.randn_like(lr)

    with pytest.raises(UserError, match=r"random was not exported: torch itself makes another picture each"):
        exports.check_same(Random(), lambda lr: lr, name="random")


def test_a_file_that_fails_at_another_size_is_told_in_one_line() -> None:
    def run(_: NDArray[np.float32]) -> NDArray[np.float32]:
        raise AssertionError("Guard failed: lr.size()[2] % 8 == 0\nmore of torch's own")

    said = (
        r"mine was not exported: .* \(a step depends on the height or the width of the picture\); a network"
    )
    with pytest.raises(UserError, match=said):
        exports.check_same(build_network(mine(), scale=2).eval(), run, name="mine")


def test_a_step_that_asks_for_a_value_is_told_without_torch_s_graph(
    capsys: pytest.CaptureFixture[str],
) -> None:
    class Bright(nn.Module):
        def forward(self, lr: Tensor) -> Tensor:
            return lr.flip(3) if lr.mean() > 0.5 else lr

    with pytest.raises(UserError, match=r"\(a step depends on the values in the picture\); a network must"):
        program_of(Bright(), name="bright")
    assert capsys.readouterr() == ("", "")


def test_what_cannot_be_written_is_told_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "there.onnx").write_bytes(b"mine")
    (tmp_path / "folder.onnx").mkdir()
    (tmp_path / "there").write_bytes(b"mine")
    (tmp_path / "others").mkdir()
    (tmp_path / "others" / "mine.txt").touch()
    monkeypatch.setattr(exports, "program_of", None)
    for name, said in {
        "net.pth": r"net.pth must end in .onnx \(ONNX\) or .pt2 \(a program of torch.export\)",
        "there.onnx": r"there.onnx exists; give another name, or overwrite it \(overwrite=True, --",
        "there": r"there is a file, and OpenVINO is written to a folder; give another name",
        "others": r"others has other files, such as mine.txt; name a new folder",
        "folder.onnx": r"folder.onnx is a folder; name a file in it, such as .*net.onnx",
        "there/net.pt2": r"net.pt2 cannot be written: .*there is a file, not a folder; choose another place",
    }.items():
        with pytest.raises(UserError, match=said):
            export_network("bicubic", tmp_path / name, scale=2, overwrite=name in ("there", "others"))
    monkeypatch.setattr(exports, "find_spec", lambda name: None if name.startswith("onnx") else name)
    with pytest.raises(
        UserError,
        match=r"needs the packages onnx, onnxscript, onnxruntime; install what is missing: python -m "
        r"pip install 'srlab\[export\]'",
    ):
        export_network("bicubic", tmp_path / "new.onnx", scale=2)


def test_a_folder_that_takes_no_file_is_told_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise OSError(30, "Read-only file system", "a name that nobody gave")

    monkeypatch.setattr("tempfile.TemporaryFile", refused)
    said = r"net.pt2 cannot be written: no file can be made in .* \(Read-only file system\); choose another"
    with pytest.raises(UserError, match=said):
        exports.check_target(tmp_path / "deep" / "net.pt2", overwrite=False)
    assert not list(tmp_path.iterdir())


def test_a_package_that_does_not_load_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken_package.py").write_text("import no_such_part_of_it")
    monkeypatch.syspath_prepend(tmp_path)
    said = r"export needs the package broken_package, which is installed but does not load \(ModuleNotFound"
    with pytest.raises(UserError, match=said):
        exports.require("broken_package", what="export")


def test_no_use_is_counted_or_reported_by_the_other_libraries(tmp_path: Path) -> None:
    (tmp_path / "openvino_telemetry.py").write_text("raise SystemExit('it reports')")
    (tmp_path / "openvino.py").write_text(
        "try:\n    import openvino_telemetry\nexcept ImportError:\n    print('without', end=' ')\n"
    )
    (tmp_path / "onnxruntime.py").write_text("import os\nprint(os.environ['ORT_DISABLE_TELEMETRY'])\n")
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
    code += "from srlab.use.exports.graphs import imported\nimported('openvino'); imported('onnxruntime')\n"
    code += "assert 'openvino_telemetry' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "without 1\n"), done.stderr


def test_nothing_else_loads_what_only_export_needs() -> None:
    code = "import sys, srlab.cli, srlab.use.upscaler, srlab.use.exports\n"
    code += "sys.exit(bool({'onnx', 'onnxscript', 'onnxruntime', 'openvino'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.slow
def test_a_chain_is_one_file() -> None:
    options = SRCNNOptions(num_features=(2, 2), color="luma")
    network = Chain([build_network(options, scale=scale).eval() for scale in (2, 4)])
    same(network, open_pt2(pt2_bytes(program_of(network, name="x8"), metadata=ABOUT)))


@needs_openvino
def test_a_folder_for_openvino_is_written_whole(winner: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import openvino

    monkeypatch.setattr(exports, "onnx_bytes", lambda *_, **__: winner.read_bytes())
    monkeypatch.setattr(exports, "program_of", lambda *_, **__: None)
    out = winner.parent / "deep" / "srcnn"
    for overwrite in (False, True):
        export_network(WINNER, out, scale=2, overwrite=overwrite)
    assert sorted(path.name for path in out.iterdir()) == ["model.bin", "model.xml"]
    assert list(out.parent.iterdir()) == [out]
    model = openvino.Core().read_model(out / "model.xml")
    assert model.get_rt_info(["srlab", "variant"]).value == WINNER
    same(srlab.load(WINNER, scale=2, device="cpu").network, open_openvino(out / "model.xml"))

    monkeypatch.setattr(exports, "open_openvino", lambda _: np.zeros_like)
    before = (out / "model.bin").read_bytes()
    with pytest.raises(UserError, match=r"was not exported"):
        export_network(WINNER, out, scale=2, overwrite=True)
    assert (out / "model.bin").read_bytes() == before
    assert list(out.parent.iterdir()) == [out]


@pytest.fixture
def untranslated(monkeypatch: pytest.MonkeyPatch) -> None:
    """Folders of OpenVINO are written without a translation, so also where OpenVINO is not installed."""

    def save(_: bytes, folder: Path, *, metadata: dict[str, str]) -> None:
        (folder / "model.xml").write_text(metadata["variant"])

    monkeypatch.setattr(exports, "require", lambda *_, **__: None)
    monkeypatch.setattr(exports, "program_of", lambda *_, **__: None)
    monkeypatch.setattr(exports, "onnx_bytes", lambda *_, **__: b"")
    monkeypatch.setattr(exports, "open_openvino", lambda _: None)
    monkeypatch.setattr(exports, "check_same", lambda *_, **__: 0.0)
    monkeypatch.setattr(exports, "save_openvino", save)


@pytest.mark.usefixtures("untranslated")
def test_an_interrupted_folder_is_as_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "net"
    out.mkdir()
    (out / "model.xml").write_text("before")
    rename = Path.rename

    def interrupted(self: Path, target: Path) -> Path:
        if self.name == "new":
            raise KeyboardInterrupt
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt):
        export_network("bicubic", out, scale=2, overwrite=True)
    assert (out / "model.xml").read_text() == "before"
    assert list(tmp_path.iterdir()) == [out]


@pytest.mark.usefixtures("untranslated")
def test_a_link_to_a_folder_stays_one_and_an_empty_folder_is_taken(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    link = tmp_path / "net"
    link.symlink_to(tmp_path / "elsewhere")
    export_network("bicubic", link, scale=2)
    export_network("bicubic", link, scale=2, overwrite=True)
    assert link.is_symlink()
    assert (tmp_path / "elsewhere" / "model.xml").read_text() == "bicubic"
    with pytest.raises(UserError, match="net exists"):
        export_network("bicubic", link, scale=2)


@pytest.mark.usefixtures("untranslated")
def test_the_folder_that_one_is_in_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"\. is the folder that you are in; name a new folder, such as net"):
        export_network("bicubic", Path(), scale=2)


@needs_openvino
def test_a_full_disk_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import openvino

    class Core:
        def read_model(self, _: bytes) -> None: ...

    def full(*_: object, **__: object) -> None:
        raise RuntimeError("basic_ios::clear: iostream error")

    monkeypatch.setattr(openvino, "Core", Core)
    monkeypatch.setattr(openvino, "save_model", full)
    with pytest.raises(UserError, match=r"OpenVINO could not write its files .*; free some space, or choose"):
        save_openvino(b"", tmp_path / "beside" / "new", metadata={})


@pytest.mark.slow
@pytest.mark.parametrize("name", PRESETS)
def test_every_variant_can_be_exported(name: str, tmp_path: Path) -> None:
    scale = PRESETS[name].scales[0]
    weights = tmp_path / "net.safetensors"
    options = PRESETS[name].options
    save_weights(weights, build_network(options, scale=scale), variant=name, options=options, scale=scale)
    assert export_network(str(weights), tmp_path / "net.onnx").worst <= exports.TOLERANCE
