"""What checkpoints and weights promise: whole files, loaded strictly; nothing hostile or torn is believed."""

import io
import json
import pickle
import random
import re
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from torch import Tensor

import srlab
from srlab.errors import UserError
from srlab.folder.checkpoints import (
    load_checkpoint,
    load_weights,
    require_same_tensors,
    save_checkpoint,
    save_weights,
)
from srlab.networks import (
    BicubicOptions,
    NetworkOptions,
    RDNOptions,
    SRCNNOptions,
    SRResNetOptions,
    VDSROptions,
    build_network,
    options_to_dict,
)
from tiny_run import TINY, TINY_BATCH_NORM

OPTIONS: list[NetworkOptions] = [
    BicubicOptions(),
    SRCNNOptions(kernel_sizes=(3, 1, 3), num_features=(4, 4), color="luma"),
    VDSROptions(num_features=(4, 4)),
    TINY_BATCH_NORM,
]

ONE_LINE = re.compile(r"[^\n]{20,400}")


class Exploit:
    """Unpickled, it would write a file."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.write_text, (Path("hacked"), "by a pickle"))


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "weights.safetensors"
    save_weights(path, build_network(TINY, scale=2), variant="edsr/tiny", options=TINY, scale=2)
    return path


def describe(**changes: object) -> dict[str, Any]:
    """What a weights file of TINY says about itself, with changes; None leaves a key out."""
    values = {
        "format": 1,
        "version": srlab.__version__,
        "variant": "edsr/tiny",
        "network": options_to_dict(TINY),
        "scale": 2,
        "color": "rgb",
        **changes,
    }
    return {key: value for key, value in values.items() if value is not None}


def tensors() -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in build_network(TINY, scale=2).state_dict().items()}


def write(path: Path, values: dict[str, Tensor], description: object) -> None:
    safetensors.torch.save_file(values, path, metadata={"srlab": json.dumps(description)})


def write_raw(path: Path, header: object, data: bytes = b"") -> None:
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


# Weights


@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: type(options).__name__)
def test_weights_build_their_network_again_without_the_run(tmp_path: Path, options: NetworkOptions) -> None:
    network = build_network(options, scale=3).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    path = tmp_path / "weights.safetensors"
    save_weights(path, network, variant="a/b", options=options, scale=3)
    loaded = load_weights(path)
    assert (loaded.variant, loaded.options, loaded.scale) == ("a/b", options, 3)
    assert (loaded.color, loaded.version) == (network.color, srlab.__version__)
    assert not loaded.network.training
    lr = torch.rand(1, 3, 6, 5)
    with torch.no_grad():
        torch.testing.assert_close(loaded.network(lr), network.eval()(lr))


def test_kernels_may_be_rounded_to_float16_and_are_read_as_float32(tmp_path: Path) -> None:
    network = build_network(TINY_BATCH_NORM, scale=2)
    sizes = {}
    for as_float16 in (False, True):
        path = tmp_path / f"{as_float16}.safetensors"
        save_weights(path, network, variant="a/b", options=TINY_BATCH_NORM, scale=2, as_float16=as_float16)
        sizes[as_float16] = path.stat().st_size
    assert sizes[True] < 0.7 * sizes[False]
    found = load_weights(path).network.state_dict()
    for name, tensor in network.state_dict().items():
        expected = tensor.half().float() if tensor.ndim > 1 else tensor
        assert found[name].dtype == tensor.dtype
        assert torch.equal(found[name], expected), name


def test_loading_weights_draws_nothing(weights: Path) -> None:
    before = torch.get_rng_state()
    load_weights(weights)
    assert torch.equal(torch.get_rng_state(), before)


def test_saving_is_repeatable_to_the_byte(weights: Path) -> None:
    loaded, first = load_weights(weights), weights.read_bytes()
    save_weights(weights, loaded.network, variant="edsr/tiny", options=loaded.options, scale=2)
    assert weights.read_bytes() == first


def test_weights_that_are_not_finite_are_not_written(tmp_path: Path) -> None:
    network = build_network(TINY, scale=2)
    next(network.parameters()).data[0] = torch.nan
    with pytest.raises(ValueError, match="not finite"):
        save_weights(tmp_path / "weights.safetensors", network, variant="a", options=TINY, scale=2)
    assert list(tmp_path.iterdir()) == []


def test_no_network_passes_for_bicubic(weights: Path) -> None:
    loaded = load_weights(weights)
    save_weights(weights, loaded.network, variant="bicubic", options=loaded.options, scale=2)
    with pytest.raises(UserError, match="an EDSR under the name bicubic"):
        load_weights(weights)


def change_tensor(change: Callable[[dict[str, Tensor]], object]) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        values = tensors()
        change(values)
        write(path, values, describe())

    return make


def change_description(**changes: object) -> Callable[[Path], None]:
    return lambda path: write(path, tensors(), describe(**changes))


def change_options(**changes: object) -> Callable[[Path], None]:
    return change_description(network={**options_to_dict(TINY), **changes})


def pickled(path: Path) -> None:
    path.write_bytes(pickle.dumps({"weights": Exploit()}))


def torch_file(path: Path) -> None:
    torch.save(tensors(), path)


def sparse(path: Path) -> None:
    """A small file with a header that says it is huge."""
    path.write_bytes(struct.pack("<Q", 2**62) + b"{}")


FIRST = "head.weight"


def with_strange_dtype(path: Path) -> None:
    """One of 16 bits without a sign, which the oldest safetensors cannot write."""
    change_tensor(lambda values: values.update({FIRST: values[FIRST].to(torch.int16)}))(path)
    path.write_bytes(path.read_bytes().replace(b'"I16"', b'"U16"', 1))


BAD_WEIGHTS: dict[str, tuple[Callable[[Path], object], str]] = {
    "empty": (lambda path: path.write_bytes(b""), "not a weights file of srlab"),
    "text": (lambda path: path.write_text("not weights at all"), "not a weights file of srlab"),
    "pickle": (pickled, "it is a pickle .* never opens it"),
    "torch.save": (torch_file, "it is a pickle .* never opens it"),
    "folder": (lambda path: path.mkdir(), "is a folder"),
    "missing": (lambda _: None, "does not exist"),
    "huge header": (sparse, "not a weights file of srlab"),
    "foreign": (lambda path: safetensors.torch.save_file(tensors(), path), "does not say which network"),
    "no JSON": (
        lambda path: safetensors.torch.save_file(tensors(), path, metadata={"srlab": "{"}),
        "does not describe its network",
    ),
    "deep JSON": (
        lambda path: safetensors.torch.save_file(tensors(), path, metadata={"srlab": "[" * 100_000}),
        "does not describe its network",
    ),
    "list": (lambda path: write(path, tensors(), [1]), "does not describe its network"),
    "newer format": (change_description(format=2, version="9.0"), "has format 2, written by srlab '9.0'"),
    "no scale": (change_description(scale=None), "is for scale None"),
    "scale 5": (change_description(scale=5), "is for scale 5; srlab's networks enlarge by 2, 3 or 4"),
    "scale true": (change_description(scale=True), "is for scale True"),
    "wrong scale": (change_description(scale=3), "is for another network"),
    "color": (change_description(color="cmyk"), "is for color 'cmyk'"),
    "wrong color": (change_description(color="luma"), "says it is for luma, but .* works on rgb"),
    "no variant": (change_description(variant=None), "no variant or no version"),
    "escape in the name": (change_description(variant="\x1b[2Jtiny"), "is not a valid name of a variant"),
    "no network": (change_description(network=None), "does not know: network is not a JSON object"),
    "network is text": (change_description(network="EDSR"), "does not know: network is not a JSON object"),
    "network is a list": (change_description(network=[1]), "does not know: network is not a JSON object"),
    "architecture": (change_options(architecture="SwinIR"), "unknown architecture 'SwinIR'"),
    "unknown option": (change_options(attention=True), "has no option 'attention'"),
    "option of another kind": (change_options(num_blocks="many"), "num_blocks must be a whole number"),
    "other options": (change_options(num_features=5), "is for another network"),
    "ten thousand blocks": (change_options(num_blocks=10_000), "has more than 1000 tensors of weights"),
    "a billion features": (change_options(num_features=10**9), "must be at most 10000"),
    "10^30 features": (change_options(num_features=10**30), "must be at most 10000"),
    "missing tensor": (change_tensor(lambda values: values.pop(FIRST)), "it has no 'head.weight'"),
    "extra tensor": (change_tensor(lambda values: values.update(extra=torch.zeros(1))), "it has 'extra'"),
    "shape": (
        change_tensor(lambda values: values.update({FIRST: torch.zeros(4, 3, 3, 4)})),
        r"'head.weight' is \[4, 3, 3, 4\] float32 there and \[4, 3, 3, 3\] float32 here",
    ),
    "dtype": (
        change_tensor(lambda values: values.update({FIRST: values[FIRST].bfloat16()})),
        r"'head.weight' is \[4, 3, 3, 3\] bfloat16 there",
    ),
    "strange dtype": (
        with_strange_dtype,
        "holds tensors that no network of srlab has",
    ),
    "nan": (change_tensor(lambda values: values[FIRST].fill_(torch.nan)), "weights that are not finite"),
    "overlapping": (
        lambda path: write_raw(
            path,
            {
                name: {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}
                for name in ("head.weight", "head.bias")
            },
            bytes(8),
        ),
        "not a weights file of srlab",
    ),
    "beyond the end": (
        lambda path: write_raw(path, {"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 2**40]}}),
        "not a weights file of srlab",
    ),
    "overflowing shape": (
        lambda path: write_raw(
            path,
            {
                "__metadata__": {"srlab": json.dumps(describe())},
                "a": {"dtype": "F32", "shape": [0, 2**63, 2**63], "data_offsets": [0, 0]},
            },
        ),
        "not a weights file of srlab|no network of srlab has",
    ),
}


@pytest.mark.parametrize("how", BAD_WEIGHTS)
def test_a_file_that_is_not_exactly_weights_of_srlab_is_refused_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.chdir(tmp_path)
    make, message = BAD_WEIGHTS[how]
    path = tmp_path / "weights.safetensors"
    make(path)
    with pytest.raises(UserError, match=message) as caught:
        load_weights(path)
    assert ONE_LINE.fullmatch(str(caught.value))
    assert str(path) in str(caught.value)
    assert not Path("hacked").exists()


def test_a_weights_file_cut_off_anywhere_is_refused(weights: Path) -> None:
    whole = weights.read_bytes()
    for length in range(0, len(whole), 97):
        weights.write_bytes(whole[:length])
        with pytest.raises(UserError, match="not a weights file of srlab"):
            load_weights(weights)


def test_no_flipped_bit_of_a_weights_file_is_accepted(weights: Path) -> None:
    whole = weights.read_bytes()
    draw = random.Random(0)
    header = 8 + struct.unpack("<Q", whole[:8])[0]
    places = [draw.randrange(8 * header) for _ in range(60)]
    places += [draw.randrange(8 * header, 8 * len(whole)) for _ in range(40)]
    for name in ("sha256", "version", "edsr/tiny"):
        start = whole.index(name.encode())
        places += range(8 * start, 8 * (start + len(name)))
    for place in places:
        content = bytearray(whole)
        content[place // 8] ^= 1 << place % 8
        weights.write_bytes(content)
        with pytest.raises(UserError) as caught:
            load_weights(weights)
        assert str(weights) in str(caught.value)
        if place >= 8 * header:
            assert "is damaged: its contents do not match the checksum in its header" in str(caught.value)


def test_weights_from_before_there_was_a_checksum_are_read(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    write(path, tensors(), describe())
    assert load_weights(path).variant == "edsr/tiny"


def test_a_network_is_not_allocated_before_its_shapes_are_compared(tmp_path: Path) -> None:
    options = SRResNetOptions(num_features=10_000), RDNOptions(num_features=10_000)
    for each in options:
        path = tmp_path / "weights.safetensors"
        write(path, tensors(), describe(network=options_to_dict(each), scale=4))
        with pytest.raises(UserError):
            load_weights(path)


# Checkpoints

STATE = {"step": 3, "network": {"weight": torch.arange(4.0)}, "name": "tiny", "loss": None, "list": [1, 2.5]}


def test_a_checkpoint_gives_back_what_was_saved(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "checkpoint.pt", STATE)
    state = load_checkpoint(tmp_path / "checkpoint.pt")
    assert torch.equal(state["network"].pop("weight"), torch.arange(4.0))
    assert state == STATE | {"network": {}}


def test_a_checkpoint_keeps_how_its_tensors_lie_in_memory(tmp_path: Path) -> None:
    tensor = torch.rand(2, 3, 4, 4).to(memory_format=torch.channels_last)
    save_checkpoint(tmp_path / "checkpoint.pt", {"tensor": tensor})
    loaded = load_checkpoint(tmp_path / "checkpoint.pt")["tensor"]
    assert loaded.is_contiguous(memory_format=torch.channels_last)


def zipped(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps(Exploit()))
        archive.writestr("archive/version", "3\n")
        archive.writestr("archive/byteorder", "little")


def save_exploit(path: Path) -> None:
    torch.save({"format": 1, "step": Exploit()}, path)


def save_network(path: Path) -> None:
    torch.save(build_network(TINY, scale=2), path)


BAD_CHECKPOINTS: dict[str, Callable[[Path], object]] = {
    "empty": lambda path: path.write_bytes(b""),
    "text": lambda path: path.write_text("not a checkpoint"),
    "zeros": lambda path: path.write_bytes(bytes(10_000)),
    "pickle": pickled,
    "hostile zip": zipped,
    "hostile checkpoint": save_exploit,
    "whole network": save_network,
    "other zip": lambda path: zipfile.ZipFile(path, "w").close(),
    "plain tensor": lambda path: torch.save(torch.zeros(3), path),
    "other format": lambda path: torch.save({"format": 2}, path),
    "no format": lambda path: torch.save({"step": 2}, path),
}


@pytest.mark.parametrize("how", BAD_CHECKPOINTS)
def test_a_file_that_is_no_checkpoint_is_refused_and_runs_no_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "checkpoint.pt"
    BAD_CHECKPOINTS[how](path)
    with pytest.raises(UserError, match="delete it, and the run starts again") as caught:
        load_checkpoint(path)
    assert ONE_LINE.fullmatch(str(caught.value))
    assert not Path("hacked").exists()


def test_a_checkpoint_cut_off_anywhere_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    save_checkpoint(path, STATE)
    whole = path.read_bytes()
    for length in range(0, len(whole), 61):
        path.write_bytes(whole[:length])
        with pytest.raises(UserError, match="delete it, and the run starts again"):
            load_checkpoint(path)


def test_a_checkpoint_with_a_flipped_bit_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    save_checkpoint(path, STATE)
    content = bytearray(path.read_bytes())
    place = content.index(torch.arange(4.0).numpy().tobytes())
    content[place + 7] ^= 1
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"the checksum of .* is wrong; delete it"):
        load_checkpoint(path)


def test_a_failed_write_leaves_the_old_file_and_nothing_beside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "checkpoint.pt"
    save_checkpoint(path, STATE)
    before = path.read_bytes()

    def full(part: Path, content: Any) -> int:
        with part.open("wb") as file:
            file.write(content[:100])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space left"):
        save_checkpoint(path, {"step": 4})
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_tensors_are_compared_by_name_shape_and_dtype() -> None:
    expected = {"a": torch.zeros(2), "b": torch.zeros(3)}
    require_same_tensors({"b": torch.ones(3), "a": torch.ones(2)}, expected, what="it")
    for found, message in (
        ({"a": torch.ones(2)}, "no 'b'"),
        ({"a": torch.ones(2), "b": 3}, "no 'b'"),
        (
            {"a": torch.ones(2), "b": torch.ones(3, 1)},
            r"'b' is \[3, 1\] float32 there and \[3\] float32 here",
        ),
        ({"a": torch.ones(2).int(), "b": torch.ones(3)}, r"'a' is \[2\] int32 there"),
        (expected | {"c": torch.ones(1)}, "has 'c'"),
    ):
        with pytest.raises(UserError, match=message):
            require_same_tensors(found, expected, what="it")


def test_a_checkpoint_is_readable_by_torch_alone(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "checkpoint.pt", STATE)
    content = io.BytesIO((tmp_path / "checkpoint.pt").read_bytes())
    assert torch.load(content, weights_only=True)["step"] == 3


def test_a_damaged_file_is_not_taken_for_a_pickle(tmp_path: Path) -> None:
    """Its first byte is that of the header's length, which may be a pickle's 0x80."""
    path = tmp_path / "weights.safetensors"
    path.write_bytes(struct.pack("<Q", 0x480) + b'{"a":')
    with pytest.raises(UserError, match="not a safetensors file, or damaged"):
        load_weights(path)
