"""Position-aware cross-attention: the speech looks at the text, but only positions pass to the second look.

The first attention says where in the text the speech is. That place, not the content, goes through a
recurrent block that learns how places move on; what comes out attends to the places once more and fetches
the content. So the model cannot be led astray by what the text says, and skips and repetitions become rare.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from avatarlab_ops.engines.speech.small_e.config import Config
from avatarlab_ops.engines.speech.small_e.gla import Memory, RecurrentBlock
from avatarlab_ops.engines.speech.small_e.layers import Rotary

LONGEST_TEXT = 2000  # rows of the learned position table
POSITION_TAPS = 31


class Text(NamedTuple):
    """A text made ready once: keys and values [B, J, dim], positions [J, blind_dim]."""

    keys: Tensor
    values: Tensor
    positions: Tensor


def sinusoids(length: int, dim: int, like: Tensor) -> Tensor:
    """Positions [length, dim]: sines, then cosines, of wavelengths from 2 pi to 20000 pi."""
    rates = 10000.0 ** (-torch.arange(0, dim, 2, device=like.device, dtype=torch.float32) / dim)
    angle = torch.arange(length, device=like.device)[:, None] * rates
    return torch.cat([angle.sin(), (angle + math.pi / 2).sin()], -1).to(like.dtype)


class ConvolvedPositions(nn.Module):
    """Learned positions, smoothed by a convolution of each channel."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.embed = nn.Embedding(LONGEST_TEXT, dim)
        self.dw_conv = nn.Conv1d(dim, dim, POSITION_TAPS, padding="same", groups=dim)

    def forward(self, length: int) -> Tensor:
        """Positions [length, dim]."""
        rows = self.embed.weight[:length]
        y: Tensor = self.dw_conv(rows.mT[None])[0].mT
        return y


class BlindCrossAttention(nn.Module):
    """One head of width `dim`, twice."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        dim, blind = config.dim, config.blind_dim
        self.blind_dim = blind
        self.q, self.k, self.v = (nn.Linear(dim, dim) for _ in range(3))
        self.ln_q, self.ln_k, self.ln_v = (nn.LayerNorm(dim) for _ in range(3))
        self.rotary = Rotary(dim // 2) if config.rotary_cross else None
        self.pos_embed = ConvolvedPositions(blind) if config.convolved_positions else None
        self.pos_net = RecurrentBlock(
            blind,
            blind * config.key_dim // dim,
            blind * config.value_dim // dim,
            config.heads,
            short_convolution=config.short_convolution,
        )

    def encode_text(self, encoded: Tensor) -> Text:
        """What depends on the encoded text [B, J, dim] alone."""
        keys: Tensor = self.ln_k(self.k(encoded))
        if self.rotary is not None:
            keys = self.rotary(keys)
        length = encoded.shape[1]
        positions = self.pos_embed(length) if self.pos_embed else sinusoids(length, self.blind_dim, encoded)
        return Text(keys, self.ln_v(self.v(encoded)), positions)

    def forward(
        self, y: Tensor, text: Text, memory: Memory | None, time: int
    ) -> tuple[Tensor, Tensor, Memory]:
        """Speech [B, T, dim] from step `time` to contents of the text [B, T, dim], attentions and the memory.

        Attentions are [B, 2, T, J]; the second is where in the text the speech is.
        """
        q: Tensor = self.ln_q(self.q(y))
        if self.rotary is not None:
            q = self.rotary(q, time)
        where = attend(q, text.keys)
        place, memory = self.pos_net(where @ text.positions, memory)
        then = attend(place, text.positions)
        return then @ text.values, torch.stack([where, then], 1), memory


def attend(q: Tensor, k: Tensor) -> Tensor:
    """Weights [B, T, J] of queries [B, T, C] over keys [.., J, C]."""
    return F.softmax(q @ k.mT * q.shape[-1] ** -0.5, -1)
