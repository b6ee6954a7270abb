"""Audio tokens to sound and back: EnCodec's codes for Small-E, WavTokenizer's for Lina-Speech."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
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
    """One decoder and one encoder, which is built when a voice sample first needs it.

    `kbps` is the encoder's bandwidth, which says how many codebooks there are.
    """

    decoder: nn.Module  # codes int64 [Q, B, T] to samples [B, T * HOP]
    build_encoder: Callable[[], EncodecModel]
    kbps: float

    @functools.cached_property
    def encoder(self) -> EncodecModel:
        """EnCodec; `transformers` takes seconds to import."""
        return self.build_encoder()

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
    decoder = Vocos()
    decoder.load_state_dict(vocos)

    def encoder() -> EncodecModel:
        model = encodec.encodec_24khz()
        encodec.load(model, encodec_24khz)
        return model

    return Codec(decoder.train(mode=False), encoder, 3.0)


def wavtokenizer(state: State) -> Codec:
    """Lina-Speech's: both halves of WavTokenizer, from one checkpoint."""
    decoder = WavTokenizerDecoder()
    decoder.load(state)

    def encoder() -> EncodecModel:
        model = encodec.wavtokenizer_encoder()
        encodec.load(model, state, encodec.WAVTOKENIZER_PREFIX)
        return model

    return Codec(decoder.train(mode=False), encoder, 0.9)
