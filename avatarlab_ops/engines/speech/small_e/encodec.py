"""EnCodec (Défossez et al. 2022) through `transformers`, from the weights that were released with the papers.

EnCodec 24 kHz turns a voice sample into the prompt of Small-E. WavTokenizer's encoder is the same network,
with one codebook and not causal, and does so for Lina-Speech.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from torch import Tensor

if TYPE_CHECKING:
    from transformers import EncodecModel

WAVTOKENIZER_PREFIX = "feature_extractor.encodec."  # of this network's keys in WavTokenizer's checkpoint
RENAMED = (  # transformers' part of a key and the released one, in this order
    # The layers that double back to samples.
    (r"^(decoder\.layers\.(?:3|6|9|12))\.conv\.", r"\1.convtr.convtr."),
    (r"\.conv\.", ".conv.conv."),
    (r"\.parametrizations\.weight\.original0$", ".weight_g"),
    (r"\.parametrizations\.weight\.original1$", ".weight_v"),
    (r"^(encoder|decoder)\.layers\.", r"\1.model."),
    (r"^quantizer\.layers\.", "quantizer.vq.layers."),
    (r"\.codebook\.", "._codebook."),
)


def released_key(key: str) -> str:
    """The released checkpoints' name of a key of `EncodecModel`."""
    for ours, theirs in RENAMED:
        key = re.sub(ours, theirs, key)
    return key


def encodec_24khz() -> EncodecModel:
    """EnCodec at 24 kHz: causal, 32 codebooks of 1024, 75 codes a second."""
    return _build()


def wavtokenizer_encoder() -> EncodecModel:
    """WavTokenizer's encoder: one codebook of 4096, 75 codes a second (its own decoder half is not used)."""
    return _build(
        hidden_size=512, codebook_size=4096, codebook_dim=512, target_bandwidths=[0.9], use_causal_conv=False
    )


def _build(**changes: Any) -> EncodecModel:
    from transformers import EncodecConfig, EncodecModel

    import avatarlab_ops.engines.torchaudio  # noqa: F401 - transformers imports torchaudio by itself

    model = EncodecModel(EncodecConfig(**changes))
    model.train(mode=False)
    return model


def load(model: EncodecModel, state: Mapping[str, Tensor], prefix: str = "") -> None:
    """Load released weights, whose keys start with `prefix`; a missing key raises KeyError."""
    model.load_state_dict({key: state[prefix + released_key(key)] for key in model.state_dict()})


def encode(model: EncodecModel, samples: Tensor, kbps: float) -> Tensor:
    """Samples float32 [B, n] at 24 kHz to codes int64 [Q, B, T], T = ceil(n / 320)."""
    encoded: Any = model.encode(samples[:, None], bandwidth=kbps)
    codes: Tensor = encoded.audio_codes  # [1, B, Q, T]: the whole sample is one chunk
    return codes[0].transpose(0, 1)
