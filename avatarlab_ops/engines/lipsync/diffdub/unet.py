"""The renderer: a U-Net that predicts the noise in a frame, told the time, a latent and a reference frame.

Keys are those of `ema_model.` in the released `stage1_state_dict.ckpt`.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from avatarlab_ops.engines.lipsync.diffdub.blocks import AttentionBlock, Condition, GroupNorm, ResBlock, Stage
from avatarlab_ops.engines.lipsync.diffdub.config import Config
from avatarlab_ops.engines.lipsync.diffdub.encoder import SemanticEncoder


class TimeEmbedding(nn.Module):
    """Sinusoids of the timestep through two linear layers."""

    def __init__(self, sinusoids: int, width: int) -> None:
        super().__init__()
        self.pairs = sinusoids // 2
        self.time_embed = nn.Sequential(nn.Linear(sinusoids, width), nn.SiLU(), nn.Linear(width, width))

    def forward(self, t: Tensor) -> Tensor:
        """Timesteps int64 [B], 0..999, to [B, width]."""
        index = torch.arange(self.pairs, device=t.device, dtype=torch.float32)
        angle = t[:, None] * torch.exp(index * (-math.log(10_000) / self.pairs))
        waves = torch.cat([angle.cos(), angle.sin()], -1)
        embedding: Tensor = self.time_embed(waves.to(next(self.parameters()).dtype))
        return embedding


class Renderer(nn.Module):
    """The U-Net and, as in the checkpoint, the semantic encoder beside it."""

    def __init__(self, config: Config | None = None) -> None:
        super().__init__()
        config = config or Config()
        self.config = config
        self.time_embed = TimeEmbedding(config.channels, config.latent)
        self.input_blocks, skips = _descend(config)
        width = skips[-1]
        told = (config.latent, config.latent)
        self.middle_block = Stage(
            ResBlock(width, width, told), AttentionBlock(width), ResBlock(width, width, told)
        )
        self.output_blocks = _ascend(config, skips)
        self.out = nn.Sequential(
            GroupNorm(config.channels), nn.SiLU(), nn.Conv2d(config.channels, 3, 3, padding=1)
        )
        self.encoder = SemanticEncoder(config)

    def forward(self, x: Tensor, t: Tensor, latent: Tensor) -> Tensor:
        """Noisy and reference frame [B, 6, H, W], timesteps int64 [B], latents [B, L] to noise [B, 3, H, W].

        RGB in -1..1. H and W: multiples of 2 ** (levels - 1); the network was trained at 256.
        """
        condition = Condition(self.time_embed(t), latent)
        skips = []
        for stage in self.input_blocks:
            x = stage(x, condition)
            skips.append(x)
        x = self.middle_block(x, condition)
        for stage in self.output_blocks:
            x = stage(torch.cat([x, skips.pop()], 1), condition)
        noise: Tensor = self.out(x)
        return noise


def _descend(config: Config) -> tuple[nn.ModuleList, list[int]]:
    """The way down, and the width of every map that it leaves for the way up."""
    told = (config.latent, config.latent)
    width = config.channels
    stages, skips = [Stage(nn.Conv2d(6, width, 3, padding=1))], [width]
    for level, multiplier in enumerate(config.multipliers):
        if level:
            stages.append(Stage(ResBlock(width, width, told, "down")))
            skips.append(width)
        for _ in range(config.blocks):
            out = config.channels * multiplier
            attention = [AttentionBlock(out)] if config.attends(level) else []
            stages.append(Stage(ResBlock(width, out, told), *attention))
            skips.append(out)
            width = out
    return nn.ModuleList(stages), skips


def _ascend(config: Config, skips: list[int]) -> nn.ModuleList:
    """The way up: each stage takes one map left on the way down, the last of a level doubles the size."""
    told = (config.latent, config.latent)
    width, left = skips[-1], list(skips)
    stages = []
    for level, multiplier in reversed(list(enumerate(config.multipliers))):
        out = config.channels * multiplier
        for block in range(config.blocks + 1):
            layers: list[nn.Module] = [ResBlock(width + left.pop(), out, told)]
            if config.attends(level):
                layers.append(AttentionBlock(out))
            if level and block == config.blocks:
                layers.append(ResBlock(out, out, told, "up"))
            stages.append(Stage(*layers))
            width = out
    return nn.ModuleList(stages)
