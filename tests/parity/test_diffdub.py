"""DiffDub's two stages, its sampler and its crops against the original."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from golden_vectors import Golden, check_recorded, close, noise, normal, shapes
from keyed import fill

from avatarlab_ops.engines.lipsync.diffdub import crops
from avatarlab_ops.engines.lipsync.diffdub.config import Config
from avatarlab_ops.engines.lipsync.diffdub.ddim import Canvas, paint, paint_steps, scheduler
from avatarlab_ops.engines.lipsync.diffdub.stage2 import AudioToLatent, references
from avatarlab_ops.engines.lipsync.diffdub.unet import Renderer

STAGE_1, STAGE_2 = "ema_model.", "seq2seq.encoder."  # before the keys of the networks in released state dicts
TINY = Config(32, (1, 1, 2, 2), (1, 1, 2, 2, 2), 64, 64, 16)


@functools.cache
def renderer(size: str = "tiny", seed: int = 0) -> Renderer:
    model = Renderer(TINY if size == "tiny" else Config()).eval()
    fill(model, seed=seed)
    return model


@functools.cache
def audio_to_latent() -> AudioToLatent:
    model = AudioToLatent().eval()
    fill(model, prefix=STAGE_2)
    return model


def canvas(g: Golden, latent: torch.Tensor) -> Canvas:
    return Canvas(g["x_start"], g["mask_nhwc"].permute(0, 3, 1, 2), g["x_ref"], latent, g["noise"])


def within(checkpoint: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    """The network that a released state dict holds among others."""
    return {key[len(prefix) :]: value for key, value in checkpoint.items() if key.startswith(prefix)}


def test_stage1_keys_and_shapes_are_the_released_ones(released_keys: Callable[..., Any]) -> None:
    assert shapes(renderer()) == released_keys("diffdub", "stage1_tiny_ema_model")
    with torch.device("meta"):
        released = released_keys("diffdub", "stage1_state_dict.ckpt")
        checkpoint = {key: torch.empty(shape) for key, shape in released.items()}
        model = Renderer()
        model.load_state_dict(within(checkpoint, STAGE_1), assign=True)


def test_stage2_keys_and_shapes_are_the_released_ones(released_keys: Callable[..., Any]) -> None:
    with torch.device("meta"):
        released = released_keys("diffdub", "stage2_state_dict.ckpt")
        checkpoint = {key: torch.empty(shape) for key, shape in released.items()}
        assert len(checkpoint) == len(shapes(AudioToLatent()))
        AudioToLatent().load_state_dict(within(checkpoint, STAGE_2), assign=True)


@pytest.mark.parametrize("size", ["tiny", "full64"])
def test_one_call_matches_the_original(size: str, golden: Callable[[str], Golden]) -> None:
    g = golden(f"diffdub_stage1_{size}")
    close(renderer(size).encoder(g["lip"]), g["cond"], 1e-4)
    close(renderer(size)(g["unet_in"], g["unet_t"], g["cond"]), g["unet_eps"], 1e-4)


@pytest.mark.parametrize(("size", "steps"), [("tiny", 4), ("tiny", 20), ("full64", 4)])
def test_sampling_matches_the_original(size: str, steps: int, golden: Callable[[str], Golden]) -> None:
    g = golden(f"diffdub_stage1_{size}")
    name = f"ddim{steps}"
    taken = list(paint_steps(renderer(size), canvas(g, g["cond"]), steps))
    assert sorted(step.timestep for step in taken) == g[f"{name}_timesteps"].tolist()
    close(torch.stack([step.sample for step in taken]), g[f"{name}_samples"], 2e-3)
    close(torch.stack([step.clean for step in taken]), g[f"{name}_x0"], 2e-3)
    close((taken[-1].sample + 1) / 2, g[f"{name}_render"], 2e-3)


@pytest.mark.slow
def test_full_size_matches_the_original(golden: Callable[[str], Golden]) -> None:
    g = golden("diffdub_stage1_full256")
    model = renderer("full64")
    close(model.encoder(noise(g["lip_seed"], 1, 3, 256, 256)), g["cond"], 1e-4)
    eps = model(noise(g["unet_in_seed"], 1, 6, 256, 256), g["unet_t"], g["cond"])
    close(eps, g["unet_eps"], 1e-4)


def test_audio_to_latent_matches_the_original(golden: Callable[[str], Golden]) -> None:
    g = golden("diffdub_stage2")
    model = audio_to_latent()
    audio, reference = normal(11, 1, 25, 21, 1024), normal(12, 1, 9, 512)
    shortened, encoded = model.shorten(audio), model.reference_encoder(reference)
    found = model.cross_attention(shortened, encoded)
    close(shortened, g["downsampled"], 1e-4)
    close(encoded, g["reference_encoder"], 1e-4)
    close(found, g["cross_attention"], 1e-4)
    close(model.speech_encoder(found), g["speech_encoder"], 1e-4)
    close(model(audio, reference), g["out"], 1e-4)
    close(model(normal(13, 2, 25, 40, 1024), normal(14, 2, 75, 512)), g["out_b2_T40_ref75"], 1e-4)


@pytest.mark.parametrize("top", [crops.INNER_BROW, crops.NOSE_TIP])
def test_masks_match_the_original(top: int, golden: Callable[[str], Golden]) -> None:
    g = golden("diffdub_preproc")
    expected = np.unpackbits(g[f"bin_{top}"].numpy()).reshape(256, 256).astype(bool)
    np.testing.assert_array_equal(crops.lower_face(g["landmarks"].numpy(), 256, top), expected)


def test_latent_crop_matches_the_original(golden: Callable[[str], Golden]) -> None:
    g = golden("diffdub_preproc")
    crop = crops.latent_crop(g["img"].numpy(), g["landmarks"].numpy())
    np.testing.assert_array_equal(crop, g["lip_21"].numpy())


def test_from_audio_to_frames_matches_the_original(golden: Callable[[str], Golden]) -> None:
    g = golden("diffdub_chain64")
    landmarks, face = g["landmarks"].numpy(), g["face"].numpy()
    crop = crops.latent_crop(face, landmarks)
    np.testing.assert_array_equal(crop, g["lip"].numpy())
    model = renderer("full64")
    reference = model.encoder(crops.to_tensor(crop[None]))
    close(reference, g["ref_latent"], 1e-4)
    latents = audio_to_latent()(normal(32, 1, 25, 4, 1024), references(reference))
    close(latents, g["latents"], 1e-4)
    keep = crops.keep_mask(landmarks, 64)[None]
    np.testing.assert_array_equal(keep[0, 0], g["mask_keep"][..., 0])
    source = crops.to_tensor(face[None])
    for i in range(len(g["frames"])):
        painted = paint(model, Canvas(source, keep, source, latents[:, i], g["xT"]), 4)
        close((painted + 1) / 2, g[f"render_{i}"], 2e-3)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_frames_painted_together_equal_frames_painted_alone(seed: int) -> None:
    model = renderer("tiny", seed)
    source, reference = noise(seed, 3, 3, 64, 64), noise(seed + 1, 3, 3, 64, 64)
    keep = (noise(seed + 2, 3, 1, 64, 64) > 0).float()
    latent, start = noise(seed + 3, 3, 64), normal(seed, 1, 3, 64, 64)
    together = paint(model, Canvas(source, keep, reference, latent, start), 4)
    alone = [
        paint(
            model,
            Canvas(source[i : i + 1], keep[i : i + 1], reference[i : i + 1], latent[i : i + 1], start),
            4,
        )
        for i in range(3)
    ]
    assert together.isfinite().all()
    close(torch.cat(alone), together, 1e-4)


def test_steps_must_divide_the_schedule() -> None:
    with pytest.raises(ValueError, match="must divide 1000"):
        scheduler(3)


def test_the_crop_holds_the_face_and_stays_inside_the_frame() -> None:
    boxes = np.array([[500, 20, 620, 160], [505, 22, 625, 165], [498, 18, 619, 161.0]])
    left, top, side = crops.square_crop(boxes, 640, 360)
    assert left <= 500
    assert top <= 20
    assert left + side <= 640
    assert top + side <= 360
    assert side >= 140


def test_matches_what_was_recorded() -> None:
    model = renderer()
    latent = model.encoder(noise(1, 1, 3, 64, 64))
    keep = torch.ones(1, 1, 64, 64)
    keep[..., 32:, 16:48] = 0
    start = normal(4, 1, 3, 64, 64)
    painted = paint(model, Canvas(noise(2, 1, 3, 64, 64), keep, noise(3, 1, 3, 64, 64), latent, start), 4)
    check_recorded("diffdub_tiny", 2e-3, latent=latent, painted=painted)
    latents = audio_to_latent()(normal(5, 1, 25, 7, 1024), normal(6, 1, 3, 512))
    check_recorded("diffdub_stage2", latents=latents)
