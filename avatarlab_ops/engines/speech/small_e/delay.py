"""The delay pattern: codebook i runs i steps behind, so that a step knows the coarser codebooks before it.

codes      a0 a1 a2            tokens     1 a0 a1 a2  2  2
           b0 b1 b2                       1  1 b0 b1 b2  2      (code c is token c + 3)
"""

from __future__ import annotations

import torch
from torch import Tensor

from avatarlab_ops.engines.speech.small_e.config import SPECIALS

START, STOP = 1, 2


def delay(codes: Tensor) -> Tensor:
    """Codes int64 [Q, ..., T] to tokens [Q, ..., T + Q + 1]."""
    q = codes.shape[0]
    tokens = codes.new_full((*codes.shape[:-1], codes.shape[-1] + q + 1), STOP)
    for i in range(q):
        tokens[i, ..., : i + 1] = START
        tokens[i, ..., i + 1 : i + 1 + codes.shape[-1]] = codes[i] + SPECIALS
    return tokens


def undelay(tokens: Tensor) -> Tensor:
    """Tokens int64 [Q, ..., n] to codes [Q, ..., n - Q - 1]; a special token among them becomes code 0."""
    q, length = tokens.shape[0], tokens.shape[-1] - tokens.shape[0] - 1
    rows = [tokens[i, ..., i + 1 : i + 1 + max(length, 0)] for i in range(q)]
    return (torch.stack(rows) - SPECIALS).clamp(min=0)
