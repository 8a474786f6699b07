"""Weights that other programs made, as weights files of srlab.

Which network they are for is found from their names and shapes, or said by the user. Every tensor must have
its place, and every place its tensor: nothing is taken by halves.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from srlab.errors import UserError
from srlab.files import sha256_of
from srlab.folder.checkpoints import is_weights_file, save_weights
from srlab.networks import (
    NETWORKS,
    Network,
    NetworkOptions,
    architecture,
    build_network,
    find_preset,
    meta_network,
    with_options,
)
from srlab.use.imports.maps import NameMap, name_maps
from srlab.use.imports.reading import COUNTER, Tensors, read_tensors

_MOST_NAMED = 3


@dataclass(frozen=True, kw_only=True, eq=False)
class Imported:
    """What came of an import: the weights file, its network, and how the names were found."""

    path: Path
    variant: str
    network: Network
    scale: int
    num_tensors: int
    by: str  # in words, what told the tensors' places
    remarks: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class _Fit:
    """A network and the file's tensors under its names."""

    variant: str
    options: NetworkOptions
    scale: int
    tensors: Tensors
    by: str
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class _Misfit:
    """Why a network is not the file's; `places` counts the tensors that had a place."""

    name: str
    places: int
    why: str


def import_weights(
    path: Path,
    out: Path,
    *,
    variant: str | None = None,
    scale: int | None = None,
    at_any_scale: bool = False,
) -> Imported:
    """Write the weights in `path`, made by another program, to `out` as srlab stores them.

    Args:
        path: .pth, .pt or .ckpt (a state_dict), .safetensors, .mat, or .h5 (Keras).
        out: the weights file to write, ending in .safetensors.
        variant: of `srlab networks`; None finds it from the tensors' names and shapes.
        scale: 2, 3 or 4; None where only one fits.
        at_any_scale: of several scales that fit, the smallest will do.

    Raises:
        UserError: the file cannot be read, no network or more than one has exactly these tensors, or `out`
            does not end in .safetensors, or is the file itself.
    """
    if out.suffix != ".safetensors":
        raise UserError(f"{out}: a weights file ends in .safetensors")
    if out.exists() and path.exists() and out.samefile(path):
        raise UserError(
            f"{out} is the file that is read; write to another one, such as --out srlab-{out.name}"
        )
    tensors = read_tensors(path)
    if is_weights_file(path):
        raise UserError(f"{path} is a weights file of srlab already; use it as it is")
    fit = _find(path, tensors, variant=variant, scale=scale, at_any_scale=at_any_scale)
    network = build_network(fit.options, scale=fit.scale)
    network.load_state_dict(fit.tensors, strict=True)
    source = {"file": path.name, "sha256": sha256_of(path), "names": fit.by}
    save_weights(out, network, variant=fit.variant, options=fit.options, scale=fit.scale, imported=source)
    return Imported(
        path=out,
        variant=fit.variant,
        network=network.eval(),
        scale=fit.scale,
        num_tensors=len(tensors),
        by=fit.by,
        remarks=fit.remarks,
    )


def _find(
    path: Path, tensors: Tensors, *, variant: str | None, scale: int | None, at_any_scale: bool
) -> _Fit:
    found = list(_tried(tensors, variant=variant, scale=scale, in_order=path.suffix != ".safetensors"))
    fits = [one for one in found if isinstance(one, _Fit)]
    if at_any_scale and len({fit.variant for fit in fits}) == 1:
        return min(fits, key=lambda fit: fit.scale)
    if len({(fit.variant, fit.scale) for fit in fits}) > 1:
        named = " and ".join(f"{fit.variant} at x{fit.scale}" for fit in fits)
        scales = {fit.scale for fit in fits}
        remedy = f"--scale {min(scales)}" if len(scales) > 1 else f"--as {fits[0].variant}"
        raise UserError(f"{path} fits {named}; choose one, such as {remedy}")
    if fits:
        return fits[0]
    misfits = [one for one in found if isinstance(one, _Misfit)]
    if not misfits:
        raise UserError(
            f"{path} has {len(tensors)} tensors, such as {next(iter(tensors))}, whose names srlab does not "
            "know; say which network they are for, such as --as vdsr/paper"
        )
    nearest = max(misfits, key=lambda one: one.places)
    raise UserError(f"{path} does not fit {nearest.name}: {nearest.why}")


def _tried(
    tensors: Tensors, *, variant: str | None, scale: int | None, in_order: bool
) -> Iterator[_Fit | _Misfit]:
    """Every way to give the tensors their places that was asked for; `in_order` if the file keeps one."""
    fitted = False
    for names in name_maps().values():
        if variant is not None and _architecture_of(names) != architecture(find_preset(variant).options):
            continue
        for one in _by_map(names, tensors, variant=variant, scale=scale):
            fitted = fitted or isinstance(one, _Fit)
            yield one
    if variant is not None and not fitted:
        yield from _by_order(tensors, variant=variant, scale=scale, in_order=in_order)


def _architecture_of(names: NameMap) -> str:
    return names.architecture or architecture(find_preset(names.variant).options)


