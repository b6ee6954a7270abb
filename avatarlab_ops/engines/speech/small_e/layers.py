"""What the text encoder and the decoder share: rotary positions and the gated feed-forward layer."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Rotary(nn.Module):
    """Rotary positions (Su et al. 2021) on the first `channels` of each head, in interleaved pairs."""

    freqs: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("freqs", 10000.0 ** (-torch.arange(0, channels, 2) / channels))  # [channels / 2]

    def forward(self, x: Tensor, offset: int = 0) -> Tensor:
        """[..., T, C] whose first row is at position `offset`, to the same shape."""
        time = torch.arange(offset, offset + x.shape[-2], device=x.device, dtype=self.freqs.dtype)
        angle = time[:, None] * self.freqs  # [T, channels / 2]
        cos, sin = angle.cos(), angle.sin()
        channels = 2 * self.freqs.shape[0]
        even, odd = x[..., :channels:2], x[..., 1:channels:2]
        turned = torch.stack([even * cos - odd * sin, odd * cos + even * sin], -1).flatten(-2)
        return torch.cat([turned.to(x.dtype), x[..., channels:]], -1)


class SwiGLU(nn.Module):
    """Gated feed-forward layer (Shazeer 2020) of width 4/3 `dim`."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        width = dim * 4 // 3
        self.p_in = nn.Linear(dim, 2 * width)
        self.p_out = nn.Linear(width, dim)

    def forward(self, x: Tensor) -> Tensor:
        """[..., dim] to the same."""
        gate, value = self.p_in(x).chunk(2, -1)
        y: Tensor = self.p_out(F.silu(gate) * value)
        return y
