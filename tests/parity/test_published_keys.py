"""The converter finds in every published checkpoint, by its list of keys, exactly what the network needs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from avatarlab_ops.engines.checkpoints import LAYOUTS, _expected, _needed

PUBLISHED = {  # name, family of key lists, checkpoint, what its trainer puts before the keys
    "rvm_mobilenetv3.safetensors": ("rvm", "rvm_mobilenetv3.pth", ""),
    "rvm_resnet50.safetensors": ("rvm", "rvm_resnet50.pth", ""),
    "diffdub_stage1.safetensors": ("diffdub", "stage1_state_dict.ckpt", ""),
    "diffdub_stage2.safetensors": ("diffdub", "stage2_state_dict.ckpt", ""),
    "small_e.safetensors": ("smalle", "smalle_librilight_medium_230M", ""),
    "lina.safetensors": ("smalle", "lina_d1024l12_guess", "model."),
    "vocos_encodec_24khz.safetensors": ("smalle", "vocos-encodec-24khz/pytorch_model.bin", ""),
    "encodec_24khz.safetensors": ("smalle", "encodec_24khz-d7cc33bc.th", ""),
    "wavtokenizer.safetensors": ("smalle", "wavtokenizer_medium_speech_320_24k.ckpt", ""),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_published_checkpoint_is_taken_whole(name: str, released_keys: Callable[..., Any]) -> None:
    family, checkpoint, prefix = PUBLISHED[name]
    released = released_keys(family, checkpoint)
    file = {prefix + key: torch.empty(shape, device="meta") for key, shape in released.items()}
    if name.startswith("wavtokenizer"):
        file["discriminator.weight"] = torch.empty(1, device="meta")
    state = _needed(file, LAYOUTS[name])
    shapes = {key: tuple(tensor.shape) for key, tensor in state.items()}
    assert shapes == _expected(state, LAYOUTS[name], Path(checkpoint), name)
