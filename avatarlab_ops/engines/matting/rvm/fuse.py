"""Without batch norms: fold them into the convolutions, or take them folded from the official ONNX file."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import onnx
import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from avatarlab_ops.engines.matting.rvm.model import MattingNetwork
from avatarlab_ops.errors import EngineUnavailable

UNUSED = {"project_seg.conv.weight", "project_seg.conv.bias"}  # a training task, left out of the ONNX file


def fuse(model: MattingNetwork) -> MattingNetwork:
    """Fold every batch norm into the convolution before it, in place: same outputs, fewer passes."""
    model.eval()
    for prefix, conv_name, norm_name in list(_pairs(model)):
        parent = model.get_submodule(prefix)
        conv, norm = getattr(parent, conv_name), getattr(parent, norm_name)
        setattr(parent, conv_name, fuse_conv_bn_eval(conv, norm))
        setattr(parent, norm_name, nn.Identity())
    return model


def load_onnx(path: Path) -> MattingNetwork:
    """The fused network with the weights of `rvm_mobilenetv3_fp32.onnx`, whose norms are already folded.

    Raises EngineUnavailable when the file holds anything but that network.
    """
    model = MattingNetwork("mobilenetv3")
    folded = [f"{prefix}.{conv}" for prefix, conv, _ in _pairs(model)]
    fuse(model)
    try:
        state = _state(onnx.load(path).graph, folded)
        lacking, unknown = model.load_state_dict(state, strict=False)
    except (ValueError, RuntimeError, KeyError) as error:
        raise EngineUnavailable(f"{path.name} is not the released MobileNetV3 network: {error}") from error
    if set(lacking) != UNUSED or unknown:
        raise EngineUnavailable(
            f"{path.name} is not the released network: {lacking} missing, {unknown} added"
        )
    return model


def unfused(fused: MattingNetwork) -> dict[str, Tensor]:
    """The state dict that the network had before `fuse`, its norms those that give the same outputs.

    What the ONNX file leaves out (a training task) is zero.
    """
    model = MattingNetwork("mobilenetv3")
    state, folded = model.state_dict(), fused.state_dict()
    for prefix, conv, norm in _pairs(model):
        state[f"{prefix}.{conv}.weight"] = folded.pop(f"{prefix}.{conv}.weight")
        state[f"{prefix}.{norm}.bias"] = folded.pop(f"{prefix}.{conv}.bias")
        state[f"{prefix}.{norm}.running_var"] -= model.get_submodule(f"{prefix}.{norm}").eps
    return state | {key: torch.zeros_like(folded[key]) if key in UNUSED else folded[key] for key in folded}


def _pairs(model: nn.Module) -> Iterator[tuple[str, str, str]]:
    """(parent, convolution, norm) wherever a batch norm follows a convolution, in the order they run."""
    for prefix, parent in model.named_modules():
        for (conv_name, conv), (norm_name, norm) in pairwise(parent.named_children()):
            if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                yield prefix, conv_name, norm_name


def _state(graph: onnx.GraphProto, folded: list[str]) -> dict[str, Tensor]:
    """Weights by our keys: those not folded kept their names, the folded ones stand in the order they run."""
    arrays = {t.name: torch.from_numpy(np.array(onnx.numpy_helper.to_array(t))) for t in graph.initializer}
    convolutions = [node.input for node in graph.node if node.op_type == "Conv"]
    anonymous = [inputs for inputs in convolutions if "." not in inputs[1]]
    state = {name: array for name, array in arrays.items() if "." in name}
    for name, inputs in zip(folded, anonymous, strict=True):
        state[f"{name}.weight"], state[f"{name}.bias"] = arrays[inputs[1]], arrays[inputs[2]]
    return state
