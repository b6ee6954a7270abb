"""HuBERT (Hsu et al., arXiv 2106.07447): 16 kHz speech to the hidden states of every layer, at 50 Hz."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from avatarlab_ops.engines.torchaudio import torchaudio  # before transformers, which imports it as it is

from transformers import HubertConfig, HubertModel  # isort: skip

SAMPLE_RATE = 16_000  # Hz
SHORTEST = 400  # samples that the first state sees
HEAD_DIM = 64  # of every published HuBERT
_STRIDES = (5, 2, 2, 2, 2, 2, 2)


def hubert(state: Mapping[str, Tensor], device: torch.device) -> Any:
    """The HubertModel of a published state dict, its sizes read off the shapes. Raises KeyError for others.

    Both ways of writing the weight-normed convolution are taken.
    """
    state = {key.removeprefix("hubert."): value for key, value in state.items()}
    model = network(state)
    model.load_state_dict(state)
    return model.eval().to(device)


def network(state: Mapping[str, Tensor]) -> Any:
    """A HubertModel of the sizes that a state dict without prefix has. Raises KeyError for others."""
    return HubertModel(_config(state))


def _config(state: Mapping[str, Tensor]) -> HubertConfig:
    convs = [key for key in state if key.startswith("feature_extractor.") and key.endswith(".conv.weight")]
    shapes = [state[f"feature_extractor.conv_layers.{i}.conv.weight"].shape for i in range(len(convs))]
    direction = next(
        value for key, value in state.items() if "pos_conv_embed" in key and key.endswith(("_v", "original1"))
    )
    hidden = state["feature_projection.projection.weight"].shape[0]
    normed = "feature_extractor.conv_layers.1.layer_norm.weight" in state  # the large ones, not the base
    layers = {key.split(".")[2] for key in state if key.startswith("encoder.layers.")}
    return HubertConfig(
        hidden_size=hidden,
        num_hidden_layers=len(layers),
        num_attention_heads=hidden // HEAD_DIM,
        intermediate_size=state["encoder.layers.0.feed_forward.intermediate_dense.weight"].shape[0],
        conv_dim=tuple(shape[0] for shape in shapes),
        conv_kernel=tuple(shape[2] for shape in shapes),
        conv_stride=_STRIDES[: len(shapes)],
        conv_bias="feature_extractor.conv_layers.0.conv.bias" in state,
        feat_extract_norm="layer" if normed else "group",
        do_stable_layer_norm=normed,
        mask_time_prob=0.05 if "masked_spec_embed" in state else 0.0,  # of training only
        num_conv_pos_embeddings=direction.shape[2],
        num_conv_pos_embedding_groups=hidden // direction.shape[1],
    )


def utterance(samples: Tensor, sample_rate: int) -> Tensor:
    """Samples [n] at any rate as the network was trained: 16 kHz, mean 0, variance 1 over the whole."""
    samples = torchaudio.functional.resample(samples, sample_rate, SAMPLE_RATE)
    return (samples - samples.mean()) / (samples.var(correction=0) + 1e-7).sqrt()


def states(model: HubertModel, samples: Tensor) -> Tensor:
    """Hidden states [layers + 1, T, D] of normalised 16 kHz samples [n]; T = n // 320 but for the edges.

    The last state is repeated once, so that they can be halved to 25 Hz. Fewer than 400 samples are padded.
    """
    padded = F.pad(samples, (0, max(0, SHORTEST - len(samples))))
    out = model(padded[None].to(model.dtype), output_hidden_states=True)
    # the last is the one after the final norm, which transformers 5 leaves out of `hidden_states`
    stacked = torch.cat([*out.hidden_states[:-1], out.last_hidden_state])
    return torch.cat([stacked, stacked[:, -1:]], 1)
