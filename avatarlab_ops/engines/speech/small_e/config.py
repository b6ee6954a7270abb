"""Sizes and switches of the language model, read off the shapes in a checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

SPECIALS = 3  # audio tokens 0 padding, 1 start, 2 stop; code c is token c + 3


@dataclass(frozen=True)
class Config:
    """`dim` is the width of the model, `layers` the blocks on either side of the cross-attention."""

    dim: int
    layers: int
    text_layers: int
    text_heads: int
    heads: int
    key_dim: int
    value_dim: int
    blind_dim: int  # width of the positions that pass between the two attentions
    codebooks: int
    codebook_size: int
    vocabulary: int = 256
    rotary_cross: bool = True  # Small-E; Lina-Speech has no rotary positions in the cross-attention
    convolved_positions: bool = False  # Lina-Speech's learned text positions instead of sinusoids
    short_convolution: bool = False  # Lina-Speech

    @classmethod
    def from_state(cls, state: Mapping[str, Tensor]) -> Config:
        """Read the sizes off a state dict of the language model. A missing key raises KeyError."""
        mix = "attentive_rnn.encoder.0.tmix."
        cross = "attentive_rnn.cross_att."
        dim = state["txt_embed.weight"].shape[1]
        codebooks, tokens, _ = state["rvq_embed.weight"].shape
        value_dim = state[mix + "v_proj.weight"].shape[0]
        return cls(
            dim=dim,
            layers=_count(state, "attentive_rnn.encoder."),
            text_layers=_count(state, "txt_encoder.sa."),
            text_heads=dim // (4 * len(state["txt_encoder.sa.0.tmix.rotary.freqs"])),
            heads=value_dim // len(state[mix + "g_norm_swish_gate.weight"]),
            key_dim=state[mix + "q_proj.weight"].shape[0],
            value_dim=value_dim,
            blind_dim=len(state[cross + "pos_net.norm1.weight"]),
            codebooks=codebooks,
            codebook_size=tokens - SPECIALS,
            vocabulary=state["txt_embed.weight"].shape[0],
            rotary_cross=cross + "rotary.freqs" in state,
            convolved_positions=cross + "pos_embed.embed.weight" in state,
            short_convolution=mix + "q_conv1d.weight" in state,
        )


def _count(state: Mapping[str, Tensor], prefix: str) -> int:
    """Number of distinct indices that follow `prefix`."""
    return len({key[len(prefix) :].split(".", 1)[0] for key in state if key.startswith(prefix)})
