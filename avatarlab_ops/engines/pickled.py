"""Tensors of a torch checkpoint that also pickles objects, read without running any of the pickle's code.

A pickle is a program that names classes and calls them. Here every name means an inert stand-in, but for the
three that a tensor is made of; those describe it, and it is read from the archive afterwards.
"""

from __future__ import annotations

import io
import math
import pickle  # names are never resolved, see `_Reader.find_class`
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from avatarlab_ops.errors import ModelRefused

MAX_PICKLE_BYTES = 64 << 20  # the program, without the tensors
_STORAGES = {
    "FloatStorage": torch.float32,
    "DoubleStorage": torch.float64,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}


class Inert:
    """Whatever a pickle names; takes all that unpickling does to an object, and does nothing."""

    def __new__(cls, *_args: Any, **_kwargs: Any) -> Inert:  # noqa: D102
        return super().__new__(cls)

    def __init__(self, *_args: Any, **_kwargs: Any) -> None: ...

    def __call__(self, *_args: Any, **_kwargs: Any) -> Inert:  # noqa: D102
        return self

    def __setstate__(self, _state: Any) -> None: ...

    def __setitem__(self, _key: Any, _value: Any) -> None: ...

    def append(self, _value: Any) -> None:
        """Nothing."""

    extend = add = append


class Items(dict[Any, Any]):
    """An OrderedDict without attributes."""

    def __setstate__(self, _state: Any) -> None: ...


class Stored(NamedTuple):
    """A run of numbers in the archive."""

    key: str
    dtype: torch.dtype
    length: int


class Described(NamedTuple):
    """A tensor before it is read."""

    stored: Stored
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]


def _describe(stored: Stored, offset: int, size: Any, stride: Any, *_rest: Any) -> Described:
    return Described(stored, offset, tuple(size), tuple(stride))


def _parameter(data: Any, *_rest: Any) -> Any:
    return data


_MEANT = {
    ("collections", "OrderedDict"): Items,
    ("torch._utils", "_rebuild_tensor_v2"): _describe,
    ("torch._utils", "_rebuild_parameter"): _parameter,
}


class _Reader(pickle._Unpickler):
    # The unpickler written in Python keeps its memo in a dict. The one in C allocates an array as long as the
    # largest index, and a hostile file can make that gigabytes.

    def find_class(self, module: str, name: str) -> Any:
        if module == "torch" and name in _STORAGES:
            return _STORAGES[name]
        return _MEANT.get((module, name), Inert)

    def persistent_load(self, pid: Any) -> Stored:
        _, dtype, key, _, count = pid
        return Stored(str(key), dtype, int(count))


def read(path: Path) -> dict[str, Tensor]:
    """The tensors of `state_dict` in a zipped torch checkpoint, by key.

    Raises ModelRefused when the file is none, is damaged, or packs its tensors.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            root = next(n for n in archive.namelist() if n.endswith("/data.pkl")).removesuffix("data.pkl")
            tree = _Reader(io.BytesIO(_entry(archive, f"{root}data.pkl", MAX_PICKLE_BYTES))).load()
            described = {k: v for k, v in dict.items(tree["state_dict"]) if isinstance(v, Described)}
            return {str(key): _tensor(archive, root, value) for key, value in described.items()}
    except ModelRefused:
        raise
    except Exception as error:  # the file is hostile or damaged, and may fail anywhere
        raise ModelRefused(
            f"{path.name} is not a whole torch checkpoint with a state_dict: {error}"
        ) from error


def _tensor(archive: zipfile.ZipFile, root: str, described: Described) -> Tensor:
    stored, offset, size, stride = described
    content = _entry(archive, f"{root}data/{stored.key}", stored.length * stored.dtype.itemsize)
    numbers = torch.frombuffer(bytearray(content), dtype=stored.dtype)
    if math.prod(size) > len(numbers):
        raise ModelRefused(
            f"the checkpoint declares a tensor of size {size}, but holds only {len(numbers)} numbers for it: "
            "it is damaged; download it again"
        )
    return numbers.as_strided(size, stride, offset).clone()


def _entry(archive: zipfile.ZipFile, name: str, max_bytes: int) -> bytes:
    """Content of an entry that is stored as it is, as torch does; so nothing can grow out of a small file."""
    found = archive.getinfo(name)
    if found.compress_type != zipfile.ZIP_STORED or found.file_size > max_bytes:
        raise ModelRefused(f"{name} is compressed or larger than {max_bytes:,} bytes, as torch writes none")
    return archive.read(found)
