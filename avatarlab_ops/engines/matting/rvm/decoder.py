"""The recurrent decoder: from coarse to fine, each level remembering half of its channels between frames.

Frames of a clip travel flattened as [B*T, C, h, w]; only the recurrence itself unrolls time.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Pyramid(NamedTuple):
    """Feature maps [B, C, h, w] at 1/2, 1/4, 1/8 and 1/16 of the frame."""

    f1: Tensor
    f2: Tensor
    f3: Tensor
    f4: Tensor


class State(NamedTuple):
    """What is remembered between frames: [B, C_i, h_i, w_i] in (-1, 1) at 1/2, 1/4, 1/8 and 1/16."""

    r1: Tensor
    r2: Tensor
    r3: Tensor
    r4: Tensor


class ConvGRU(nn.Module):
    """A gated recurrent unit whose gates are 3x3 convolutions."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.ih = nn.Sequential(nn.Conv2d(2 * channels, 2 * channels, 3, padding=1), nn.Sigmoid())
        self.hh = nn.Sequential(nn.Conv2d(2 * channels, channels, 3, padding=1), nn.Tanh())

    def step(self, x: Tensor, h: Tensor) -> Tensor:
        """One frame [B, C, h, w] and the state [B, C, h, w] to the next state, which is also the output."""
        reset, update = self.ih(torch.cat([x, h], 1)).chunk(2, 1)
        candidate: Tensor = self.hh(torch.cat([x, reset * h], 1))
        following: Tensor = h + update * (candidate - h)
        return following

    def forward(self, x: Tensor, h: Tensor | None, frames: int) -> tuple[Tensor, Tensor]:
        """[B*T, C, h, w], T=`frames`, and the state (None: zeros) to outputs like x and the last state."""
        clip = x.view(-1, frames, *x.shape[1:])  # [B, T, C, h, w]
        h = torch.zeros_like(clip[:, 0]) if h is None else h
        outputs = []
        for now in clip.unbind(1):
            h = self.step(now, h)
            outputs.append(h)
        if frames == 1:  # stacking would lose the channels-last layout
            return h, h
        layout = (
            torch.channels_last
            if x.is_contiguous(memory_format=torch.channels_last)
            else torch.contiguous_format
        )
        return torch.stack(outputs, 1).flatten(0, 1).contiguous(memory_format=layout), h


class Memory(nn.Module):
    """Passes one half of the channels through, and the other half through a ConvGRU."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gru = ConvGRU(channels // 2)

    def remember(self, x: Tensor, h: Tensor | None, frames: int) -> tuple[Tensor, Tensor]:
        """[B*T, C, h, w] to the same shape, and the state [B, C/2, h, w]."""
        a, b = x.chunk(2, 1)
        b, h = self.gru(b, h, frames)
        return torch.cat([a, b], 1), h


class UpBlock(Memory):
    """Doubles the size, joins the backbone's map and the shrunken frame, filters, remembers."""

    def __init__(self, channels: int, skip: int, out: int) -> None:
        super().__init__(out)
        self.conv = nn.Sequential(
            nn.Conv2d(channels + skip + 3, out, 3, padding=1, bias=False),
            nn.BatchNorm2d(out),
            nn.ReLU(inplace=True),
        )

    def forward(
        self, x: Tensor, f: Tensor, s: Tensor, h: Tensor | None, frames: int
    ) -> tuple[Tensor, Tensor]:
        """x [N, C, h/2, w/2], map f [N, F, h, w], frame s [N, 3, h, w] to [N, out, h, w] and the state."""
        return self.remember(self.conv(torch.cat([upsample(x, s), f, s], 1)), h, frames)


class OutputBlock(nn.Module):
    """Back to the size of the shrunken frame, without memory."""

    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        self.conv = nn.Sequential(
            nn.Conv2d(channels + 3, out, 3, padding=1, bias=False),
            nn.BatchNorm2d(out),
            nn.ReLU(inplace=True),
            nn.Conv2d(out, out, 3, padding=1, bias=False),
            nn.BatchNorm2d(out),
            nn.ReLU(inplace=True),
        )

    def forward(self, x: Tensor, s: Tensor) -> Tensor:
        """x [N, C, h/2, w/2] and frame s [N, 3, h, w] to [N, out, h, w]."""
        y: Tensor = self.conv(torch.cat([upsample(x, s), s], 1))
        return y


def upsample(x: Tensor, like: Tensor) -> Tensor:
    """Twice the size, cropped to the height and width of `like` (odd sizes were rounded up going down)."""
    height, width = like.shape[-2:]
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)[:, :, :height, :width]


def halve(x: Tensor) -> Tensor:
    """Mean of 2x2, sizes rounded up, borders averaged over the pixels that exist."""
    return F.avg_pool2d(x, 2, 2, ceil_mode=True, count_include_pad=False)


class RecurrentDecoder(nn.Module):
    """`features`: channels of the maps at 1/2 ... 1/16; `widths`: of the decoder's levels, coarse to fine."""

    def __init__(self, features: tuple[int, int, int, int], widths: tuple[int, int, int, int]) -> None:
        super().__init__()
        f1, f2, f3, f4 = features
        d0, d1, d2, d3 = widths
        self.decode4 = Memory(f4)
        self.decode3 = UpBlock(f4, f3, d0)
        self.decode2 = UpBlock(d0, f2, d1)
        self.decode1 = UpBlock(d1, f1, d2)
        self.decode0 = OutputBlock(d2, d3)

    def forward(self, frame: Tensor, f: Pyramid, state: State | None, frames: int) -> tuple[Tensor, State]:
        """frame [B*T, 3, h, w] and its maps to [B*T, widths[3], h, w] and the state after the last frame."""
        s1 = halve(frame)
        s2 = halve(s1)
        s3 = halve(s2)
        r1, r2, r3, r4 = state or (None, None, None, None)
        x, r4 = self.decode4.remember(f.f4, r4, frames)
        x, r3 = self.decode3(x, f.f3, s3, r3, frames)
        x, r2 = self.decode2(x, f.f2, s2, r2, frames)
        x, r1 = self.decode1(x, f.f1, s1, r1, frames)
        return self.decode0(x, frame), State(r1, r2, r3, r4)
