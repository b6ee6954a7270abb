"""The semantic encoder: a lip crop to the latent that describes it."""

from __future__ import annotations

from torch import Tensor, nn

from avatarlab_ops.engines.lipsync.diffdub.blocks import AttentionBlock, GroupNorm, ResBlock, Stage
from avatarlab_ops.engines.lipsync.diffdub.config import Config


class SemanticEncoder(nn.Module):
    """Halves the crop level by level, then averages over what is left."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        width = config.channels
        stages: list[nn.Module] = [Stage(nn.Conv2d(3, width, 3, padding=1))]
        last = len(config.encoder_multipliers) - 1
        for level, multiplier in enumerate(config.encoder_multipliers):
            for _ in range(config.blocks):
                out = config.channels * multiplier
                attention = [AttentionBlock(out)] if config.attends(level) else []
                stages.append(Stage(ResBlock(width, out), *attention))
                width = out
            if level < last:
                stages.append(Stage(ResBlock(width, width, resample="down")))
        self.input_blocks = nn.Sequential(*stages)
        self.middle_block = Stage(ResBlock(width, width), AttentionBlock(width), ResBlock(width, width))
        pool, conv = nn.AdaptiveAvgPool2d(1), nn.Conv2d(width, config.latent, 1)
        self.out = nn.Sequential(GroupNorm(width), nn.SiLU(), pool, conv, nn.Flatten())

    def forward(self, crop: Tensor) -> Tensor:
        """Lip crop RGB [B, 3, H, W] in -1..1 to latents [B, latent]."""
        latents: Tensor = self.out(self.middle_block(self.input_blocks(crop)))
        return latents
