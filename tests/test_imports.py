"""What importing weights promises: every tensor in its place, or a refusal that says what does not fit."""

import pickle
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io  # type: ignore[import-untyped]
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from srlab.errors import UserError
from srlab.folder.checkpoints import CHECKSUM_KEY, WEIGHTS_KEY, load_weights
from srlab.networks import Network, build_network, preset, with_options
from srlab.networks.edsr import BASELINE, EDSROptions
from srlab.networks.srresnet import SRResNetOptions
from srlab.networks.values import Activation, BatchNorm
from srlab.use.imports import import_weights
from srlab.use.imports.maps import NameMap, name_maps

SHARED = Path(__file__).parents[2] / "shared"
OFFICIAL = SHARED / "weights" / "official"
PRELU = Activation("prelu", 0.25, shared=True)
SRGAN = SRResNetOptions(
    num_blocks=2,
    num_features=4,
    activation=PRELU,
    batch_norm=BatchNorm(),
    trunk_batch_norm=None,
    trunk_activation=PRELU,
    initialization="pytorch",
)
SMALL_EDSR = with_options(BASELINE, {"num_blocks": "2", "num_features": "4"})
KNOWN: dict[str, tuple[SRResNetOptions | EDSROptions, int]] = {
    "leftthomas": (SRGAN, 4),
    "goldhuang": (SRGAN, 4),
    "edsr-pytorch": (SMALL_EDSR, 3),
    "basicsr-edsr": (SMALL_EDSR, 4),
}


def random_network(options: Any, *, scale: int) -> Network:
    """A network of random weights and statistics."""
    torch.manual_seed(7)
    network = build_network(options, scale=scale)
    for tensor in network.state_dict().values():
        if tensor.is_floating_point():
            tensor.copy_(torch.rand_like(tensor) * 0.2 + 0.05)
    return network.eval()


def theirs(network: Network, names: NameMap, num_blocks: int) -> dict[str, Tensor]:
    """The network's tensors as the source of the names writes them."""
    back = {ours: their for their, ours in names.expanded(num_blocks).items()}
    found = {}
    for name, tensor in network.state_dict().items():
        module, _, leaf = name.rpartition(".")
        their = back[name] if name in back else f"{back[module]}.{leaf}"
        factor = next((f for one, f in names.times.items() if name == one or name.startswith(one + ".")), 1.0)
        found[their] = tensor / factor if tensor.is_floating_point() else tensor
    return found


def sr(network: nn.Module) -> Tensor:
    torch.manual_seed(1)
    with torch.inference_mode():
        return network(torch.rand(1, 3, 7, 5))


@pytest.mark.parametrize("source", sorted(KNOWN))
def test_a_network_is_found_from_the_names_and_shapes_of_each_known_source(
    source: str, tmp_path: Path
) -> None:
    options, scale = KNOWN[source]
    network = random_network(options, scale=scale)
    torch.save({"state_dict": theirs(network, name_maps()[source], 2)}, tmp_path / "net.pth")
    found = import_weights(tmp_path / "net.pth", tmp_path / "net.safetensors")
    assert (found.scale, found.by) == (scale, f"the names of {name_maps()[source].about}")
    loaded = load_weights(tmp_path / "net.safetensors")
    assert (loaded.options, loaded.scale) == (options, scale)
    torch.testing.assert_close(sr(loaded.network), sr(network), rtol=1e-5, atol=1e-6)


def test_every_known_source_has_a_network_whose_tensors_all_have_names() -> None:
    for names in name_maps().values():
        if names.name in KNOWN:
            options, scale = KNOWN[names.name]
            network, blocks = build_network(options, scale=scale), 2
        else:
            scale = names.scales[0]
            network, blocks = build_network(preset(names.variant, scale=scale), scale=scale), 20
        assert theirs(network, names, blocks)


def mat(path: Path, network: Network) -> Path:
    """The luma network's kernels and biases as the official file of VDSR has them."""
    weights, biases = np.empty((1, 20), dtype=object), np.empty((1, 20), dtype=object)
    for number in range(20):
        conv = network.get_submodule(f"core.layers.{number}.conv")
        assert isinstance(conv, nn.Conv2d)
        assert conv.bias is not None
        weights[0, number] = conv.weight.detach().permute(2, 3, 1, 0).numpy().astype(np.float64)
        biases[0, number] = conv.bias.detach().numpy().reshape(-1, 1)
    scipy.io.savemat(path, {"model": {"weight": weights, "bias": biases}})
    return path


