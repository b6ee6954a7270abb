"""RVM in PyTorch and in ONNX Runtime, the same weights: frames a second, tensors only and file to file.

Wall clock and, because a busy machine stretches it, CPU seconds a frame beside it: the fastest of a few
rounds, in which tensors and files alternate.
The tensor column of ONNX Runtime includes turning pixels into floats and back; its file computes the
foreground too.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch

from avatarlab_ops.engines import device, weights
from avatarlab_ops.engines.base import Frame
from avatarlab_ops.engines.matting.recurrent import Recurrent, downsample_ratio
from avatarlab_ops.engines.matting.rvm.engine import TorchNetwork
from avatarlab_ops.engines.matting.rvm.fuse import load_onnx
from avatarlab_ops.engines.matting.rvm_onnx import MODEL_FILE, RvmOnnx
from avatarlab_ops.media.footage import open_footage
from avatarlab_ops.media.video import VideoWriter
from avatarlab_ops.progress import silent
from avatarlab_ops.stages.matte import cut_out

PORTRAIT = Path(__file__).parents[1] / "demo" / "astronaut.png"
SIZES = ((1280, 720), (1920, 1080))
FPS = 25
CPU_FRAMES, GPU_FRAMES = 32, 200
ROUNDS = 3  # the fastest counts


def footage(size: tuple[int, int], frames: int) -> list[Frame]:
    """The astronaut, filling the picture and drifting a little, RGB uint8 [H, W, 3]."""
    width, height = size
    portrait = cv2.cvtColor(cv2.imread(str(PORTRAIT)), cv2.COLOR_BGR2RGB)
    wide = cv2.resize(portrait, (width + 64, (width + 64) * portrait.shape[0] // portrait.shape[1]))
    shifts = (32 + round(24 * np.sin(i / 8)) for i in range(frames))
    return [np.ascontiguousarray(wide[:height, shift : shift + width]) for shift in shifts]


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Wall and CPU seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def tensor_only(network: TorchNetwork, frames: list[Frame]) -> Callable[[], None]:
    """The network on frames that already lie on the device."""
    batch = network.batch
    clips = [network.clip(frames[i : i + batch]) for i in range(0, len(frames), batch)]
    ratio = downsample_ratio(frames[0])

    @torch.inference_mode()
    def run() -> None:
        state = None
        for clip in clips:
            alpha, state = network.alpha(clip, state, ratio)
        float(alpha.mean())  # waits for the GPU

    return run


def rows(size: tuple[int, int], frames: int, networks: dict[str, TorchNetwork]) -> None:
    """Print one size: every PyTorch network, and ONNX Runtime where there is no GPU."""
    film = footage(size, frames)
    with tempfile.TemporaryDirectory() as name:
        source = Path(name) / "film.mp4"
        with VideoWriter(source, *size, FPS) as writer:
            for frame in film:
                writer.write(frame)

        def file_to_file(engine: Recurrent) -> Callable[[], None]:
            def run() -> None:
                with open_footage(source, fps=FPS, max_short_side_px=size[1]) as clip:
                    cut_out(clip, engine, Path(name) / "alpha.mkv", FPS, silent)

            return run

        onnx = RvmOnnx()
        state = onnx.network.matte(film[:1], None)[1]
        work = {"onnxruntime, CPU": (lambda: onnx.network.matte(film, state), file_to_file(onnx))}
        for label, network in networks.items():
            work[label] = (tensor_only(network, film), file_to_file(Recurrent(network)))
            network.matte(film[: network.batch], None)  # warm
        for label, (tensors, files) in work.items():
            rounds = [(timed(tensors), timed(files)) for _ in range(ROUNDS)]
            (wall, cpu), (whole, whole_cpu) = (min(way) for way in zip(*rounds, strict=True))
            print(
                f"{size[0]}x{size[1]:<5} {label:<22} {frames / wall:>8.2f} {cpu / frames:>8.3f} "
                f"{frames / whole:>12.2f} {whole_cpu / frames:>8.3f} {wall / whole:>9.2f}",
                flush=True,
            )


def gpu() -> None:
    """Rows for every precision with error and peak memory, or a line that says why there are none."""
    if not torch.cuda.is_available():
        print("\nGPU: no GPU in this machine; TF32, fp16, bf16 and peak memory were not measured.")
        return
    frames = footage(SIZES[0], 16)
    reference = None
    for label, dtype, tf32 in (
        ("fp32", torch.float32, False), ("TF32", torch.float32, True),
        ("fp16", torch.float16, True), ("bf16", torch.bfloat16, True),
    ):  # fmt: skip
        torch.backends.cudnn.allow_tf32 = tf32
        torch.cuda.reset_peak_memory_stats()
        network = TorchNetwork(load_onnx(weights.path(MODEL_FILE)), dtype)
        alphas = np.stack(list(Recurrent(network).mattes(frames))).astype(int)
        reference = alphas if reference is None else reference
        for size in SIZES:
            rows(size, GPU_FRAMES, {f"torch CUDA {label}": network})
        peak = torch.cuda.max_memory_allocated() / 2**20
        error = np.abs(alphas - reference).max()
        print(f"{label}: peak {peak:.0f} MiB, alpha off by at most {error} of 255 from fp32")


def main() -> None:
    """Print both tables."""
    print(f"{device.threads()} threads for each engine; decoding and encoding have their own")
    print(
        f"{'size':<10} {'engine':<22} {'tensor/s':>8} {'CPU s':>8} "
        f"{'file-file/s':>12} {'CPU s':>8} {'fraction':>9}"
    )
    if not torch.cuda.is_available():
        network = TorchNetwork(load_onnx(weights.path(MODEL_FILE)))
        for size in SIZES:
            rows(size, CPU_FRAMES, {"torch, CPU": network})
    gpu()


if __name__ == "__main__":
    main()
