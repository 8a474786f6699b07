"""What computes a network: PyTorch, or another library on the CPU, to which the network is translated.

The translation is the one of `srlab.use.exports`, and it is compared with torch in the same way before it is
used.
"""

from typing import Literal, get_args

import numpy as np
import torch
from torch import nn

from srlab.errors import UserError
from srlab.networks.composed import SelfEnsemble
from srlab.use.exports import check_same, require
from srlab.use.exports.graphs import imported, onnx_bytes, open_onnx, open_openvino, program_of, translating
from srlab.use.upscale import Forward, Precision

Engine = Literal["torch", "onnxruntime", "openvino"]

_TITLES = {"torch": "PyTorch", "onnxruntime": "ONNX Runtime", "openvino": "OpenVINO"}


def check_engine(engine: str, *, device: torch.device, precision: Precision | Literal["auto"]) -> None:
    """Raise `UserError` if the engine is not known or not installed, or not for this device or precision."""
    if engine not in get_args(Engine):
        raise UserError(f"the engine must be {', '.join(get_args(Engine)[:-1])} or openvino, not {engine!r}")
    if engine == "torch":
        return
    if device.type != "cpu":
        raise UserError(f"{_TITLES[engine]} computes on the CPU here, not on {device}; use --device cpu")
    extra = "openvino" if engine == "openvino" else "export"
    require("onnx", "onnxscript", engine, what=f"--engine {engine}", extra=extra)
    if precision == "auto":
        raise UserError(f"--precision auto is for --engine torch; with {engine} name fp32 or bf16")
    if precision == "bf16" and (engine != "openvino" or not _openvino_has_bf16()):
        why = "here" if engine == "onnxruntime" else "on this processor"
        raise UserError(f"{_TITLES[engine]} does not compute in bf16 {why}; use --precision fp32")


def forward_of(
    network: nn.Module, engine: Engine, *, name: str, precision: Precision = "fp32", luma: bool = False
) -> Forward:
    """What computes SR of LR by the engine, which is not torch; on the CPU, float32 in and out.

    With `luma` it does so from Y to Y.

    Raises:
        UserError: the network cannot be translated, or its translation gives something else.
    """
    if isinstance(network, SelfEnsemble):  # eight times the same steps: once is enough
        inner = forward_of(network.network, engine, name=name, precision=precision, luma=luma)
        return lambda lr: SelfEnsemble.mean(inner, lr)
    about = {"srlab": "", "variant": name, "scale": str(network.scale), "input": "", "output": ""}
    program = program_of(network, name=name, luma=luma)
    with translating(name):
        content = onnx_bytes(program, metadata=about)
        if engine == "onnxruntime":
            run = open_onnx(content)
        else:
            run = open_openvino(content, precision="bf16" if precision == "bf16" else "f32")
    if precision == "fp32":
        check_same(network, run, name=name, luma=luma)
    return lambda lr: torch.from_numpy(run(np.ascontiguousarray(lr.numpy())))


def _openvino_has_bf16() -> bool:
    return "BF16" in imported("openvino").Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
