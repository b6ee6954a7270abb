"""The blocks that the renderer and the semantic encoder are made of. Maps are [B, C, H, W]."""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Resample = Literal["up", "down"]


class Condition(NamedTuple):
    """What a conditioned block is told: time embedding [B, E] and latent [B, S]."""

    time: Tensor
    latent: Tensor


class GroupNorm(nn.GroupNorm):
    """At most 32 groups; computed in float32 whatever the input."""

    def __init__(self, channels: int) -> None:
        super().__init__(min(32, channels), channels)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, ...] to the same."""
        weight, bias = self.weight.to(torch.promote_types(x.dtype, torch.float32)), self.bias
        y = F.group_norm(x.to(weight.dtype), self.num_groups, weight, bias.to(weight.dtype), self.eps)
        return y.to(x.dtype)


class ResBlock(nn.Module):
    """Norm, resample, convolve; with `widths`, scale by time and latent and convolve again; add to the input.

    `widths`: of the time embedding and the latent; None in the semantic encoder, which has neither.
    """

    def __init__(
        self, channels: int, out: int, widths: tuple[int, int] | None = None, resample: Resample | None = None
    ) -> None:
        super().__init__()
        self.resample = resample
        self.in_layers = nn.Sequential(GroupNorm(channels), nn.SiLU(), nn.Conv2d(channels, out, 3, padding=1))
        self.conditioned = widths is not None
        if widths is not None:
            self.emb_layers = nn.Sequential(nn.SiLU(), nn.Linear(widths[0], 2 * out))
            self.cond_emb_layers = nn.Sequential(nn.SiLU(), nn.Linear(widths[1], out))
            conv = nn.Conv2d(out, out, 3, padding=1)
            self.out_layers = nn.Sequential(GroupNorm(out), nn.SiLU(), nn.Identity(), conv)
        same = channels == out
        self.skip_connection: nn.Module = nn.Identity() if same else nn.Conv2d(channels, out, 1)

    def forward(self, x: Tensor, condition: Condition | None = None) -> Tensor:
        """[B, C, H, W] to [B, out, H', W'], sizes doubled, halved or kept."""
        norm, act, conv = self.in_layers
        h = conv(self._resized(act(norm(x))))
        if condition is not None and self.conditioned:
            h = self._told(h, condition)
        y: Tensor = self.skip_connection(self._resized(x)) + h
        return y

    def _told(self, h: Tensor, condition: Condition) -> Tensor:
        norm, act, _, conv = self.out_layers
        scale, shift = self.emb_layers(condition.time)[:, :, None, None].chunk(2, 1)
        gate = self.cond_emb_layers(condition.latent)[:, :, None, None]
        told: Tensor = conv(act((norm(h) * (1 + scale) + shift) * (1 + gate)))
        return told

    def _resized(self, x: Tensor) -> Tensor:
        if self.resample == "up":
            return F.interpolate(x, scale_factor=2, mode="nearest")
        return F.avg_pool2d(x, 2) if self.resample == "down" else x


class AttentionBlock(nn.Module):
    """Every place of the map looks at every other, one head over all channels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = GroupNorm(channels)
        self.qkv = nn.Conv1d(channels, 3 * channels, 1)
        self.proj_out = nn.Conv1d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] to the same."""
        q, k, v = self.qkv(self.norm(x.flatten(2))).mT.chunk(3, -1)  # [B, H*W, C] each
        seen: Tensor = self.proj_out(F.scaled_dot_product_attention(q, k, v).mT)
        return x + seen.view_as(x)


class Stage(nn.Sequential):
    """Layers one after the other, of which the ResBlocks are told the condition."""

    def forward(self, x: Tensor, condition: Condition | None = None) -> Tensor:
        """[B, C, H, W] to whatever the last layer gives."""
        for layer in self:
            x = layer(x, condition) if isinstance(layer, ResBlock) else layer(x)
        return x
