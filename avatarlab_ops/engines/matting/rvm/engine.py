"""Robust Video Matting in PyTorch: the official ONNX file's weights, or a checkpoint's, on CPU or CUDA.

Everything is computed in float32; on CUDA convolutions may use TF32. On the CPU ONNX Runtime is a little
faster with the same weights (docs/models.md), so there `rvm_onnx` is the default.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from avatarlab_ops.engines import device, weights
from avatarlab_ops.engines.base import Alpha, Frame
from avatarlab_ops.engines.matting.recurrent import Recurrent, downsample_ratio
from avatarlab_ops.engines.matting.rvm.decoder import State
from avatarlab_ops.engines.matting.rvm.fuse import fuse, load_onnx
from avatarlab_ops.engines.matting.rvm.model import MattingNetwork, Variant

CUDA_BATCH = 8  # frames at once; on the CPU more than one is no faster


class TorchNetwork:
    """A fused network on the granted device; `dtype` is what it computes in."""

    def __init__(self, network: MattingNetwork, dtype: torch.dtype = torch.float32) -> None:
        self._device, self._dtype = device.for_torch(), dtype
        cuda = self._device.type == "cuda"
        self._network = network.eval().to(self._device, dtype)
        if cuda:  # on the CPU this layout is the slower one
            self._network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.batch = CUDA_BATCH if cuda else 1

    @torch.inference_mode()
    def matte(self, frames: Sequence[Frame], state: State | None) -> tuple[list[Alpha], State]:
        """See `recurrent.Network`; the state stays on the device."""
        alpha, state = self.alpha(self.clip(frames), state, downsample_ratio(frames[0]))
        levels = alpha[0, :, 0].mul(255).round_().to(torch.uint8)  # [T, H, W]
        return list(levels.cpu().numpy()), state

    def clip(self, frames: Sequence[Frame]) -> Tensor:
        """RGB uint8 [H, W, 3] frames as [1, T, 3, H, W] in 0..1 on the device, channels last in memory."""
        pixels = torch.from_numpy(np.stack(frames)).to(self._device)
        return pixels.permute(0, 3, 1, 2)[None].to(self._dtype).div_(255)

    def alpha(self, clip: Tensor, state: State | None, ratio: float) -> tuple[Tensor, State]:
        """Alpha [1, T, 1, H, W] in 0..1 of a clip [1, T, 3, H, W] and the state after it."""
        alpha, state = self._network.alpha(clip, state, ratio)
        return alpha, state


def official() -> Recurrent[State]:
    """MattingEngine from the ONNX file that the lock brings."""
    return Recurrent(TorchNetwork(load_onnx(weights.path("rvm_mobilenetv3_fp32.onnx"))))


def mobilenetv3() -> Recurrent[State]:
    """MattingEngine from the published MobileNetV3 checkpoint."""
    return _added("mobilenetv3")


def resnet50() -> Recurrent[State]:
    """MattingEngine from the published ResNet50 checkpoint."""
    return _added("resnet50")


def _added(variant: Variant) -> Recurrent[State]:
    network = MattingNetwork(variant)
    network.load_state_dict(weights.tensors(f"rvm_{variant}.safetensors"))
    return Recurrent(TorchNetwork(fuse(network)))
