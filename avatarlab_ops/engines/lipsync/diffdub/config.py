"""Sizes of stage 1; the released checkpoint has the defaults."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from torch import Tensor

State = Mapping[str, Tensor]
ATTENTION_PX = 16  # every network of this family attends at maps of this size


@dataclass(frozen=True)
class Config:
    """Channels of level l are `channels * multipliers[l]`; each level halves the size of the one before."""

    channels: int = 128
    multipliers: tuple[int, ...] = (1, 1, 2, 2, 4, 4)
    encoder_multipliers: tuple[int, ...] = (1, 1, 2, 2, 4, 4, 4)
    latent: int = 512  # also the width of the time embedding
    image: int = 256  # px
    attention: int = ATTENTION_PX  # px: the level of this size has attention
    blocks: int = 2  # ResBlocks a level

    @classmethod
    def from_state(cls, state: State) -> Config:
        """Sizes of the network that a state dict was saved from, read off its keys and shapes.

        The image's size follows from the level that has attention. Raises KeyError or StopIteration when the
        state is of another kind of network.
        """
        channels = state["input_blocks.0.0.weight"].shape[0]
        per_level = next(i for i in _indices(state, "output_blocks.{}.") if _doubles(state, i)) + 1
        attends = next(
            i for i in _indices(state, "input_blocks.{}.") if f"input_blocks.{i}.1.qkv.weight" in state
        )
        return cls(
            channels=channels,
            multipliers=_multipliers(state, "input_blocks", per_level, channels),
            encoder_multipliers=_multipliers(state, "encoder.input_blocks", per_level, channels),
            latent=state["time_embed.time_embed.2.weight"].shape[0],
            image=ATTENTION_PX << (attends - 1) // per_level,
            blocks=per_level - 1,
        )

    def attends(self, level: int) -> bool:
        """Whether the maps of this level get attention."""
        return self.image >> level == self.attention


def _indices(state: State, pattern: str) -> Iterator[int]:
    """0, 1, ... while some key begins so."""
    index = 0
    while any(key.startswith(pattern.format(index)) for key in state):
        yield index
        index += 1


def _doubles(state: State, stage: int) -> bool:
    """Whether a stage of the way up ends in a second ResBlock: the last of its level."""
    return any(f"output_blocks.{stage}.{layer}.in_layers.2.weight" in state for layer in (1, 2))


def _multipliers(state: State, name: str, per_level: int, channels: int) -> tuple[int, ...]:
    """Of every level: its first ResBlock tells; before it lie the first convolution or the halving block."""
    firsts = range(1, len(list(_indices(state, f"{name}.{{}}."))), per_level)
    return tuple(state[f"{name}.{first}.0.in_layers.2.weight"].shape[0] // channels for first in firsts)
