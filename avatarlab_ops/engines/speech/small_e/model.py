"""The language model: text and the audio tokens so far in, logits of the next audio tokens out.

    text ids ─ embed ─ text encoder ─ prepare ─┐
    audio tokens ─ embed ─ L recurrent blocks ─ cross-attention ─ L recurrent blocks ─ logits per codebook

Audio tokens are [Q, B, T]: codebook, batch, time, in the delay pattern of `delay.py`.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from avatarlab_ops.engines.speech.small_e.config import SPECIALS, Config
from avatarlab_ops.engines.speech.small_e.cross_attention import BlindCrossAttention, Text
from avatarlab_ops.engines.speech.small_e.gla import Memory, RecurrentBlock
from avatarlab_ops.engines.speech.small_e.text_encoder import TextEncoder


class State(NamedTuple):
    """Where generation stands: the memory of every block, and the number of steps taken."""

    encoder: tuple[Memory, ...]
    cross: Memory
    decoder: tuple[Memory, ...]
    time: int


class Output(NamedTuple):
    """hidden [B, T, dim], logits [B, T, Q, tokens], attention [B, 2, T, J], the state to continue from."""

    hidden: Tensor
    logits: Tensor
    attention: Tensor
    state: State


class PerCodebook(nn.Module):
    """One matrix [tokens, dim] for each codebook, stacked into one tensor."""

    def __init__(self, codebooks: int, tokens: int, dim: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(codebooks, tokens, dim) * dim**-0.5)


class AttentiveGLA(nn.Module):
    """Recurrent blocks, one look at the text, recurrent blocks."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.encoder = _blocks(config)
        self.cross_att = BlindCrossAttention(config)
        self.decoder = _blocks(config)

    def forward(self, y: Tensor, text: Text, state: State | None) -> tuple[Tensor, Tensor, State]:
        """[B, T, dim] to the same, the attention [B, 2, T, J] and the state."""
        time = state.time if state else 0
        y, before = _run(self.encoder, y, state.encoder if state else None)
        found, attention, cross = self.cross_att(y, text, state.cross if state else None, time)
        y, after = _run(self.decoder, y + found, state.decoder if state else None)
        return y, attention, State(before, cross, after, time + y.shape[1])


class Lina(nn.Module):
    """The language model of Small-E and of Lina-Speech, as `config` switches."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        tokens = config.codebook_size + SPECIALS
        self.txt_encoder = TextEncoder(config.dim, config.text_heads, config.text_layers)
        self.txt_embed = nn.Embedding(config.vocabulary, config.dim)
        self.rvq_embed = PerCodebook(config.codebooks, tokens, config.dim)
        self.attentive_rnn = AttentiveGLA(config)
        self.logits_head = PerCodebook(config.codebooks, tokens, config.dim)

    def encode(self, ids: Tensor) -> Tensor:
        """Text ids int64 [B, J] to [B, J, dim]."""
        encoded: Tensor = self.txt_encoder(self.txt_embed(ids))
        return encoded

    def encode_text(self, ids: Tensor) -> Text:
        """Text ids int64 [B, J], B = 1 or the batch of the audio, made ready for any number of steps."""
        return self.attentive_rnn.cross_att.encode_text(self.encode(ids))

    def forward(self, tokens: Tensor, text: Text, state: State | None = None) -> Output:
        """Audio tokens int64 [Q, B, T] that follow `state`, to the logits of the tokens one step later."""
        embedded = torch.stack(
            [F.embedding(row, w) for row, w in zip(tokens, self.rvq_embed.weight, strict=True)]
        )
        hidden, attention, state = self.attentive_rnn(embedded.sum(0), text, state)
        logits = torch.einsum("bnd,qld->bnql", hidden, self.logits_head.weight)
        return Output(hidden, logits, attention, state)


def _blocks(config: Config) -> nn.ModuleList:
    c = config
    return nn.ModuleList(
        RecurrentBlock(c.dim, c.key_dim, c.value_dim, c.heads, short_convolution=c.short_convolution)
        for _ in range(c.layers)
    )


def _run(
    blocks: nn.ModuleList, y: Tensor, past: tuple[Memory, ...] | None
) -> tuple[Tensor, tuple[Memory, ...]]:
    memories: list[Memory] = []
    for block, before in zip(blocks, past or (None,) * len(blocks), strict=True):
        y, after = block(y, before)
        memories.append(after)
    return y, tuple(memories)
