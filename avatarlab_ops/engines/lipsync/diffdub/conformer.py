"""Conformer blocks (Gulati et al. 2020) with relative positions, post-norm, as ESPnet builds them."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

EPSILON = 1e-12  # of these layer norms; not torch's default
KERNEL = 13


class FeedForward(nn.Module):
    """Linear, swish, linear."""

    def __init__(self, dim: int, width: int) -> None:
        super().__init__()
        self.w_1 = nn.Linear(dim, width)
        self.w_2 = nn.Linear(width, dim)

    def forward(self, x: Tensor) -> Tensor:
        """[B, T, D] to the same."""
        y: Tensor = self.w_2(F.silu(self.w_1(x)))
        return y


class Convolution(nn.Module):
    """Gate, filter each channel over time, mix the channels."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.pointwise_conv1 = nn.Conv1d(dim, 2 * dim, 1)
        self.depthwise_conv = nn.Conv1d(dim, dim, KERNEL, padding=KERNEL // 2, groups=dim)
        self.norm = nn.BatchNorm1d(dim)
        self.pointwise_conv2 = nn.Conv1d(dim, dim, 1)

    def forward(self, x: Tensor) -> Tensor:
        """[B, T, D] to the same."""
        y = F.glu(self.pointwise_conv1(x.mT), 1)
        y = F.silu(self.norm(self.depthwise_conv(y)))
        mixed: Tensor = self.pointwise_conv2(y)
        return mixed.mT


class RelativeAttention(nn.Module):
    """Attention whose weights depend on content and on distance (Dai et al. 2019)."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.linear_q = nn.Linear(dim, dim)
        self.linear_k = nn.Linear(dim, dim)
        self.linear_v = nn.Linear(dim, dim)
        self.linear_out = nn.Linear(dim, dim)
        self.linear_pos = nn.Linear(dim, dim, bias=False)
        self.pos_bias_u = nn.Parameter(torch.zeros(heads, dim // heads))
        self.pos_bias_v = nn.Parameter(torch.zeros(heads, dim // heads))

    def forward(self, x: Tensor, positions: Tensor) -> Tensor:
        """[B, T, D] and positions [1, 2T-1, D] from distance T-1 down to 1-T, to [B, T, D]."""
        q, k, v, p = (
            self._split(t)
            for t in (self.linear_q(x), self.linear_k(x), self.linear_v(x), self.linear_pos(positions))
        )
        content = (q + self.pos_bias_u[:, None]) @ k.mT  # [B, H, T, T]
        distance = shift((q + self.pos_bias_v[:, None]) @ p.mT)
        weights = F.softmax((content + distance) / math.sqrt(q.shape[-1]), -1)
        y: Tensor = self.linear_out((weights @ v).transpose(1, 2).flatten(2))
        return y

    def _split(self, x: Tensor) -> Tensor:
        """[B, T, D] to [B, H, T, D/H]."""
        return x.view(*x.shape[:2], self.heads, -1).transpose(1, 2)


def shift(scores: Tensor) -> Tensor:
    """Scores [B, H, T, 2T-1] by distance to [B, H, T, T] by place: row i, column j takes distance i - j."""
    batch, heads, steps, _ = scores.shape
    padded = F.pad(scores, (1, 0)).view(batch, heads, 2 * steps, steps)
    return padded[:, :, 1:].reshape(batch, heads, steps, 2 * steps - 1)[..., :steps]


def distances(steps: int, dim: int, like: Tensor) -> Tensor:
    """Sinusoids [1, 2*steps-1, dim] of the distances steps-1 ... 1-steps, sine and cosine interleaved."""
    distance = torch.arange(steps - 1, -steps, -1, device=like.device, dtype=torch.float32)
    rates = torch.exp(torch.arange(0, dim, 2, device=like.device) * -(math.log(10_000) / dim))
    angle = distance[:, None] * rates
    return torch.stack([angle.sin(), angle.cos()], -1).flatten(1)[None].to(like.dtype)


class ConformerBlock(nn.Module):
    """Half a feed-forward step, attention, convolution, half a feed-forward step; a norm after each."""

    def __init__(self, dim: int, heads: int, width: int) -> None:
        super().__init__()
        self.self_attn = RelativeAttention(dim, heads)
        self.feed_forward = FeedForward(dim, width)
        self.feed_forward_macaron = FeedForward(dim, width)
        self.conv_module = Convolution(dim)
        self.norm_ff_macaron = nn.LayerNorm(dim, eps=EPSILON)
        self.norm_mha = nn.LayerNorm(dim, eps=EPSILON)
        self.norm_conv = nn.LayerNorm(dim, eps=EPSILON)
        self.norm_ff = nn.LayerNorm(dim, eps=EPSILON)
        self.norm_final = nn.LayerNorm(dim, eps=EPSILON)

    def forward(self, x: Tensor, positions: Tensor) -> Tensor:
        """[B, T, D] and positions [1, 2T-1, D] to [B, T, D]."""
        x = self.norm_ff_macaron(x + 0.5 * self.feed_forward_macaron(x))
        x = self.norm_mha(x + self.self_attn(x, positions))
        x = self.norm_conv(x + self.conv_module(x))
        x = self.norm_ff(x + 0.5 * self.feed_forward(x))
        y: Tensor = self.norm_final(x)
        return y


class Conformer(nn.Module):
    """`layers` blocks; the input is scaled by sqrt(dim) first."""

    def __init__(self, layers: int, dim: int = 512, heads: int = 2, width: int = 512) -> None:
        super().__init__()
        self.encoders = nn.ModuleList(ConformerBlock(dim, heads, width) for _ in range(layers))

    def forward(self, x: Tensor) -> Tensor:
        """[B, T, D] to the same."""
        positions = distances(x.shape[1], x.shape[2], x)
        x = x * math.sqrt(x.shape[2])
        for block in self.encoders:
            x = block(x, positions)
        return x
