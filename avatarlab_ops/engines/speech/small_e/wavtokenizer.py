"""WavTokenizer (Ji et al. 2024), decoder: one codebook of 4096, 75 codes a second, to sound at 24 kHz.

Keys are those of `wavtokenizer_medium_speech_320_24k.ckpt` that decoding needs (`backbone.`, `head.` and the
codebook of `feature_extractor.`); its encoder is `encodec.wavtokenizer_encoder`.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from avatarlab_ops.engines.speech.small_e.vocos import Backbone, SpectrumHead

CODEBOOK = "feature_extractor.encodec.quantizer.vq.layers.0._codebook.embed"


def group_norm(dim: int) -> nn.GroupNorm:
    """32 groups."""
    return nn.GroupNorm(32, dim, eps=1e-6)


class ResnetBlock(nn.Module):
    """Two convolutions over time, added to their input."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.norm1 = group_norm(dim)
        self.conv1 = nn.Conv1d(dim, dim, 3, padding=1)
        self.norm2 = group_norm(dim)
        self.conv2 = nn.Conv1d(dim, dim, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """[B, dim, T] to the same."""
        y: Tensor = self.conv1(F.silu(self.norm1(x)))
        y = self.conv2(F.silu(self.norm2(y)))
        return x + y


class AttentionBlock(nn.Module):
    """Every frame looks at every other of the whole clip."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.norm = group_norm(dim)
        self.q, self.k, self.v, self.proj_out = (nn.Conv1d(dim, dim, 1) for _ in range(4))

    def forward(self, x: Tensor) -> Tensor:
        """[B, dim, T] to the same."""
        y: Tensor = self.norm(x)
        seen = F.scaled_dot_product_attention(self.q(y).mT, self.k(y).mT, self.v(y).mT)
        y = self.proj_out(seen.mT)
        return x + y


class WavTokenizerDecoder(nn.Module):
    """Codes to sound; 62.9 M parameters."""

    def __init__(self) -> None:
        super().__init__()
        dim = 768
        blocks = (ResnetBlock(dim), ResnetBlock(dim), AttentionBlock(dim), ResnetBlock(dim), ResnetBlock(dim))
        self.codebook = nn.Parameter(torch.zeros(4096, 512))
        self.backbone = Backbone(512, dim, 2304, 12, nn.Sequential(*blocks, group_norm(dim)))
        self.head = SpectrumHead(dim)

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Load a released state dict; raises RuntimeError naming the keys that are missing or misshapen."""
        kept = {key: value for key, value in state.items() if key.startswith(("backbone.", "head."))}
        self.load_state_dict({"codebook": state[CODEBOOK], **kept})

    def forward(self, codes: Tensor) -> Tensor:
        """Codes int64 [1, B, T] to samples [B, T * 320] at 24 kHz."""
        features = F.embedding(codes[0], self.codebook).mT  # [B, 512, T]
        samples: Tensor = self.head(self.backbone(features, 0))
        return samples
