"""Stage 2: what is heard, and how the person looks when speaking, to one latent for every frame at 25 Hz.

A regression, not a diffusion. Keys are those of `seq2seq.encoder.` in the released `stage2_state_dict.ckpt`.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from avatarlab_ops.engines.lipsync.diffdub.conformer import Conformer

CHECKPOINT_PREFIX = "seq2seq.encoder."
AUDIO_LAYERS = 25  # HuBERT-large: the input of the transformer and its 24 layers
AUDIO_DIM = 1024
LATENT = 512
REFERENCES = 75  # latents of the person that training showed: 3 s


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

    def __init__(self) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.zeros(AUDIO_LAYERS))
        self.down_sample_audio_nar = nn.Conv1d(AUDIO_DIM, LATENT, 3, stride=2, padding=1)
        self.reference_encoder = Conformer(2)
        self.cross_attention = ReferenceAttention(LATENT)
        self.speech_encoder = Conformer(4)
        self.coarse_decoder = Conformer(4)
        self.out_proj = nn.Linear(LATENT, LATENT)

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


def stage2_state(checkpoint: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The network of a released stage-2 state dict."""
    skip = len(CHECKPOINT_PREFIX)
    return {key[skip:]: value for key, value in checkpoint.items() if key.startswith(CHECKPOINT_PREFIX)}
