"""Guided filters: carry foreground residual and alpha from the small frame to the edges of the full one."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Guide(NamedTuple):
    """A local linear model at small resolution: output = a * guide + b, each [N, 4, h, w]."""

    a: Tensor
    b: Tensor


def with_mean(rgb: Tensor) -> Tensor:
    """RGB [N, 3, H, W] to [N, 4, H, W]: the mean of the colours guides alpha."""
    return torch.cat([rgb, rgb.mean(1, keepdim=True)], 1)


def apply_guide(guide: Guide, frame: Tensor) -> tuple[Tensor, Tensor]:
    """Enlarge the model to `frame` [N, 3, H, W], apply it: residual [N, 3, H, W] and alpha [N, 1, H, W]."""
    a, b = (F.interpolate(m, frame.shape[-2:], mode="bilinear", align_corners=False) for m in guide)
    out = a * with_mean(frame) + b
    return out[:, :3], out[:, 3:]


def apply_alpha_guide(guide: Guide, frame: Tensor) -> Tensor:
    """Alpha [N, 1, H, W] alone, as `apply_guide` makes it: a quarter of the work at full size."""
    a, b = (F.interpolate(m[:, 3:], frame.shape[-2:], mode="bilinear", align_corners=False) for m in guide)
    return b.addcmul_(a, frame.mean(1, keepdim=True))


class DeepGuidedFilter(nn.Module):
    """Guided filter whose slope is a small network's answer to local statistics and decoder features."""

    def __init__(self, hidden: int = 16) -> None:
        super().__init__()
        self.box_filter = nn.Conv2d(4, 4, 3, padding=1, groups=4, bias=False)
        nn.init.constant_(self.box_filter.weight, 1 / 9)
        self.conv = nn.Sequential(
            nn.Conv2d(8 + hidden, hidden, 1, bias=False), nn.BatchNorm2d(hidden), nn.ReLU(inplace=True),
            nn.Conv2d(hidden, hidden, 1, bias=False), nn.BatchNorm2d(hidden), nn.ReLU(inplace=True),
            nn.Conv2d(hidden, 4, 1),
        )  # fmt: skip

    def guide(self, small: Tensor, y: Tensor, hidden: Tensor) -> Guide:
        """small [N, 3, h, w], y (residual, alpha) [N, 4, h, w], hidden [N, 16, h, w]."""
        x = with_mean(small)
        mean_x: Tensor = self.box_filter(x)
        mean_y: Tensor = self.box_filter(y)
        cov = self.box_filter(x * y) - mean_x * mean_y
        var = self.box_filter(x * x) - mean_x * mean_x
        a: Tensor = self.conv(torch.cat([cov, var, hidden], 1))
        return Guide(a, mean_y - a * mean_x)

    def forward(self, frame: Tensor, small: Tensor, y: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """frame [N, 3, H, W] and what `guide` takes to residual [N, 3, H, W] and alpha [N, 1, H, W]."""
        return apply_guide(self.guide(small, y, hidden), frame)


def box(x: Tensor) -> Tensor:
    """Mean of 3x3, zeros outside: rows, then columns (`cov` cancels, so the order of rounding shows)."""
    channels = x.shape[1]
    kernel = x.new_full((channels, 1, 1, 3), 1 / 3)
    rows = F.conv2d(x, kernel, padding=(0, 1), groups=channels)
    return F.conv2d(rows, kernel.mT.reshape(channels, 1, 3, 1), padding=(1, 0), groups=channels)


class FastGuidedFilter(nn.Module):
    """The classical fast guided filter (He and Sun 2015): no weights, one formula for the slope."""

    epsilon = 1e-5

    def guide(self, small: Tensor, y: Tensor, hidden: Tensor) -> Guide:  # noqa: ARG002 - one interface
        """The model of `small` and `y` by the formula; `hidden` is not looked at."""
        x = with_mean(small)
        mean_x, mean_y, mean_xy, mean_xx = (box(m) for m in (x, y, x * y, x * x))
        a = (mean_xy - mean_x * mean_y) / (mean_xx - mean_x * mean_x + self.epsilon)
        return Guide(a, mean_y - a * mean_x)

    def forward(self, frame: Tensor, small: Tensor, y: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Residual [N, 3, H, W] and alpha [N, 1, H, W] at the size of `frame`."""
        return apply_guide(self.guide(small, y, hidden), frame)
