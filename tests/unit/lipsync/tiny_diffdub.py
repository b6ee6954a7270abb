"""A DiffDub small enough for tests: every wire is real, the weights are keyed, so the mouth is noise."""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path

import numpy as np
from torch import Tensor

from avatarlab_ops.engines.base import Speech
from avatarlab_ops.engines.lipsync.diffdub import hubert
from avatarlab_ops.engines.lipsync.diffdub.config import Config
from avatarlab_ops.engines.lipsync.diffdub.engine import DiffDub
from avatarlab_ops.engines.lipsync.diffdub.stage2 import AudioConfig, AudioToLatent
from avatarlab_ops.engines.lipsync.diffdub.unet import Renderer

sys.path.append(str(Path(__file__).parents[2] / "parity"))
from keyed import fill

STAGE1 = Config(
    channels=8, multipliers=(1, 1, 2), encoder_multipliers=(1, 1, 2), latent=16, image=64, blocks=1
)
STAGE2 = AudioConfig(audio_layers=3, audio_dim=64, latent=16, heads=1, width=16)


def tiny_hubert() -> hubert.HubertModel:
    config = hubert.HubertConfig(
        hidden_size=64,
        num_hidden_layers=2,
        num_attention_heads=1,
        intermediate_size=32,
        conv_dim=(8,) * 7,
        conv_bias=True,
        feat_extract_norm="layer",
        do_stable_layer_norm=True,
        num_conv_pos_embeddings=16,
        num_conv_pos_embedding_groups=4,
    )
    return hubert.HubertModel(config).eval()


@cache
def states(seed: int = 0) -> tuple[dict[str, Tensor], ...]:
    """Stage 1, stage 2 and HuBERT as an operator's files would hold them."""
    networks = (Renderer(STAGE1), AudioToLatent(STAGE2), tiny_hubert())
    for network in networks:
        fill(network, seed=seed)
    return tuple(network.state_dict() for network in networks)


def engine(seed: int = 0) -> DiffDub:
    return DiffDub(*states(seed))


def spoken(said: Speech, seed: int = 0) -> Speech:
    """The same timeline with something to hear: noise whose loudness changes five times a second."""
    n = round(said.timeline.duration_s * said.sample_rate)
    noise = np.random.default_rng(seed).standard_normal(n)
    loudness = 0.2 + 0.2 * np.sin(2 * np.pi * 5 * np.arange(n) / said.sample_rate)
    return Speech((noise * loudness).astype(np.float32), said.sample_rate, said.timeline)
