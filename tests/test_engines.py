"""What ``--engine`` promises: the pictures and scores of torch, computed by another library."""

import re
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import nn

import srlab
from own_code import srlab as command
from srlab import UserError
from srlab.folder.checkpoints import save_weights
from srlab.networks import SRCNNOptions, build_network
from srlab.use import engines, exports
from srlab.use.engines import forward_of
from srlab.use.exports.graphs import onnx_bytes, program_of
from srlab.use.models import best
from srlab.use.upscale import forward_in_torch, upscale_tensor

pytest.importorskip("onnxscript", reason="needs onnx and onnxscript: pip install 'srlab[export]'")
OTHERS = [
    pytest.param(
        name,
        marks=pytest.mark.skipif(
            find_spec(name) is None, reason=f"needs {name}: pip install 'srlab[{extra}]'"
        ),
    )
    for name, extra in (("onnxruntime", "export"), ("openvino", "openvino"))
]
every_other = pytest.mark.parametrize("engine", OTHERS)


@pytest.fixture(scope="module", autouse=True)
def translated() -> Iterator[None]:
    """Each network is translated once for all tests of this file."""
    kept: dict[tuple[object, ...], bytes] = {}
    with pytest.MonkeyPatch.context() as patch:

        def once(program: tuple[nn.Module, str, bool], *, metadata: dict[str, str]) -> bytes:
            network, name, luma = program
            key = (luma, round(sum(float(weight.detach().abs().sum()) for weight in network.parameters()), 2))
            if key not in kept:
                kept[key] = onnx_bytes(program_of(network, name=name, luma=luma), metadata=metadata)
            return kept[key]

        patch.setattr(engines, "program_of", lambda network, *, name, luma: (network, name, luma))
        patch.setattr(engines, "onnx_bytes", once)
        yield


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    noise = np.random.default_rng(5).integers(0, 256, (61, 83, 3)).astype(np.uint8)
    (tmp_path / "set").mkdir()
    Image.fromarray(noise).save(tmp_path / "set" / "photo.png")
    return tmp_path / "set" / "photo.png"


def pixels(path: Path) -> NDArray[np.int64]:
    with Image.open(path) as image:
        return np.asarray(image).astype(np.int64)


@every_other
def test_a_picture_in_tiles_is_that_of_torch_but_for_single_levels(
    engine: str, photo: Path, tmp_path: Path
) -> None:
    options = ("--scale", 2, "--tile", 32, "--device", "auto", "--self-ensemble")
    said = command("upscale", photo, tmp_path / "other.png", *options, "--engine", engine)
    assert said.code == 0, said.text
    assert f"the network is translated for {engine} first" in said.text
    assert "in 6 tiles" in said.text
    assert command("upscale", photo, tmp_path / "torch.png", *options).code == 0
    difference = np.abs(pixels(tmp_path / "other.png") - pixels(tmp_path / "torch.png"))
    assert difference.max() <= 1
    assert (difference > 0).mean() < 0.01


@every_other
@pytest.mark.parametrize("protocol", ["rgb", pytest.param("luma", marks=pytest.mark.slow)])
def test_scores_are_those_of_torch(engine: str, protocol: str, photo: Path, tmp_path: Path) -> None:
    model: Path | str = best(2).name
    if protocol == "luma":
        options = SRCNNOptions(kernel_sizes=(3, 3), num_features=(2,), color="luma")
        torch.manual_seed(0)
        model = tmp_path / "luma.safetensors"
        network = build_network(options, scale=2)
        save_weights(model, network, variant="luma", options=options, scale=2)
    words = ("evaluate", model, "--data", photo.parent, "--scale", 2, "--protocol", protocol)
    said = [command(*words, *more).text for more in ((), ("--engine", engine))]
    scores = [float(re.findall(r"psnr_y / ssim_y: (\S+) /", text)[0]) for text in said]
    assert abs(scores[0] - scores[1]) <= 0.01
    assert [f"computed by {engine}" in text for text in said] == [False, True]