def test_matlab_s_kernels_are_turned_and_a_network_for_several_scales_needs_one(tmp_path: Path) -> None:
    network = random_network(preset("vdsr/paper", scale=2), scale=2)
    path = mat(tmp_path / "vdsr.mat", network)
    with pytest.raises(UserError, match=r"fits vdsr/paper at x2 and .* choose one, such as --scale 2"):
        import_weights(path, tmp_path / "vdsr.safetensors")
    import_weights(path, tmp_path / "vdsr.safetensors", scale=3)
    loaded = load_weights(tmp_path / "vdsr.safetensors")
    assert (loaded.variant, loaded.scale) == ("vdsr/paper", 3)
    for name, tensor in network.state_dict().items():
        torch.testing.assert_close(loaded.network.state_dict()[name], tensor)


def test_a_preset_is_taken_before_a_guess_since_tensors_do_not_tell_everything(tmp_path: Path) -> None:
    """The large EDSR multiplies its residuals by 0.1, which no tensor says."""
    names = name_maps()["edsr-pytorch"]
    assert names.presets == ("edsr/baseline", "edsr/paper")
    network = build_network(BASELINE, scale=2)
    torch.save(theirs(network, names, 16), tmp_path / "edsr.pt")
    assert import_weights(tmp_path / "edsr.pt", tmp_path / "edsr.safetensors").variant == "edsr/baseline"


def test_unknown_names_are_placed_by_order_and_shape_if_the_variant_is_said(tmp_path: Path) -> None:
    network = random_network(preset("srcnn/vanilla", scale=2), scale=2)
    torch.save({f"x{n}": t for n, t in enumerate(network.state_dict().values())}, tmp_path / "a.pth")
    with pytest.raises(UserError, match=r"names srlab does not know; say which network .* --as vdsr/paper"):
        import_weights(tmp_path / "a.pth", tmp_path / "a.safetensors")
    found = import_weights(tmp_path / "a.pth", tmp_path / "a.safetensors", variant="srcnn/vanilla")
    assert any("another order of equal shapes would fit too" in remark for remark in found.remarks)
    torch.testing.assert_close(sr(load_weights(found.path).network), sr(network))


def keras(path: Path, network: Network) -> Path:
    h5py = pytest.importorskip("h5py")
    with h5py.File(path, "w") as file:
        layers = [module for module in network.modules() if isinstance(module, nn.Conv2d)]
        names = [f"conv2d_{9 - n}" for n in range(len(layers))]  # not by the alphabet
        file.attrs["layer_names"] = names
        for name, layer in zip(names, layers, strict=True):
            group = file.create_group(name)
            group.attrs["weight_names"] = ["kernel:0", "bias:0"]
            assert layer.bias is not None
            group["kernel:0"] = layer.weight.detach().permute(2, 3, 1, 0).numpy()
            group["bias:0"] = layer.bias.detach().numpy()
    return path


def test_keras_kernels_are_turned_and_keep_the_order_of_the_layers(tmp_path: Path) -> None:
    network = random_network(preset("srcnn/vanilla", scale=2), scale=2)
    path = keras(tmp_path / "srcnn.h5", network)
    import_weights(path, tmp_path / "out.safetensors", variant="srcnn/vanilla")
    torch.testing.assert_close(sr(load_weights(tmp_path / "out.safetensors").network), sr(network))
    with pytest.raises(UserError, match="it needs 40 tensors, and the file has 6"):
        import_weights(path, tmp_path / "vdsr.safetensors", variant="vdsr/paper", scale=2)


Change = Callable[[dict[str, Tensor]], Any]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda t: t.pop("block3.bn2.running_var"), "missing in the file: body.1.residual.norm2.running_var"),
        (lambda t: t.update(extra=torch.zeros(2)), "left over in the file: extra"),
        (
            lambda t: t.update({"block4.0.bias": torch.zeros(5)}),
            r"body\.2\.bias is \[5\] in the file and \[4\]",
        ),
        (lambda t: t["block4.0.bias"].fill_(float("nan")), r"block4\.0\.bias has values that are not finite"),
        (lambda t: t.update({"module.block1.0.bias": torch.zeros(4)}), r"has block1\.0\.bias twice"),
        (lambda t: t.update({"block1.0.bias": torch.ones(4, dtype=torch.complex64)}), "tensor of complex64"),
        (lambda t: t.update({"block1.0.bias": torch.ones(4, dtype=torch.int64)}), "tensor of int64"),
        (lambda t: t.update({"block1.0.bias": torch.ones(4, device="meta")}), "a tensor of no values"),
        (lambda t: t.update({"block1.0.bias": torch.ones(1).expand(10**13)}), "repeats its values"),
        (lambda t: t.update({"block1.0.bias": torch.full((4,), 1e300, dtype=torch.float64)}), "not finite"),
    ],
)
def test_what_fits_only_in_part_is_refused_and_nothing_is_written(
    change: Change, said: str, tmp_path: Path
) -> None:
    tensors = theirs(random_network(SRGAN, scale=4), name_maps()["leftthomas"], 2)
    change(tensors)
    torch.save(tensors, tmp_path / "net.pth")
    with pytest.raises(UserError, match=said):
        import_weights(tmp_path / "net.pth", tmp_path / "net.safetensors")
    assert not (tmp_path / "net.safetensors").exists()


