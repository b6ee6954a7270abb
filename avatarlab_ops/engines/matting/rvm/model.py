"""The matting network: frame and memory in, foreground, alpha and memory out.

    frame ─ shrink ─ backbone ─ LR-ASPP ─ recurrent decoder ─ project ─ guided filter ─ foreground, alpha

Keys and shapes are those of the released flat state dicts `rvm_mobilenetv3.pth` and `rvm_resnet50.pth`.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from avatarlab_ops.engines.matting.rvm.decoder import RecurrentDecoder, State
from avatarlab_ops.engines.matting.rvm.mobilenetv3 import MobileNetV3
from avatarlab_ops.engines.matting.rvm.refiner import DeepGuidedFilter, FastGuidedFilter, apply_alpha_guide
from avatarlab_ops.engines.matting.rvm.resnet50 import ResNet50

Variant = Literal["mobilenetv3", "resnet50"]
Refiner = Literal["deep", "fast"]


class Matting(NamedTuple):
    """foreground [..., 3, H, W] and alpha [..., 1, H, W] in 0..1; `state` goes into the next call."""

    foreground: Tensor
    alpha: Tensor
    state: State


class LRASPP(nn.Module):
    """Channels gated by the whole picture (Howard et al. 2019)."""

    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        self.aspp1 = nn.Sequential(
            nn.Conv2d(channels, out, 1, bias=False), nn.BatchNorm2d(out), nn.ReLU(inplace=True)
        )
        self.aspp2 = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Conv2d(channels, out, 1, bias=False), nn.Sigmoid()
        )

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, h, w] to [N, out, h, w]."""
        y: Tensor = self.aspp1(x) * self.aspp2(x)
        return y


class Projection(nn.Module):
    """1x1 convolution to the wanted channels."""

    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, out, 1)

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, h, w] to [N, out, h, w]."""
        y: Tensor = self.conv(x)
        return y


class MattingNetwork(nn.Module):
    """Human video matting. `mobilenetv3`: 3.7 M parameters; `resnet50`: 26.9 M, about three times slower."""

    def __init__(self, variant: Variant = "mobilenetv3", refiner: Refiner = "deep") -> None:
        super().__init__()
        mobile = variant == "mobilenetv3"
        self.backbone = MobileNetV3() if mobile else ResNet50()
        f1, f2, f3, f4 = self.backbone.channels
        coarse = 128 if mobile else 256
        self.aspp = LRASPP(f4, coarse)
        self.decoder = RecurrentDecoder(
            (f1, f2, f3, coarse), (80, 40, 32, 16) if mobile else (128, 64, 32, 16)
        )
        self.project_mat = Projection(16, 4)
        self.project_seg = Projection(16, 1)
        self.refiner = DeepGuidedFilter() if refiner == "deep" else FastGuidedFilter()

    def forward(
        self,
        frame: Tensor,
        state: State | None = None,
        downsample_ratio: float = 1.0,
        *,
        always_refine: bool = False,
    ) -> Matting:
        """Matte one frame [B, 3, H, W] or a clip [B, T, 3, H, W], RGB in 0..1.

        `state`: None at the start of a clip and after a cut. `downsample_ratio` in (0, 1]: the network sees a
        frame of floor(size * ratio); 256 to 512 px is what it was trained for. At ratio 1 the guided filter
        is left out; `always_refine` keeps it, as the released ONNX files do.
        """
        frames, flat = flatten(frame)
        small, hidden, state = self._decode(flat, state, downsample_ratio, frames)
        y: Tensor = self.project_mat(hidden)
        residual, alpha = y[:, :3], y[:, 3:]
        if downsample_ratio != 1 or always_refine:
            residual, alpha = self.refiner(flat, small, y, hidden)
        foreground = (residual + flat).clamp(0, 1)
        lead = frame.shape[:-3]
        return Matting(unflatten(foreground, lead), unflatten(alpha.clamp(0, 1), lead), state)

    def alpha(
        self, frame: Tensor, state: State | None = None, downsample_ratio: float = 1.0
    ) -> tuple[Tensor, State]:
        """Alpha as `forward` gives it with `always_refine`, without the foreground, and the state."""
        frames, flat = flatten(frame)
        small, hidden, state = self._decode(flat, state, downsample_ratio, frames)
        guide = self.refiner.guide(small, self.project_mat(hidden), hidden)
        alpha = apply_alpha_guide(guide, flat).clamp_(0, 1)
        return unflatten(alpha, frame.shape[:-3]), state

    def segment(
        self, frame: Tensor, state: State | None = None, downsample_ratio: float = 1.0
    ) -> tuple[Tensor, State]:
        """Segmentation logits [..., 1, h, w] at the small size (a second training task), and the state."""
        frames, flat = flatten(frame)
        _, hidden, state = self._decode(flat, state, downsample_ratio, frames)
        logits: Tensor = self.project_seg(hidden)
        return unflatten(logits, frame.shape[:-3]), state

    def _decode(
        self, flat: Tensor, state: State | None, ratio: float, frames: int
    ) -> tuple[Tensor, Tensor, State]:
        """[N, 3, H, W] to the small frame [N, 3, h, w], its decoded features [N, 16, h, w] and the state."""
        small = shrink(flat, ratio)
        pyramid = self.backbone(small)
        pyramid = pyramid._replace(f4=self.aspp(pyramid.f4))
        hidden, state = self.decoder(small, pyramid, state, frames)
        return small, hidden, state


def flatten(frame: Tensor) -> tuple[int, Tensor]:
    """T and [B*T, 3, H, W] of a frame [B, 3, H, W] (T=1) or a clip [B, T, 3, H, W]."""
    if frame.ndim == 4:
        return 1, frame
    return frame.shape[1], frame.flatten(0, 1)


def unflatten(x: Tensor, lead: torch.Size) -> Tensor:
    """[B*T, C, h, w] to [*lead, C, h, w]."""
    return x.view(*lead, *x.shape[1:])


def shrink(frame: Tensor, ratio: float) -> Tensor:
    """[N, 3, H, W] to floor(size * ratio), sampling at exactly 1/ratio (not the ratio of the sizes)."""
    if ratio == 1:
        return frame
    return F.interpolate(
        frame, scale_factor=ratio, mode="bilinear", align_corners=False, recompute_scale_factor=False
    )
