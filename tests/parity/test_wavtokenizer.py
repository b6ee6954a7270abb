"""WavTokenizer, decoder and encoder, against the original."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch
from golden_vectors import Golden, check_recorded, close, shapes
from keyed import fill, keyed_array, state
from test_vocos import adjust

from avatarlab_ops.engines.speech.small_e import encodec
from avatarlab_ops.engines.speech.small_e.wavtokenizer import CODEBOOK, WavTokenizerDecoder

FILE = "wavtokenizer_medium_speech_320_24k.ckpt"


@functools.cache
def decoder() -> WavTokenizerDecoder:
    model = WavTokenizerDecoder().eval()
    fill(model, gains={"head.out": 0.5}, skip="istft.window")
    model.codebook.copy_(torch.from_numpy(keyed_array(CODEBOOK, (4096, 512))))
    adjust(model)
    return model


def test_keys_and_shapes_are_the_released_ones(released_keys: Callable[..., Any]) -> None:
    released = released_keys("smalle", FILE)
    ours = {CODEBOOK if key == "codebook" else key: shape for key, shape in shapes(decoder()).items()}
    assert ours == {k: v for k, v in released.items() if not k.startswith("feature") or k == CODEBOOK}
    prefix = encodec.WAVTOKENIZER_PREFIX
    theirs = shapes(encodec.wavtokenizer_encoder())
    assert {prefix + encodec.released_key(key): shape for key, shape in theirs.items()} == {
        key: shape for key, shape in released.items() if key.startswith(prefix)
    }


def test_loads_what_decoding_needs_from_the_released_file(released_keys: Callable[..., Any]) -> None:
    released = released_keys("smalle", FILE)
    checkpoint = {key: torch.zeros(shape) for key, shape in released.items()}
    model = WavTokenizerDecoder()
    model.load(checkpoint)
    assert all(not tensor.any() for tensor in model.state_dict().values())


def test_decoding_matches_the_original(golden: Callable[[str], Golden]) -> None:
    g = golden("wavtokenizer")
    close(decoder().codebook[g["codes"][0]].mT, g["features"], 1e-5)
    close(decoder()(g["codes"]), g["audio"], 1e-5)


def test_encoding_matches_the_original(golden: Callable[[str], Golden]) -> None:
    g = golden("wavtokenizer")
    model = encodec.wavtokenizer_encoder()
    prefix = encodec.WAVTOKENIZER_PREFIX
    keyed = state({prefix + encodec.released_key(k): tuple(v) for k, v in shapes(model).items()})
    encodec.load(model, keyed, prefix)
    assert encodec.encode(model, g["wav"], 0.9).equal(g["enc_codes"])


def test_matches_what_was_recorded() -> None:
    codes = torch.arange(7).reshape(1, 1, 7) * 571 % 4096
    check_recorded("wavtokenizer", 1e-5, audio=decoder()(codes))
