"""Audio tokens to sound and back: EnCodec's codes for Small-E, WavTokenizer's for Lina-Speech."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from avatarlab_ops.engines.speech.small_e import encodec
from avatarlab_ops.engines.speech.small_e.vocos import HOP, SAMPLE_RATE, Vocos
from avatarlab_ops.engines.speech.small_e.wavtokenizer import WavTokenizerDecoder

if TYPE_CHECKING:
    from transformers import EncodecModel

State = Mapping[str, Tensor]
CODES_PER_S = SAMPLE_RATE / HOP


@dataclass(frozen=True)
class Codec:
    """One decoder and one encoder; `kbps` is the encoder's bandwidth, which says how many codebooks."""

    decoder: nn.Module  # codes int64 [Q, B, T] to samples [B, T * HOP]
    encoder: EncodecModel
    kbps: float

    def decode(self, codes: Tensor) -> NDArray[np.float32]:
        """Codes int64 [Q, T] to samples float32 [T * HOP] at 24 kHz."""
        with torch.inference_mode():
            samples: Tensor = self.decoder(codes[:, None].cpu())
        return np.asarray(samples[0].numpy(), np.float32)

    def encode(self, samples: NDArray[np.float32]) -> Tensor:
        """Samples float32 [n] at 24 kHz to codes int64 [Q, ceil(n / HOP)]."""
        with torch.no_grad():
            return encodec.encode(self.encoder, torch.from_numpy(samples)[None], self.kbps)[:, 0]


def encodec_vocos(vocos: State, encodec_24khz: State) -> Codec:
    """Small-E's: EnCodec at 3 kbps (4 codebooks) and Vocos, from their released tensors."""
    decoder, encoder = Vocos(), encodec.encodec_24khz()
    decoder.load_state_dict(vocos)
    encodec.load(encoder, encodec_24khz)
    return Codec(decoder.train(mode=False), encoder, 3.0)


def wavtokenizer(state: State) -> Codec:
    """Lina-Speech's: both halves of WavTokenizer, from one checkpoint."""
    decoder, encoder = WavTokenizerDecoder(), encodec.wavtokenizer_encoder()
    decoder.load(state)
    encodec.load(encoder, state, encodec.WAVTOKENIZER_PREFIX)
    return Codec(decoder.train(mode=False), encoder, 0.9)
