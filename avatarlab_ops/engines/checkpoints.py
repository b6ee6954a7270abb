"""The converter: a published checkpoint to a safetensors file with the keys and shapes of our networks.

Only `avatarlab models add` runs it. What was published as pickles is read once, here, without running its
code; every key and shape is checked against the network whose sizes the file itself declares.

    file ─ read ─ unwrap ─ what the network needs ─ check ─ safetensors
"""

from __future__ import annotations

import json
import os
import pickle  # for its error; nothing is unpickled here
import re
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from avatarlab_ops.engines import pickled
from avatarlab_ops.engines.lipsync.diffdub.config import Config as LipsConfig
from avatarlab_ops.engines.lipsync.diffdub.stage2 import AudioConfig, AudioToLatent
from avatarlab_ops.engines.lipsync.diffdub.unet import Renderer
from avatarlab_ops.engines.matting.rvm.model import MattingNetwork
from avatarlab_ops.engines.published import PUBLISHED
from avatarlab_ops.engines.speech.small_e import encodec, wavtokenizer
from avatarlab_ops.engines.speech.small_e.config import Config as SpeechConfig
from avatarlab_ops.engines.speech.small_e.model import Lina
from avatarlab_ops.engines.speech.small_e.vocos import Vocos
from avatarlab_ops.errors import ModelRefused
from avatarlab_ops.files import replacing

CONVERTER = "1"  # raised whenever the same file may be converted to other bytes
METADATA = "avatarlab"  # one entry: several would be written in any order, and the digest must not change
SHOWN = 3  # keys named in an error
State = Mapping[str, Tensor]
Shapes = dict[str, tuple[int, ...]]


@dataclass(frozen=True)
class Layout:
    """Where in a published file a network lies, and which network it must be.

    `shapes` builds it from the sizes that the tensors declare, on no memory. `prefix`: cut off the keys that
    are needed, if any key has it. `keep`: how the needed keys begin. `pickled`: it holds objects too.
    """

    shapes: Callable[[State], Shapes]
    prefix: str = ""
    keep: tuple[str, ...] = ("",)
    pickled: bool = False


def _rvm(variant: Any) -> Callable[[State], Shapes]:
    def shapes(_: State) -> Shapes:
        """What the network of this variant holds."""
        return _shapes(MattingNetwork(variant))

    return shapes


def _stage1(state: State) -> Shapes:
    return _shapes(Renderer(LipsConfig.from_state(state)))


def _stage2(state: State) -> Shapes:
    return _shapes(AudioToLatent(AudioConfig.from_state(state)))


def _hubert(state: State) -> Shapes:
    from avatarlab_ops.engines.lipsync.diffdub.hubert import network

    shapes = _shapes(network(state))
    if any(key.endswith(".weight_g") for key in state):  # as torch named them before 2.0
        for new, old in (("original0", "weight_g"), ("original1", "weight_v")):
            shapes = {key.replace(f"parametrizations.weight.{new}", old): shapes[key] for key in shapes}
    return shapes


def _language_model(state: State) -> Shapes:
    return _shapes(Lina(SpeechConfig.from_state(state)))


def _vocos(_: State) -> Shapes:
    return _shapes(Vocos())


def _encodec(_: State) -> Shapes:
    return {encodec.released_key(key): shape for key, shape in _shapes(encodec.encodec_24khz()).items()}


def _wavtokenizer(_: State) -> Shapes:
    decoder = _shapes(wavtokenizer.WavTokenizerDecoder())
    decoder[wavtokenizer.CODEBOOK] = decoder.pop("codebook")
    encoder = _shapes(encodec.wavtokenizer_encoder())
    prefix = encodec.WAVTOKENIZER_PREFIX
    return decoder | {prefix + encodec.released_key(key): shape for key, shape in encoder.items()}


def _shapes(network: torch.nn.Module) -> Shapes:
    return {key: tuple(tensor.shape) for key, tensor in network.state_dict().items()}


LAYOUTS = {
    "rvm_mobilenetv3.safetensors": Layout(_rvm("mobilenetv3")),
    "rvm_resnet50.safetensors": Layout(_rvm("resnet50")),
    "diffdub_stage1.safetensors": Layout(_stage1, "ema_model."),  # not `model.`, nor the noise `x_T`
    "diffdub_stage2.safetensors": Layout(_stage2, "seq2seq.encoder."),
    "hubert_large.safetensors": Layout(_hubert, "hubert."),
    "small_e.safetensors": Layout(_language_model),
    "lina.safetensors": Layout(_language_model, "model.", pickled=True),
    "vocos_encodec_24khz.safetensors": Layout(
        _vocos, keep=("feature_extractor.codebook_weights", "backbone.", "head.")
    ),
    "encodec_24khz.safetensors": Layout(_encodec),
    "wavtokenizer.safetensors": Layout(
        _wavtokenizer, keep=("feature_extractor.encodec.", "backbone.", "head.")
    ),
}


def convert(source: Path, name: str, target: Path, source_sha256: str) -> None:
    """Write the file `name` to `target`, whole or not at all, from a published checkpoint.

    Raises ModelRefused when `source` is damaged, is another kind of file, or holds another network; the
    message names the first keys that are missing, unexpected or misshapen, and how many there are.
    """
    if name.endswith(".json"):
        content = _tokenizer(source)
        _write(target, lambda draft: draft.write_bytes(content))
        return
    from safetensors.torch import save_file

    layout = LAYOUTS[name]
    state = _needed(_unwrapped(_read(source, name, layout), source), layout)
    _check(state, _expected(state, layout, source, name), source, name)
    origin = {"source_file": source.name, "source_sha256": source_sha256, "converter": CONVERTER}
    origin["licence"] = PUBLISHED[name].licence
    metadata = {METADATA: json.dumps(origin, sort_keys=True)}
    _write(target, lambda draft: save_file(state, draft, metadata))