@every_other
def test_the_other_library_computes_and_torch_does_not(engine: str) -> None:
    upscaler = srlab.load(best(2).name, scale=2, engine=engine)  # type: ignore[arg-type]
    seen: list[tuple[int, ...]] = []
    upscaler.network.register_forward_pre_hook(lambda _, inputs: seen.append(tuple(inputs[0].shape[2:])))
    assert upscaler.upscale(np.zeros((19, 17, 3), np.uint8)).shape == (38, 34, 3)
    assert (19, 17) not in seen  # what is counted for a tile is counted on less


def test_a_translation_that_differs_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("onnxruntime", reason="needs onnxruntime: pip install 'srlab[export]'")
    network = srlab.load(best(2).name, scale=2, device="cpu").network
    monkeypatch.setattr(exports, "forward_in_torch", lambda *_, **__: lambda lr: 2 * network(lr))
    with pytest.raises(UserError, match=r"the file differs from torch"):
        forward_of(network, "onnxruntime", name=best(2).name)


def test_tiles_of_another_engine_go_whole_and_not_in_strips() -> None:
    network = srlab.load(best(2).name, scale=2, device="cpu").network
    seen = []

    def forward(lr: torch.Tensor) -> torch.Tensor:
        seen.append(tuple(lr.shape[2:]))
        return forward_in_torch(network, luma=False)(lr)

    lr = torch.rand(1, 3, 50, 70)
    sr = upscale_tensor(network, lr, tile=35, in_strips=True, forward=forward)
    assert len(seen) == 4
    torch.testing.assert_close(sr, upscale_tensor(network, lr), rtol=0, atol=1e-5)


def test_where_memory_runs_out_tiles_are_halved(monkeypatch: pytest.MonkeyPatch) -> None:
    onnxruntime = pytest.importorskip("onnxruntime", reason="needs onnxruntime: pip install 'srlab[export]'")
    session = onnxruntime.InferenceSession

    class Small:
        """A session on a machine where 70 x 70 pixels fit and no more; it says so as the library does."""

        def __init__(self, *arguments: Any, **options: Any) -> None:
            self.inner = session(*arguments, **options)

        def run(self, names: list[str], values: dict[str, NDArray[np.float32]]) -> Any:
            if values["lr"].size > 3 * 70 * 70:
                raise onnxruntime.capi.onnxruntime_pybind11_state.RuntimeException("... : std::bad_alloc")
            return self.inner.run(names, values)

    upscaler = srlab.load(best(2).name, scale=2, engine="onnxruntime", tile=100)
    monkeypatch.setattr(onnxruntime, "InferenceSession", Small)
    monkeypatch.setattr(engines, "check_same", lambda *_, **__: 0.0)
    small = srlab.load(best(2).name, scale=2, engine="onnxruntime", tile=100)
    photo = np.random.default_rng(2).random((90, 100, 3), dtype=np.float32)
    assert np.abs(small.upscale(photo) - upscaler.upscale(photo)).max() < 1e-5


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ("--engine", "onnxruntime", "--precision", "bf16"),
            "ONNX Runtime does not compute in bf16 here; use",
        ),
        (("--engine", "onnxruntime", "--device", "meta"), "the device 'meta' stores no values"),
        (("--engine", "tensorrt"), "'tensorrt' is not one of"),
    ],
)
def test_what_cannot_be_is_told_in_one_line(words: tuple[str, ...], said: str, photo: Path) -> None:
    pytest.importorskip("onnxruntime", reason="needs onnxruntime: pip install 'srlab[export]'")
    found = command("upscale", photo, *words)
    assert found.code == 2
    assert said in found.text


def test_a_missing_package_is_named_with_what_installs_it(
    photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, "find_spec", lambda name: None if name == "openvino" else name)
    found = command("upscale", photo, "--engine", "openvino")
    assert (found.code, "pip install 'srlab[openvino]'" in found.text) == (2, True)


def test_what_has_no_network_has_no_engine(photo: Path) -> None:
    pytest.importorskip("onnxruntime", reason="needs onnxruntime: pip install 'srlab[export]'")
    words = ("--data", photo.parent, "--scale", 2, "--engine", "onnxruntime")
    found = command("evaluate", "bicubic", *words)
    assert (found.code, "bicubic has no network to be translated" in found.text) == (2, True)
