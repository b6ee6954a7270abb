"""EnCodec 24 kHz, through transformers and with released key names, against the original."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch
from golden_vectors import Golden, check_recorded, close, noise, shapes
from keyed import state

from avatarlab_ops.engines.speech.small_e import encodec


@functools.cache
def network() -> Any:
    model = encodec.encodec_24khz()
    keyed = state({encodec.released_key(key): tuple(shape) for key, shape in shapes(model).items()})
    for key, tensor in keyed.items():
        if key.endswith(".inited"):
            tensor.fill_(1)
        if key.endswith(".embed"):
            tensor.mul_(2)
    encodec.load(model, keyed)
    return model


def test_keys_and_shapes_are_the_released_ones(released_keys: Callable[..., Any]) -> None:
    ours = {encodec.released_key(key): shape for key, shape in shapes(network()).items()}
    assert ours == released_keys("smalle", "encodec_24khz-d7cc33bc.th")


def test_matches_the_original(golden: Callable[[str], Golden]) -> None:
    g = golden("encodec24")
    close(network().encoder(g["wav"]), g["emb"], 1e-4)
    codes = encodec.encode(network(), g["wav"][:, 0], 3.0)
    assert codes.transpose(0, 1).equal(g["codes"])
    close(network().decode(g["codes"][None], [None]).audio_values, g["dec"], 1e-4)


def test_matches_what_was_recorded() -> None:
    codes = encodec.encode(network(), noise(2, 1, 4000), 3.0)
    check_recorded("encodec24", codes=codes, emb=network().encoder(noise(3, 1, 1, 960)))


def test_codes_of_a_longer_sample_begin_alike() -> None:
    samples = noise(4, 1, 6400)
    short, long = (encodec.encode(network(), samples[:, :n], 3.0) for n in (3200, 6400))
    assert long.shape == (4, 1, 20)
    assert torch.equal(short[..., :8], long[..., :8])
