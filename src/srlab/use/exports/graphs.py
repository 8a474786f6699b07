"""A network as a graph that holds for every size, and what runs such a graph."""

import importlib
import io
import json
import logging
import os
import sys
import textwrap
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.export import Dim, ExportedProgram

from srlab.errors import UserError
from srlab.networks.structure import ONE_AT_A_TIME
from srlab.use.upscale import forward_in_torch
from srlab.user_code.declared import reason

OPSET = 20  # of 2023
INPUT, OUTPUT = "lr", "sr"
FREE = {0: "N", 2: "H", 3: "W"}  # axes of the input
METADATA_FILE = "srlab.json"  # within a .pt2
_TRACED = (2, 3, 16, 24)  # all different, so that no two sizes are taken for one

OPENVINO_FILE = "model.xml"  # and model.bin beside it

Array = NDArray[np.float32]
Run = Callable[[Array], Array]  # LR [N, C, H, W] -> SR [N, C, sH, sW]


class _Named(nn.Module):
    """The network under a name for its input, which is the input's name in the file."""

    def __init__(self, network: nn.Module, *, luma: bool) -> None:
        super().__init__()
        self.network = network
        self.luma = luma

    def forward(self, lr: torch.Tensor) -> torch.Tensor:
        return forward_in_torch(self.network, luma=self.luma)(lr)


def program_of(network: nn.Module, *, name: str, luma: bool = False) -> ExportedProgram:
    """The network's steps for any number of pictures of any height and width; with `luma` from Y to Y.

    Raises:
        UserError: its steps depend on the size, as those of a user's network may.
    """
    free = {axis: Dim(name, min=1) for axis, name in FREE.items()}
    try:
        with (
            ONE_AT_A_TIME,
            _quiet(),
            redirect_stderr(io.StringIO()),  # torch prints its graph there where a value decides
            torch.no_grad(),
        ):
            program = torch.export.export(
                _Named(network, luma=luma).eval(),
                (torch.zeros(_TRACED)[:, : 1 if luma else 3],),
                dynamic_shapes={INPUT: free},
            )
    except Exception as error:  # torch has many kinds for it
        raise UserError(
            f"{name} cannot be exported for pictures of any size: torch.export could not show that its steps "
            f"are the same for all ({_why(error)}); a network must not ask for a size or a value in an `if`, "
            "or fill up its picture to a multiple"
        ) from error
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)  # it names files of this computer
    return program


def _why(error: Exception) -> str:
    """What a library could not do, without the advice on itself that it ends with."""
    text = str(error).strip()
    if "data-dependent" in text:
        return "a step depends on the values in the picture"
    if text.startswith(("Constraints violated", "Guard failed")):
        return "a step depends on the height or the width of the picture"
    first = text.partition("\n")[0]
    return f"{type(error).__name__}: {textwrap.shorten(first, 200, placeholder=' ...')}"


@contextmanager
def translating(name: str) -> Iterator[None]:
    """What a library raises of a network that it does not take, as a `UserError`."""
    try:
        yield
    except (UserError, OSError, MemoryError):
        raise
    except Exception as error:  # each has kinds of its own
        raise UserError(
            f"{name} was not exported: the library cannot translate or run it for pictures of any size "
            f"({_why(error)}); a network must not ask for a size or a value in an `if`, or fill up its "
            "picture to a multiple"
        ) from error


def imported(name: str) -> Any:
    """The package, which is told to count and report no use of it where it is loaded here for the first time.

    ONNX Runtime reads a variable. OpenVINO does without the package that reports for it.
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    if name != "openvino" or name in sys.modules:
        return importlib.import_module(name)
    reporter = "openvino_telemetry"
    before = sys.modules.get(reporter)
    sys.modules[reporter] = None  # type: ignore[assignment]
    try:
        return importlib.import_module(name)
    finally:
        sys.modules.pop(reporter, None)
        if before is not None:
            sys.modules[reporter] = before


def onnx_bytes(program: ExportedProgram, *, metadata: Mapping[str, str]) -> bytes:
    """The program as the content of an ONNX file, weights included."""
    with ONE_AT_A_TIME, _quiet():
        made: Any = torch.onnx.export(
            program,
            (),
            dynamo=True,
            opset_version=OPSET,
            dynamic_shapes={INPUT: FREE},
            output_names=[OUTPUT],
            verbose=False,
        )
    model = made.model
    for node in model.graph:
        node.metadata_props.clear()  # what torch did; half of a small network's file
    model.metadata_props.update(metadata)
    model.producer_name, model.producer_version = "srlab", metadata["srlab"]
    model.doc_string = f"{metadata['variant']} x{metadata['scale']}"
    model.graph.inputs[0].doc_string = metadata["input"]
    model.graph.outputs[0].doc_string = metadata["output"]
    content: bytes = made.model_proto.SerializeToString()
    return content


def open_onnx(content: bytes) -> Run:
    """What runs the content of an ONNX file by ONNX Runtime, in float32 on the CPU."""
    onnxruntime = imported("onnxruntime")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # others may need the processor
    options.enable_cpu_mem_arena = False  # it would keep what the largest tile took
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])

    def run(lr: Array) -> Array:
        with _memory_errors():
            (sr,) = session.run([OUTPUT], {INPUT: lr})
        return sr

    return run


def open_openvino(model: Path | bytes, *, precision: str = "f32") -> Run:
    """What runs a model by OpenVINO on the CPU: the content of an ONNX file, or OpenVINO's own."""
    openvino = imported("openvino")
    core = openvino.Core()
    settings = {
        "INFERENCE_PRECISION_HINT": precision,  # by itself it takes bf16 where the processor has it
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
    }
    compiled = core.compile_model(core.read_model(model), "CPU", settings)

    def run(lr: Array) -> Array:
        with _memory_errors():
            sr: Array = compiled(lr)[0]
        return sr

    return run


def save_openvino(content: bytes, folder: Path, *, metadata: Mapping[str, str]) -> None:
    """Write the content of an ONNX file to `folder` as OpenVINO has it, in float32."""
    openvino = imported("openvino")
    model = openvino.Core().read_model(content)
    for name, value in metadata.items():
        model.set_rt_info(value, ["srlab", name])
    try:
        openvino.save_model(model, folder / OPENVINO_FILE, compress_to_fp16=False)
    except RuntimeError as error:  # a full disk, for which it has no kind of its own
        raise UserError(
            f"OpenVINO could not write its files to {folder.parent.parent} ({reason(error)}); free some "
            "space, or choose another place"
        ) from error


def pt2_bytes(program: ExportedProgram, *, metadata: Mapping[str, str]) -> bytes:
    """The program as the content of a .pt2 file."""
    file = io.BytesIO()
    with _quiet():
        torch.export.save(program, file, extra_files={METADATA_FILE: json.dumps(dict(metadata), indent=2)})
    return file.getvalue()


def open_pt2(content: bytes) -> Run:
    """What runs the content of a .pt2 file."""
    with _quiet():
        module = torch.export.load(io.BytesIO(content)).module()

    def run(lr: Array) -> Array:
        with torch.inference_mode():
            sr: Array = module(torch.from_numpy(lr)).numpy()
        return sr

    return run


@contextmanager
def _memory_errors() -> Iterator[None]:
    """What these libraries raise where memory runs out, as Python's own error: a tile can then be halved."""
    try:
        yield
    except Exception as error:  # each has kinds of its own
        if "bad_alloc" in str(error) or "allocate" in str(error):
            raise MemoryError(str(error)) from error
        raise


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what torch says of itself: packages that it could use, and what it will change."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