def _by_map(
    names: NameMap, tensors: Tensors, *, variant: str | None, scale: int | None
) -> Iterator[_Fit | _Misfit]:
    num_blocks = names.num_blocks(tensors)
    pairs = names.expanded(num_blocks)
    renamed: Tensors = {}
    odd = []
    for name, tensor in tensors.items():
        if any(name == one or name.startswith(f"{one}.") for one in names.ignored):
            continue
        ours = _ours(name, pairs)
        if ours is None or ours in renamed:
            odd.append(name)
        else:
            renamed[ours] = _as_ours(tensor, names.layout)
    if not renamed or (variant is None and len(odd) > len(renamed)):
        return
    title = f"the names of {names.about}"
    for at in names.scales if scale is None else (scale,):
        for name in (variant,) if variant else (*names.presets, names.variant):
            try:
                options = _options(names, tensors, name, num_blocks=num_blocks, scale=at)
                expected = meta_network(options, scale=at).state_dict()
            except UserError as error:
                yield _Misfit(name=title, places=0, why=str(error))
                continue
            found = {ours: tensor * _factor(ours, names.times) for ours, tensor in renamed.items()}
            if why := _difference(found, expected, left=odd):
                yield _Misfit(name=f"{name} at x{at} by {title}", places=len(renamed), why=why)
                continue
            yield _Fit(
                variant=name,
                options=options,
                scale=at,
                tensors=_completed(found, expected),
                by=title,
                remarks=names.remarks,
            )
            break


def _options(
    names: NameMap, tensors: Tensors, variant: str, *, num_blocks: int, scale: int
) -> NetworkOptions:
    """Those of the preset of that name, else those that the map says and the tensors tell."""
    if variant != names.variant or not names.architecture:
        known = find_preset(variant)
        if scale not in known.scales:
            raise UserError(f"{known.name} does not exist at x{scale}")
        return known.options
    (kind,) = (kind for kind, network in NETWORKS.items() if network.__name__ == names.architecture)
    changes: dict[str, Any] = dict(names.options)
    if names.blocks:
        changes["num_blocks"] = num_blocks
    for option, tensor in names.widths.items():
        if tensor in tensors:
            changes[option] = tensors[tensor].shape[0]
    return with_options(kind(), changes)


def _by_order(
    tensors: Tensors, *, variant: str, scale: int | None, in_order: bool
) -> Iterator[_Fit | _Misfit]:
    """The tensors by our own names, or each for the one of its shape in the same place of the network."""
    known = find_preset(variant)
    for at in known.scales if scale is None else (scale,):
        if at not in known.scales:
            yield _Misfit(name=variant, places=0, why=f"it does not exist at x{at}")
            continue
        expected = meta_network(known.options, scale=at).state_dict()
        places = [name for name in expected if not name.endswith(COUNTER)]
        title = f"{variant} at x{at}"
        if tensors.keys() == set(places):
            why = _difference(tensors, expected, left=[])
            if why:
                yield _Misfit(name=title, places=len(places), why=why)
            else:
                whole = _completed(tensors, expected)
                by = "srlab's own names"
                yield _Fit(variant=variant, options=known.options, scale=at, tensors=whole, by=by)
            continue
        if not in_order:
            why = "its names are not known, and a .safetensors file does not keep the order of its tensors"
            yield _Misfit(name=title, places=0, why=f"{why}; save them with torch.save as a .pth file")
            continue
        if len(places) != len(tensors):
            why = f"it needs {len(places)} tensors, and the file has {len(tensors)}"
            yield _Misfit(name=title, places=0, why=why)
            continue
        found = dict(zip(places, tensors.values(), strict=True))
        why = _difference(found, expected, left=[])
        if why:
            yield _Misfit(name=title, places=1, why=f"with the tensors in their order, {why}")
        else:
            yield _Fit(
                variant=variant,
                options=known.options,
                scale=at,
                tensors=_completed(found, expected),
                by="the order and the shapes of the tensors",
                remarks=(
                    "srlab does not know this file's names: check the result with `srlab evaluate`, since "
                    "another order of equal shapes would fit too",
                ),
            )


def _ours(name: str, pairs: Mapping[str, str]) -> str | None:
    """Our name of a tensor: its own pair, or that of the module that it belongs to."""
    if name in pairs:
        return pairs[name]
    module, _, leaf = name.rpartition(".")
    return f"{pairs[module]}.{leaf}" if module in pairs else None


def _as_ours(tensor: Tensor, layout: str) -> Tensor:
    if layout == "hwio":
        # MATLAB drops a last dimension of one: [h, w, in] is a kernel with one output.
        if tensor.ndim == 3:
            tensor = tensor[..., None]
        tensor = tensor.permute(3, 2, 0, 1) if tensor.ndim == 4 else tensor.reshape(-1)
    return tensor.contiguous()


def _factor(name: str, times: Mapping[str, float]) -> float:
    return math.prod(factor for one, factor in times.items() if name == one or name.startswith(f"{one}."))


def _difference(found: Mapping[str, Tensor], expected: Mapping[str, Tensor], *, left: list[str]) -> str:
    """What keeps the tensors from being the network's, in words; "" where nothing does."""
    missing = [name for name in expected if name not in found and not name.endswith(COUNTER)]
    unknown = [*left, *(name for name in found if name not in expected)]
    other = [
        f"{name} is {list(found[name].shape)} in the file and {list(tensor.shape)} in the network"
        for name, tensor in expected.items()
        if name in found and found[name].shape != tensor.shape
    ]
    said = [
        f"{what}: {', '.join(names[:_MOST_NAMED])}"
        + (f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else "")
        for what, names in (
            ("missing in the file", missing),
            ("left over in the file", unknown),
            ("of another shape", other),
        )
        if names
    ]
    return "; ".join(said)


def _completed(found: Tensors, expected: Mapping[str, Tensor]) -> Tensors:
    """With the counters of batch normalization, which only training uses."""
    counters = {name: torch.zeros((), dtype=torch.int64) for name in expected if name.endswith(COUNTER)}
    return {**found, **counters}
