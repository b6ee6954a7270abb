"""Sizes of stage 1; the released checkpoint has the defaults."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Config:
    """Channels of level l are `channels * multipliers[l]`; each level halves the size of the one before."""

    channels: int = 128
    multipliers: tuple[int, ...] = (1, 1, 2, 2, 4, 4)
    encoder_multipliers: tuple[int, ...] = (1, 1, 2, 2, 4, 4, 4)
    latent: int = 512  # also the width of the time embedding
    image: int = 256  # px
    attention: int = 16  # px: the level of this size has attention
    blocks: int = 2  # ResBlocks a level

    def attends(self, level: int) -> bool:
        """Whether the maps of this level get attention."""
        return self.image >> level == self.attention
