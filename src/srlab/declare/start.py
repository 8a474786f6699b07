"""What a variant starts from instead of random weights, as a value. Needs no torch."""

from dataclasses import dataclass

from srlab.declare.checks import as_name, as_names, check_type
from srlab.errors import UserError

WEIGHTS_SUFFIX = ".safetensors"


@dataclass(frozen=True, kw_only=True)
class Start:
    """What a variant starts from instead of random weights.

    `source` is a weights file (``.safetensors``) or another variant of the study. Of a variant, the run of
    the same seed at its chosen learning rate is taken. The parts named in `keep` (`srlab.networks.parts`;
    empty: the whole network) get the source's weights and statistics. The others get random weights. With
    `freeze` those parts stay as they are.
    """

    source: str
    keep: tuple[str, ...] = ()
    freeze: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "source", as_name(self.source))
        check_type(self.source, str, what="a start's source", expected="a variant's name or a weights file")
        check_type(self.freeze, bool, what="a start's freeze", expected="True or False")
        object.__setattr__(self, "keep", as_names(self.keep, what="keep"))
        if self.freeze and not self.keep:
            raise UserError(
                "a start that freezes the whole network leaves nothing to train; name the parts to keep"
            )

    @property
    def is_file(self) -> bool:
        """Whether the source is a weights file rather than a variant."""
        return self.source.endswith(WEIGHTS_SUFFIX)
