"""Stage 2: what is heard, and how the person looks when speaking, to one latent for every frame at 25 Hz.

A regression, not a diffusion. Keys are those of `seq2seq.encoder.` in the released `stage2_state_dict.ckpt`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from avatarlab_ops.engines.lipsync.diffdub.conformer import Conformer

REFERENCES = 75  # latents of the person that training showed: 3 s


@dataclass(frozen=True)
class AudioConfig:
    """Sizes of stage 2; the released checkpoint has the defaults. `width` is that of the feed-forwards."""

    audio_layers: int = 25  # HuBERT-large: the input of the transformer and its 24 layers
    audio_dim: int = 1024
    latent: int = 512
    heads: int = 2
    width: int = 512

    @classmethod
    def from_state(cls, state: Mapping[str, Tensor]) -> AudioConfig:
        """Sizes of the network that a state dict was saved from. Raises KeyError for another network."""
        latent, audio_dim, _ = state["down_sample_audio_nar.weight"].shape
        first = "reference_encoder.encoders.0"
        return cls(
            audio_layers=state["weights"].shape[0],
            audio_dim=audio_dim,
            latent=latent,
            heads=state[f"{first}.self_attn.pos_bias_u"].shape[0],
            width=state[f"{first}.feed_forward.w_1.weight"].shape[0],
        )


class ReferenceAttention(nn.Module):
    """The audio looks for its like among the references (linear2 and norm2 are in the file, but unused)."""

    def __init__(self, dim: int, heads: int = 8) -> None:
        super().__init__()
        self.self_attn = nn.MultiheadAttention(dim, heads, batch_first=True)
        self.linear1 = nn.Linear(dim, dim)
        self.linear2 = nn.Linear(dim, dim)
        self.norm1 = nn.LayerNorm(dim)
        self.norm2 = nn.LayerNorm(dim)

    def forward(self, audio: Tensor, reference: Tensor) -> Tensor:
        """Audio [B, T, D] and references [B, R, D] to [B, T, D]."""
        found, _ = self.self_attn(audio, reference, reference, need_weights=False)
        y: Tensor = self.norm1(self.linear1(found))
        return y


class AudioToLatent(nn.Module):
    """35 M parameters; the whole utterance at once."""

    def __init__(self, config: AudioConfig | None = None) -> None:
        super().__init__()
        config = config or AudioConfig()
        sizes = (config.latent, config.heads, config.width)
        self.weights = nn.Parameter(torch.zeros(config.audio_layers))
        self.down_sample_audio_nar = nn.Conv1d(config.audio_dim, config.latent, 3, stride=2, padding=1)
        self.reference_encoder = Conformer(2, *sizes)
        self.cross_attention = ReferenceAttention(config.latent)
        self.speech_encoder = Conformer(4, *sizes)
        self.coarse_decoder = Conformer(4, *sizes)
        self.out_proj = nn.Linear(config.latent, config.latent)

    def forward(self, audio: Tensor, reference: Tensor) -> Tensor:
        """HuBERT states [B, 25, T, 1024] at 50 Hz and references [B, R, 512] to [B, (T-1)//2+1, 512]."""
        reference = self.reference_encoder(reference)
        x = self.speech_encoder(self.cross_attention(self.shorten(audio), reference))
        latents: Tensor = self.out_proj(self.coarse_decoder(x))
        return latents

    def shorten(self, audio: Tensor) -> Tensor:
        """A weighted mean of the 25 layers, at half the rate: [B, 25, T, 1024] to [B, (T-1)//2+1, 512]."""
        mean = torch.einsum("l,bltd->bdt", self.weights.softmax(0), audio)
        y: Tensor = self.down_sample_audio_nar(mean)
        return y.mT


def references(latents: Tensor) -> Tensor:
    """Latents [n, 512] of frames of the person, used in a circle, to the [1, 75, 512] that stage 2 wants."""
    return latents[torch.arange(REFERENCES, device=latents.device) % len(latents)][None]
