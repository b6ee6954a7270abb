"""Small-E small enough for tests: every file of the engine, made on the spot, and noise for a voice."""

from __future__ import annotations

import functools
import string
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from parity.keyed import fill, state
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
from torch import Tensor, nn

from avatarlab_ops.engines.speech.small_e import codec, encodec
from avatarlab_ops.engines.speech.small_e.config import Config
from avatarlab_ops.engines.speech.small_e.delay import STOP
from avatarlab_ops.engines.speech.small_e.model import Lina
from avatarlab_ops.engines.speech.small_e.vocos import WINDOW, Vocos
from avatarlab_ops.engines.speech.small_e.wavtokenizer import CODEBOOK, WavTokenizerDecoder

TINY = Config(64, 1, 1, 4, 4, 64, 128, 32, codebooks=4, codebook_size=1024)
TINY_LINA = Config(64, 1, 1, 4, 4, 32, 64, 64, 1, 4096, 256, False, True, True)
STOPS = 8.0  # times the usual size of the weights that say stop: attempts end after some tens of steps
CORPUS = "the model speaks of what it has read and we hear the words one after another, slowly or at once"


def tokenizer(path: Path) -> Path:
    """A tokenizer file of the structure of bpe256.json."""
    pairs = Tokenizer(models.BPE(unk_token="[UNK]"))
    pairs.normalizer = normalizers.Lowercase()
    pairs.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Punctuation("isolated"), pre_tokenizers.Split(" ", "isolated")]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=120, special_tokens=["[PAD]", "[BOS]", "[EOS]"], show_progress=False,
        initial_alphabet=list(" !\"'(),-.:;?" + string.ascii_lowercase),
    )  # fmt: skip
    pairs.train_from_iterator([CORPUS], trainer)
    pairs.save(str(path))
    return path


def language_model(config: Config = TINY, seed: int = 0) -> dict[str, Tensor]:
    """Keyed weights that now and then say stop in all codebooks at once."""
    model = Lina(config)
    gains = {"rvq_embed": 1.0, "txt_embed": 2.0, "logits_head": 2.0}
    fill(model, seed=seed, gains=gains, skip="rotary.freqs")
    head = model.logits_head.weight.data
    head[:, STOP] = STOPS * head[:1, STOP]
    return {key: value.contiguous() for key, value in model.state_dict().items()}


@functools.cache
def vocos() -> Mapping[str, Tensor]:
    """Keyed weights of Vocos, quiet enough not to be clipped."""
    model = Vocos()
    fill(model, gains={"head.out": 0.5}, skip="istft.window")
    return _calm(model)


@functools.cache
def encodec_24khz() -> Mapping[str, Tensor]:
    """Keyed weights of EnCodec under their released names."""
    ours = encodec.encodec_24khz().state_dict()
    return _inited(state({encodec.released_key(key): tuple(value.shape) for key, value in ours.items()}))


@functools.cache
def wavtokenizer() -> Mapping[str, Tensor]:
    """Keyed weights of both halves of WavTokenizer under their released names."""
    model = WavTokenizerDecoder()
    fill(model, gains={"head.out": 0.5}, skip="istft.window")
    decoder = _calm(model)
    del decoder["codebook"]
    ours = encodec.wavtokenizer_encoder().state_dict()
    prefix = encodec.WAVTOKENIZER_PREFIX
    shapes = {prefix + encodec.released_key(key): tuple(value.shape) for key, value in ours.items()}
    return decoder | _inited(state({CODEBOOK: (4096, 512)} | shapes))


def _calm(model: torch.nn.Module) -> dict[str, Tensor]:
    tensors = dict(model.state_dict())
    for key, tensor in tensors.items():
        if key.endswith(".scale.weight"):
            tensor.add_(1)
        if key == "head.out.bias":
            tensor[: WINDOW // 2 + 1] -= 2
    return tensors


def _inited(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    for key, tensor in tensors.items():
        if key.endswith(".inited"):
            tensor.fill_(1)
    return tensors


def network(config: Config = TINY, seed: int = 0) -> Lina:
    """The language model, ready."""
    model = Lina(config)
    model.load_state_dict(language_model(config, seed))
    return model.requires_grad_(requires_grad=False).train(mode=False)


class _Decoder(nn.Module):
    """Each code a noise of its own, 320 samples long."""

    def __init__(self) -> None:
        super().__init__()
        drawn = torch.randn(1024, 320, generator=torch.Generator().manual_seed(0))
        self.register_buffer("sounds", 0.05 * drawn)

    def forward(self, codes: Tensor) -> Tensor:
        return self.sounds[codes].sum(0).flatten(1)  # type: ignore[index]


class _Codec(codec.Codec):
    """Without a network: the codes of a sample are its levels."""

    def encode(self, samples: NDArray[np.float32]) -> Tensor:
        levels = torch.from_numpy(np.abs(samples[: len(samples) // 320 * 320].reshape(-1, 4, 80)).sum(2))
        return (levels * 1000).long().T % 1024


@functools.cache
def small_codec() -> codec.Codec:
    """What stands in for EnCodec and Vocos where their networks are not the point."""
    return _Codec(_Decoder(), encodec.encodec_24khz, 3.0)
