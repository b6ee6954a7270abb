"""Gated linear attention (Yang et al. 2023): attention whose memory is one matrix per head that fades.

    S_t = diag(exp(g_t)) S_{t-1} + k_t v_t^T        g_t = log sigmoid(...) / 16, one fading per key channel
    o_t = (q_t / sqrt(dk))^T S_t

The memory has a fixed size, so that a step costs the same after ten seconds of speech as after one.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from avatarlab_ops.engines.speech.small_e.layers import SwiGLU

FADE = 16.0  # divides the log gates: memories start long
RANK = 16  # of the projection to the gates
TAPS = 4  # of the short convolutions
EPSILON = 1e-5  # of the root-mean-square norm


class Memory(NamedTuple):
    """What a layer remembers: S [B, H, dk, dv], and the short convolutions' last inputs [B, TAPS-1, C]."""

    s: Tensor
    q: Tensor | None = None
    k: Tensor | None = None
    v: Tensor | None = None


class ShortConvolution(nn.Module):
    """Causal convolution of each channel over `TAPS` steps, then SiLU."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.full((channels, 1, TAPS), 1 / TAPS))

    def forward(self, x: Tensor, past: Tensor | None) -> tuple[Tensor, Tensor]:
        """[B, T, C] and the inputs before it (None: zeros) to [B, T, C] and the inputs to keep."""
        past = x.new_zeros(x.shape[0], TAPS - 1, x.shape[2]) if past is None else past
        x = torch.cat([past, x], 1)
        y = F.conv1d(x.mT, self.weight, groups=x.shape[2]).mT
        return F.silu(y), x[:, 1 - TAPS :]


class GatedNorm(nn.Module):
    """Root-mean-square norm, then a SiLU gate."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(dim))

    def forward(self, x: Tensor, gate: Tensor) -> Tensor:
        """[..., dim] twice to [..., dim]."""
        return F.rms_norm(x, self.weight.shape, self.weight, eps=EPSILON) * F.silu(gate)


class GatedLinearAttention(nn.Module):
    """Mixes over time; the input of a call continues where `memory` ended."""

    def __init__(
        self, dim: int, key_dim: int, value_dim: int, heads: int, *, short_convolution: bool
    ) -> None:
        super().__init__()
        self.heads = heads
        self.q_proj = nn.Linear(dim, key_dim, bias=False)
        self.k_proj = nn.Linear(dim, key_dim, bias=False)
        self.v_proj = nn.Linear(dim, value_dim, bias=False)
        self.g_proj = nn.Linear(dim, value_dim, bias=False)
        self.gk_proj = nn.Sequential(nn.Linear(dim, RANK, bias=False), nn.Linear(RANK, key_dim))
        self.o_proj = nn.Linear(value_dim, dim, bias=False)
        self.g_norm_swish_gate = GatedNorm(value_dim // heads)
        self.short_convolution = short_convolution
        if short_convolution:
            self.q_conv1d = ShortConvolution(key_dim)
            self.k_conv1d = ShortConvolution(key_dim)
            self.v_conv1d = ShortConvolution(value_dim)

    def forward(self, x: Tensor, memory: Memory | None) -> tuple[Tensor, Memory]:
        """[B, T, dim] to the same; memory None: the beginning."""
        q, k, v = self.q_proj(x), self.k_proj(x), self.v_proj(x)
        taps: tuple[Tensor | None, ...] = (None, None, None)
        if self.short_convolution:
            past = memory[1:] if memory else taps
            q, tap_q = self.q_conv1d(q, past[0])
            k, tap_k = self.k_conv1d(k, past[1])
            v, tap_v = self.v_conv1d(v, past[2])
            taps = (tap_q, tap_k, tap_v)
        fade = F.logsigmoid(self.gk_proj(x)) / FADE
        q, k, v, fade = (self._split(t) for t in (q, k, v, fade))
        o, s = recur(q, k, v, fade, memory.s if memory else None)
        gated = self.g_norm_swish_gate(o.to(x.dtype), self._split(self.g_proj(x)))  # [B, T, H, dv]
        y: Tensor = self.o_proj(gated.flatten(2))
        return y, Memory(s, *taps)

    def _split(self, x: Tensor) -> Tensor:
        """[B, T, C] to [B, T, H, C/H]."""
        return x.view(*x.shape[:2], self.heads, -1)


def recur(q: Tensor, k: Tensor, v: Tensor, fade: Tensor, s: Tensor | None) -> tuple[Tensor, Tensor]:
    """q, k, fade [B, T, H, dk], v and outputs [B, T, H, dv], memory s [B, H, dk, dv] (None: zeros).

    At least float32, whatever the inputs: the sum runs over the whole utterance.
    """
    dtype = torch.promote_types(q.dtype, torch.float32)
    q, k, v, fade = (t.to(dtype) for t in (q * q.shape[-1] ** -0.5, k, v, fade))
    keep = fade.exp()
    batch, steps, heads, dk = k.shape
    s = q.new_zeros(batch, heads, dk, v.shape[-1]) if s is None else s
    outputs = []
    for t in range(steps):
        s = keep[:, t, :, :, None] * s + k[:, t, :, :, None] * v[:, t, :, None, :]
        outputs.append(q[:, t, :, None, :] @ s)  # [B, H, 1, dv]
    return torch.cat(outputs, 2).transpose(1, 2), s


class RecurrentBlock(nn.Module):
    """Gated linear attention, then the feed-forward layer, each added to its normed input."""

    def __init__(
        self, dim: int, key_dim: int, value_dim: int, heads: int, *, short_convolution: bool
    ) -> None:
        super().__init__()
        self.tmix = GatedLinearAttention(dim, key_dim, value_dim, heads, short_convolution=short_convolution)
        self.cmix = SwiGLU(dim)
        self.norm1 = nn.LayerNorm(dim)
        self.norm2 = nn.LayerNorm(dim)

    def forward(self, x: Tensor, memory: Memory | None) -> tuple[Tensor, Memory]:
        """[B, T, dim] to the same, continuing from `memory`."""
        mixed, memory = self.tmix(self.norm1(x), memory)
        x = x + mixed
        return x + self.cmix(self.norm2(x)), memory
