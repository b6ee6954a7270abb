"""EnCodec (Défossez et al. 2022) through `transformers`, from the weights that were released with the papers.

EnCodec 24 kHz turns a voice sample into the prompt of Small-E; WavTokenizer's encoder is the same network with one
codebook, and does so for Lina-Speech.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor
from transformers import EncodecConfig, EncodecModel

from avatarlab_ops.engines import torchaudio as _torchaudio  # noqa: F401 - transformers imports torchaudio

RENAMED = (  # transformers' part of a key, the released one
    (".parametrizations.weight.original0", ".weight_g"),
    (".parametrizations.weight.original1", ".weight_v"),
    ("encoder.layers.", "encoder.model."),
    ("decoder.layers.", "decoder.model."),
    ("quantizer.layers.", "quantizer.vq.layers."),
    (".codebook.", "._codebook."),
)


def released_key(key: str) -> str:
    """The released checkpoints' name of a key of `EncodecModel`."""
    wrapped = key.startswith(("encoder.", "decoder.")) and ".lstm." not in key
    name = (
        key.replace(".conv.", ".convtr.convtr." if "TRANSPOSED" in key else ".conv.conv.") if wrapped else key
    )
    for ours, theirs in RENAMED:
        name = name.replace(ours, theirs)
    return name


def encodec_24khz() -> EncodecModel:
    """EnCodec at 24 kHz: causal, 32 codebooks of 1024."""
    return EncodecModel(EncodecConfig()).eval()


def load(model: EncodecModel, state: Mapping[str, Tensor], prefix: str = "") -> None:
    """Load released weights, whose keys start with `prefix`; a missing key raises KeyError."""
    model.load_state_dict({key: state[prefix + released_key(key)] for key in model.state_dict()})