class Harmful:
    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
        return (print, ("it ran",))


def files(folder: Path) -> Mapping[str, tuple[Path, str]]:
    folder.joinpath("code.pth").write_bytes(pickle.dumps({"w": Harmful()}))
    torch.save({"model": nn.Conv2d(1, 1, 1)}, folder / "whole.pth")
    folder.joinpath("cut.pth").write_bytes(b"PK\x03\x04nothing")
    folder.joinpath("cut.mat").write_bytes(b"MATLAB 5.0 and no more")
    folder.joinpath("cut.safetensors").write_bytes(b"\x10\0\0\0\0\0\0\0{")
    folder.joinpath("cut.h5").write_bytes(b"\x89HDF\r\n")
    torch.save([1, 2], folder / "list.pt")
    itself: dict[str, Any] = {}
    itself["model"] = itself
    torch.save(itself, folder / "itself.pth")
    return {
        "code.pth": (folder / "code.pth", "more than tensors and numbers, which could run code"),
        "whole.pth": (folder / "whole.pth", "more than tensors and numbers, which could run code"),
        "cut.pth": (folder / "cut.pth", "is damaged, or not what its name says"),
        "cut.mat": (folder / "cut.mat", "is damaged, or not what its name says"),
        "cut.safetensors": (folder / "cut.safetensors", "is damaged, or not what its name says"),
        "cut.h5": (folder / "cut.h5", "is damaged, or not what its name says"),
        "itself.pth": (folder / "itself.pth", "holds no tensors"),
        "list.pt": (folder / "list.pt", "holds no dictionary of tensors"),
        "missing.pth": (folder / "missing.pth", "does not exist"),
        "net.onnx": (Path(__file__), "is none of the files that can be read"),
    }


def test_a_file_that_could_run_code_or_is_damaged_is_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path, said in files(tmp_path).values():
        with pytest.raises(UserError, match=said):
            import_weights(path, tmp_path / "out.safetensors", variant="vdsr/paper")
    assert "it ran" not in capsys.readouterr().out
    assert not (tmp_path / "out.safetensors").exists()


def test_a_safetensors_file_has_names_and_no_order(tmp_path: Path) -> None:
    network = random_network(preset("srcnn/vanilla", scale=2), scale=2)
    tensors = network.state_dict()
    save_file(tensors, tmp_path / "names.safetensors")
    found = import_weights(
        tmp_path / "names.safetensors", tmp_path / "a.safetensors", variant="srcnn/vanilla"
    )
    torch.testing.assert_close(sr(load_weights(found.path).network), sr(network))
    save_file({f"x{n}": tensor for n, tensor in enumerate(tensors.values())}, tmp_path / "b.safetensors")
    with pytest.raises(UserError, match="does not keep the order of its tensors"):
        import_weights(tmp_path / "b.safetensors", tmp_path / "c.safetensors", variant="srcnn/vanilla")
    with pytest.raises(UserError, match="is a weights file of srlab already"):
        import_weights(found.path, tmp_path / "d.safetensors")


def test_the_file_that_is_read_is_never_written_over(tmp_path: Path) -> None:
    file = tmp_path / "names.safetensors"
    save_file(random_network(preset("srcnn/vanilla", scale=2), scale=2).state_dict(), file)
    before = file.read_bytes()
    with pytest.raises(UserError, match="is the file that is read; write to another one"):
        import_weights(file, file, variant="srcnn/vanilla")
    assert file.read_bytes() == before


def test_the_weights_say_which_file_they_come_from(tmp_path: Path) -> None:
    torch.save(theirs(random_network(SRGAN, scale=4), name_maps()["goldhuang"], 2), tmp_path / "g.pth")
    import_weights(tmp_path / "g.pth", tmp_path / "g.safetensors")
    with safe_open(tmp_path / "g.safetensors", framework="pt") as file:
        text = file.metadata()[WEIGHTS_KEY]
    assert '"imported": {"file": "g.pth", "sha256": "' in text
    assert CHECKSUM_KEY in text


@pytest.mark.skipif(not OFFICIAL.is_dir(), reason="needs ../shared/weights/official")
@pytest.mark.parametrize(
    ("file", "scale", "variant", "tensors"),
    [
        ("VDSR_Official.mat", 2, "vdsr/paper", 40),
        ("leftthomas_netG_epoch_4_100.pth", None, "srresnet/leftthomas", 79),
        ("goldhuang_netG_baseline.pth", None, "srresnet/goldhuang", 118),
    ],
)
def test_published_files_are_known(
    file: str, scale: int | None, variant: str, tensors: int, tmp_path: Path
) -> None:
    found = import_weights(OFFICIAL / file, tmp_path / "out.safetensors", scale=scale)
    assert (found.variant, found.num_tensors) == (variant, tensors)