def _read(source: Path, name: str, layout: Layout) -> Any:
    """Read the file as what its first bytes say it is."""
    with source.open("rb") as file:
        begins = file.read(9)
    try:
        if begins[:1] == b"\x80" or begins[:4] == b"PK\x03\x04":
            return _torch(source, layout, zipped=begins[:1] == b"P")
        if begins[8:] == b"{":
            from safetensors.torch import load_file

            return load_file(source)
        if begins[:1] == b"\x08" and name == "rvm_mobilenetv3.safetensors":
            from avatarlab_ops.engines.matting.rvm.fuse import load_onnx, unfused

            return unfused(load_onnx(source))
    except ModelRefused:
        raise
    except Exception as error:  # the file is hostile or damaged, and may fail anywhere
        raise ModelRefused(f"{source.name} cannot be read, it is damaged or cut short: {error}") from error
    raise ModelRefused(f"{source.name} is not a checkpoint{_hint(begins)}; {_wanted(name)}")


def _torch(source: Path, layout: Layout, *, zipped: bool) -> Any:
    try:
        with warnings.catch_warnings(action="ignore"):  # about what is refused next
            return torch.load(source, map_location="cpu", weights_only=True, mmap=zipped)
    except pickle.UnpicklingError as error:
        if layout.pickled and zipped:
            return pickled.read(source)
        named = re.search(r"GLOBAL (\S+)", str(error))
        what = f"it names {named[1]}" if named else "and of a kind that PyTorch does not write"
        raise ModelRefused(
            f"{source.name} is a pickle of more than tensors ({what}); nothing of it was run. Get the file "
            "from where it is published"
        ) from error


def _hint(begins: bytes) -> str:
    if begins.startswith(b"version "):
        return " but a Git LFS pointer to one: download the file itself"
    return " but a web page" if begins.lstrip()[:1] == b"<" else ""


def _wanted(name: str) -> str:
    known = PUBLISHED[name]
    return f"{name} is made from {known.upstream}, published at {known.source}"


def _unwrapped(content: Any, source: Path) -> State:
    """The mapping of keys to tensors, out of the wrappings that trainers put around it."""
    for wrapping in ("state_dict", "model"):
        if isinstance(content, Mapping) and isinstance(content.get(wrapping), Mapping):
            content = content[wrapping]
    if not isinstance(content, Mapping) or not any(isinstance(value, Tensor) for value in content.values()):
        raise ModelRefused(f"{source.name} holds no tensors by key, so it is not a checkpoint")
    return {str(key): value for key, value in content.items() if isinstance(value, Tensor)}


def _needed(state: State, layout: Layout) -> dict[str, Tensor]:
    """The network's tensors by its own keys: contiguous, of one precision, none sharing memory."""
    cut = layout.prefix if any(key.startswith(layout.prefix) for key in state) else ""
    chosen = {key.removeprefix(cut): value for key, value in state.items() if key.startswith(cut)}
    return {key: _plain(value) for key, value in sorted(chosen.items()) if key.startswith(layout.keep)}


def _plain(tensor: Tensor) -> Tensor:
    tensor = tensor.detach()
    return (tensor.float() if tensor.is_floating_point() else tensor).clone(
        memory_format=torch.contiguous_format
    )


def _expected(state: State, layout: Layout, source: Path, name: str) -> Shapes:
    try:
        with torch.device("meta"):
            return layout.shapes(state)
    except Exception as error:  # the sizes that it declares may be anything
        raise ModelRefused(
            f"{source.name} is not a checkpoint of {name}: no network has its sizes "
            f"({type(error).__name__}: {error}); {_wanted(name)}"
        ) from error


def _check(state: State, expected: Shapes, source: Path, name: str) -> None:
    shared = [key for key in expected if key in state]
    shapes = {key: tuple(state[key].shape) for key in shared}
    wrong = {
        "missing": [key for key in expected if key not in state],
        "unexpected": [key for key in state if key not in expected],
        "misshapen": [f"{k} {shapes[k]} for {expected[k]}" for k in shared if shapes[k] != expected[k]],
        "not finite": [key for key in shared if not state[key].isfinite().all()],
    }
    told = [f"{len(keys)} {what}: {_first(keys)}" for what, keys in wrong.items() if keys]
    if told:
        raise ModelRefused(f"{source.name} is not the network of {name}: {'; '.join(told)}. {_wanted(name)}")


def _first(keys: list[str]) -> str:
    return ", ".join(keys[:SHOWN]) + (", ..." if len(keys) > SHOWN else "")


def _tokenizer(source: Path) -> bytes:
    """Bytes of a tokenizer in the JSON of the library `tokenizers`, as they are."""
    from tokenizers import Tokenizer

    content = source.read_bytes()
    try:
        vocabulary = Tokenizer.from_str(content.decode()).get_vocab()
    except Exception as error:  # the library raises Exception itself
        raise ModelRefused(f"{source.name} is not a tokenizer's JSON: {error}") from error
    specials = {"[PAD]": 0, "[BOS]": 1, "[EOS]": 2}
    if not specials.items() <= vocabulary.items():
        raise ModelRefused(f"{source.name} is another tokenizer: it lacks {', '.join(specials)} as 0, 1, 2")
    return content


def _write(target: Path, write: Callable[[Path], Any]) -> None:
    with replacing(target) as draft:
        write(draft)
        with draft.open("rb") as file:
            os.fsync(file.fileno())
