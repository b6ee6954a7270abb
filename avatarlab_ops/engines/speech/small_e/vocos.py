"""Vocos (Siuzdak 2023): EnCodec codes to sound at 24 kHz, predicting a spectrum frame for each code.

Keys are those of `charactr/vocos-encodec-24khz`. The backbone and the head also decode WavTokenizer's codes.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

SAMPLE_RATE = 24_000
HOP = 320  # samples per code: 75 codes a second
WINDOW = 1280
LOUDEST = 100.0  # magnitudes are clipped here
BANDWIDTHS_KBPS = (1.5, 3.0, 6.0, 12.0)  # 2, 4, 8, 16 codebooks; the index is what the norms are told


class AdaptiveNorm(nn.Module):
    """Layer norm whose scale and shift depend on the bandwidth."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.scale = nn.Embedding(len(BANDWIDTHS_KBPS), dim)
        self.shift = nn.Embedding(len(BANDWIDTHS_KBPS), dim)

    def forward(self, x: Tensor, bandwidth: int) -> Tensor:
        """[B, T, dim] to the same."""
        normed = F.layer_norm(x, x.shape[-1:], eps=1e-6)
        return normed * self.scale.weight[bandwidth] + self.shift.weight[bandwidth]


class ConvNeXt(nn.Module):
    """Filter each channel over time, then mix the channels (Liu et al. 2022)."""

    def __init__(self, dim: int, width: int) -> None:
        super().__init__()
        self.dwconv = nn.Conv1d(dim, dim, 7, padding=3, groups=dim)
        self.norm = AdaptiveNorm(dim)
        self.pwconv1 = nn.Linear(dim, width)
        self.pwconv2 = nn.Linear(width, dim)
        self.gamma = nn.Parameter(torch.full((dim,), 0.1))

    def forward(self, x: Tensor, bandwidth: int) -> Tensor:
        """[B, dim, T] to the same."""
        y: Tensor = self.norm(self.dwconv(x).mT, bandwidth)
        y = self.pwconv2(F.gelu(self.pwconv1(y)))
        return x + (self.gamma * y).mT


class Backbone(nn.Module):
    """Features [B, channels, T] to [B, T, dim]; `pos_net` sits between the first convolution and its norm."""

    def __init__(
        self, channels: int, dim: int, width: int, layers: int, pos_net: nn.Module | None = None
    ) -> None:
        super().__init__()
        self.embed = nn.Conv1d(channels, dim, 7, padding=3)
        self.pos_net = pos_net
        self.norm = AdaptiveNorm(dim)
        self.convnext = nn.ModuleList(ConvNeXt(dim, width) for _ in range(layers))
        self.final_layer_norm = nn.LayerNorm(dim, eps=1e-6)

    def forward(self, features: Tensor, bandwidth: int) -> Tensor:
        """[B, channels, T] to [B, T, dim]."""
        x: Tensor = self.embed(features)
        if self.pos_net is not None:
            x = self.pos_net(x)
        x = self.norm(x.mT, bandwidth).mT
        for block in self.convnext:
            x = block(x, bandwidth)
        y: Tensor = self.final_layer_norm(x.mT)
        return y


class InverseSTFT(nn.Module):
    """Overlapping spectrum frames to T * HOP samples: half a window less one hop is cut from both ends."""

    window: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("window", torch.hann_window(WINDOW))

    def forward(self, spectrum: Tensor) -> Tensor:
        """Complex [B, WINDOW/2 + 1, T] to samples [B, T * HOP]."""
        frames = torch.fft.irfft(spectrum, WINDOW, dim=1) * self.window[:, None]
        weights = (self.window**2)[None, :, None].expand(1, -1, frames.shape[2])
        edge = (WINDOW - HOP) // 2
        return (self._overlap(frames) / self._overlap(weights).clamp(min=1e-11))[:, edge:-edge]

    @staticmethod
    def _overlap(frames: Tensor) -> Tensor:
        """[B, WINDOW, T] to their sum [B, (T - 1) * HOP + WINDOW]."""
        length = (frames.shape[2] - 1) * HOP + WINDOW
        return F.fold(frames, (1, length), (1, WINDOW), stride=(1, HOP))[:, 0, 0]


class SpectrumHead(nn.Module):
    """Magnitude and phase of each frame, then sound."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.out = nn.Linear(dim, WINDOW + 2)
        self.istft = InverseSTFT()

    def forward(self, x: Tensor) -> Tensor:
        """[B, T, dim] to samples [B, T * HOP]."""
        magnitude, phase = self.out(x).mT.chunk(2, 1)
        spectrum = torch.polar(magnitude.exp().clamp(max=LOUDEST), phase)
        samples: Tensor = self.istft(spectrum)
        return samples


class Codebooks(nn.Module):
    """All of EnCodec's codebooks in one table."""

    def __init__(self, codebooks: int = 16, size: int = 1024, dim: int = 128) -> None:
        super().__init__()
        self.size = size
        self.codebook_weights = nn.Parameter(torch.zeros(codebooks * size, dim))

    def forward(self, codes: Tensor) -> Tensor:
        """Codes int64 [Q, B, T] to the sum of their rows [B, dim, T]."""
        offsets = torch.arange(codes.shape[0], device=codes.device) * self.size
        return F.embedding(codes + offsets[:, None, None], self.codebook_weights).sum(0).mT


class Vocos(nn.Module):
    """EnCodec 24 kHz codes to sound; 10 M parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.feature_extractor = Codebooks()
        self.backbone = Backbone(128, 384, 1152, 8)
        self.head = SpectrumHead(384)

    def forward(self, codes: Tensor) -> Tensor:
        """Codes int64 [Q, B, T], Q of 2, 4, 8 or 16, to samples [B, T * 320] at 24 kHz."""
        bandwidth = BANDWIDTHS_KBPS.index(codes.shape[0] * 0.75)  # 75 codes a second of 10 bits
        samples: Tensor = self.head(self.backbone(self.feature_extractor(codes), bandwidth))
        return samples
