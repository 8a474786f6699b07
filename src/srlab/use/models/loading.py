"""The network that a path or a name means, ready to use: one, several in a row, or averaged."""

import os
from dataclasses import dataclass, replace
from pathlib import Path

from torch import nn

from srlab.errors import UserError
from srlab.folder.checkpoints import LoadedWeights, load_weights
from srlab.folder.winner import Found
from srlab.networks import build_network, preset
from srlab.networks.composed import Chain, SelfEnsemble
from srlab.use.models import find_model, included

CHAIN_SCALE = 8  # no network enlarges by 8 at once


@dataclass(frozen=True, kw_only=True, eq=False)
class LoadedNetwork:
    """A network, the name of its variant (with a plus for self-ensemble), a sentence on its origin, and the
    weights files that it was made of.
    """

    network: nn.Module
    variant: str
    source: str
    weights: tuple[Path, ...] = ()


def load_network(
    path: str | os.PathLike[str] | None, *, scale: int | None = None, self_ensemble: bool = False
) -> LoadedNetwork:
    """What `path` means, as `srlab.load` explains it.

    x8 is a chain: x2 and then x4 where there are both, else x2 three times.

    Raises:
        UserError: there are no weights of srlab's there, or not for that scale; self-ensemble of bicubic.
    """
    if str(path) == "bicubic":
        found = _bicubic(scale)
    elif scale == CHAIN_SCALE:
        found = _chain(path)
    else:
        where, weights = _load(path, scale)
        if scale not in (None, weights.scale):
            raise UserError(
                f"{where.weights} enlarges by {weights.scale}, not by {scale}; leave the scale out"
            )
        found = LoadedNetwork(
            network=weights.network, variant=weights.variant, source=where.why, weights=(where.weights,)
        )
    return averaged(found) if self_ensemble else found


def averaged(found: LoadedNetwork) -> LoadedNetwork:
    """The same network as self-ensemble, under a name of its own."""
    return replace(
        found,
        network=SelfEnsemble(found.network),
        variant=f"{found.variant}+",
        source=f"{found.source}; self-ensemble: the mean over eight orientations, which takes eight times "
        "as long",
    )


def _bicubic(scale: int | None) -> LoadedNetwork:
    if scale is None:
        raise UserError("bicubic enlarges by 2, 3 or 4: choose one, such as --scale 2 (scale=2 in Python)")
    network = build_network(preset("bicubic", scale=scale), scale=scale)
    return LoadedNetwork(network=network, variant="bicubic", source="bicubic")


def _load(path: str | os.PathLike[str] | None, scale: int | None) -> tuple[Found, LoadedWeights]:
    found = find_model(path, scale=scale)
    return found, load_weights(found.weights)


def _chain(path: str | os.PathLike[str] | None) -> LoadedNetwork:
    """The networks that give x8 one after the other."""
    if path is not None and Path(path).exists():
        where, weights = _load(path, None)
        if weights.scale != 2:
            raise UserError(
                f"{where.weights} enlarges by {weights.scale}; x{CHAIN_SCALE} applies a network for x2 "
                "three times: name a network for x2, or leave the scale out"
            )
        links = [(where, weights)] * 3
    else:
        name = None if path is None else Path(path).as_posix()
        scales = {card.scale for card in included() if name in (None, card.name)}
        if 2 not in scales and scales:
            there = " and ".join(f"x{one}" for one in sorted(scales))
            raise UserError(
                f"x{CHAIN_SCALE} needs a network for x2, and srlab includes {name or 'networks'} for "
                f"{there} only; name another network with --model, or leave the scale out"
            )
        links = [_load(path, one) for one in ((2, 4) if 4 in scales else (2, 2, 2))]
    names = list(dict.fromkeys(weights.variant for _, weights in links))
    steps = " then ".join(f"x{weights.scale}" for _, weights in links)
    origins = " and ".join(dict.fromkeys(where.why for where, _ in links))
    return LoadedNetwork(
        network=Chain([weights.network for _, weights in links]),
        variant=" then ".join(names),
        source=f"a chain, {steps}: {origins}",
        weights=tuple(dict.fromkeys(where.weights for where, _ in links)),
    )
