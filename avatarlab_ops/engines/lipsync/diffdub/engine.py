"""The engine: speech and footage in, one patch a frame out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, groupby, pairwise
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from avatarlab_ops.engines import weights
from avatarlab_ops.engines.base import (
    FaceTrack,
    Frame,
    FrameSource,
    Patch,
    Preparation,
    Speech,
    footage_index,
)
from avatarlab_ops.engines.batches import batched
from avatarlab_ops.engines.device import for_torch
from avatarlab_ops.engines.lipsync.curves import drive
from avatarlab_ops.engines.lipsync.diffdub import crops, paste
from avatarlab_ops.engines.lipsync.diffdub.config import Config
from avatarlab_ops.engines.lipsync.diffdub.ddim import Canvas, paint
from avatarlab_ops.engines.lipsync.diffdub.framing import Framing
from avatarlab_ops.engines.lipsync.diffdub.hubert import hubert
from avatarlab_ops.engines.lipsync.diffdub.keyframes import Real, Shot, between, groups
from avatarlab_ops.engines.lipsync.diffdub.listen import RATE, Listener, resampled
from avatarlab_ops.engines.lipsync.diffdub.stage2 import REFERENCES, AudioConfig, AudioToLatent
from avatarlab_ops.engines.lipsync.diffdub.unet import Renderer
from avatarlab_ops.engines.lipsync.fade import fade
from avatarlab_ops.engines.lipsync.measure import lip_gap
from avatarlab_ops.engines.lipsync.viseme_warp.geometry import FaceFrame
from avatarlab_ops.engines.lipsync.viseme_warp.head import STILL, Sway
from avatarlab_ops.errors import FaceRefused
from avatarlab_ops.progress import Report, silent

State = Mapping[str, Tensor]
BATCH = {"cpu": 2, "cuda": 16}  # frames
ENCODED = 16  # crops at once


class Sampling(NamedTuple):
    """How much the network paints: steps and order of the sampler, and painted frames a second of video.

    The authors' are 20 steps of order 1; from 25 frames a second on every one is painted.
    """

    steps: int = 5
    order: int = 2
    painted_hz: float = 12.5


class DiffDub:
    """Lip-sync by masked diffusion (DiffDub), conditioned on what is heard and on how the person looks."""

    def __init__(
        self,
        stage1: State,
        stage2: State,
        ears: State,
        sampling: Sampling = Sampling(),  # noqa: B008
    ) -> None:
        self.sampling = sampling
        self._device = for_torch()
        renderer = Renderer(Config.from_state(stage1))
        audio = AudioToLatent(AudioConfig.from_state(stage2))
        renderer.load_state_dict(stage1)
        audio.load_state_dict(stage2)
        renderer.eval().to(self._device)
        self.renderer: Renderer = renderer.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._listener = Listener(hubert(ears, self._device), audio.eval().to(self._device))
        self._size = renderer.config.image

    @torch.inference_mode()
    def prepare(self, frames: FrameSource, track: FaceTrack, *, report: Report = silent) -> Preparation:
        """What every script of this avatar shares.

        latents: float32 [R, L] of up to 75 frames in a row at 25 Hz, as stage 2 was trained; reference: the
        frame whose mouth is open widest, which shows the network the teeth. Raises FaceRefused when no frame
        shows a face.
        """
        framing = Framing.of(track)
        seen = np.flatnonzero(track.present)
        if not seen.size:
            raise FaceRefused(f"none of the {len(track)} frames shows a face; choose other footage")
        shown = _in_a_row(track, int(seen[0]))

        def encode(indices: Sequence[int]) -> list[Tensor]:
            lips = [crops.latent_crop(*self._look(frames, framing, index)) for index in indices]
            return list(self.renderer.encoder(self._tensor(np.stack(lips))).float().cpu())

        latents = []
        for latent in batched(encode, shown, ENCODED):
            latents.append(latent)
            report(len(latents), len(shown), "frames of the person")
        widest = seen[lip_gap(track.landmarks[seen]).argmax()]
        return {"latents": torch.stack(latents).numpy(), "reference": np.asarray(widest)}

    def patches(
        self,
        frames: FrameSource,
        track: FaceTrack,
        speech: Speech,
        *,
        fps: float,
        seed: int,
        blinks: bool = True,  # noqa: ARG002 - the eyes are not repainted
        head_motion: bool = True,
        preparation: Preparation | None = None,
        report: Report,
    ) -> Iterator[Patch]:
        """See `LipsyncEngine`: round(duration_s * fps) patches in order.

        `blinks` does nothing. `preparation` is made here if not given. Raises OutOfMemory when one frame does
        not fit.
        """
        known = preparation or self.prepare(frames, track)
        clip = _Clip(self, frames, track, known=known, head_motion=head_motion, seed=seed)
        return clip.patches(speech, fps, report)

    def _look(self, frames: FrameSource, framing: Framing, index: int) -> tuple[Frame, Real]:
        return framing.square(frames[index], index, self._size), framing.seen(index, self._size)

    def _tensor(self, squares: NDArray[np.uint8]) -> Tensor:
        return crops.to_tensor(squares).to(self._device)


def from_weights() -> DiffDub:
    """The engine with the weights that an operator added. Raises EngineUnavailable without them."""
    names = ("diffdub_stage1.safetensors", "diffdub_stage2.safetensors", "hubert_large.safetensors")
    stage1, stage2, ears = (weights.tensors(name) for name in names)
    return DiffDub(stage1, stage2, ears)


class _Painted(NamedTuple):
    """A group of shots, the first painted: float32 [S, S, 3] in 0..255, None where there is no face."""

    shots: list[Shot]
    picture: Real | None


class _Clip:
    """One render's state: where the network looks, the person it imitates and the noise it starts from."""

    def __init__(
        self, engine: DiffDub, frames: FrameSource, track: FaceTrack,
        *, known: Preparation, head_motion: bool, seed: int,
    ) -> None:  # fmt: skip
        self._engine, self._frames, self._track = engine, frames, track
        self._framing = Framing.of(track)
        self._window = _Window.of(self._framing, engine._size)
        self._person = torch.from_numpy(known["latents"]).to(engine._device)
        reference, _ = engine._look(frames, self._framing, int(known["reference"]))
        self._reference = engine._tensor(reference[None])
        generator = torch.Generator().manual_seed(seed)  # on the CPU: alike on every device
        self._noise = torch.randn(self._reference.shape, generator=generator).to(engine._device)
        still = len(frames) == 1 and head_motion
        self._sway = Sway(np.random.default_rng([seed, 2])) if still else None

    @torch.inference_mode()
    def patches(self, speech: Speech, fps: float, report: Report) -> Iterator[Patch]:
        """Patches in order; two seconds of shots and a batch of pictures are held."""
        stress = drive(speech.timeline, fps).stress
        painted = batched(
            self._paint, self._groups(speech, fps, len(stress)), BATCH[self._engine._device.type]
        )
        for here, after in pairwise(chain(painted, [None])):
            assert here is not None  # noqa: S101  only the last is
            for shot in here.shots:
                yield self._patch(shot, _picture(shot, here, after), self._motion(shot, fps, stress))
                report(shot.frame + 1, len(stress), "frames")

    def _groups(self, speech: Speech, fps: float, n: int) -> Iterator[list[Shot]]:
        for seen, run in groupby(self._shots(speech, fps, n), key=lambda shot: shot.strength > 0):
            if seen:
                yield from groups(run, fps, self._engine.sampling.painted_hz)
            else:
                yield from ([shot] for shot in run)

    def _shots(self, speech: Speech, fps: float, n: int) -> Iterator[Shot]:
        index = [footage_index(i, len(self._frames)) for i in range(n)]
        strength = fade(self._track.present[index])
        latents = self._engine._listener.latents(speech, self._person)
        looked = -1
        for i, latent in enumerate(resampled(latents, fps, n)):
            if index[i] != looked:
                looked = index[i]
                square, points = self._engine._look(self._frames, self._framing, looked)
            yield Shot(i, looked, float(strength[i]), latent.float().cpu().numpy(), square, points)

    def _paint(self, batch: Sequence[list[Shot]]) -> list[_Painted]:
        """Run the network once for all groups that show a face."""
        firsts = [group[0] for group in batch if group[0].strength > 0]
        pictures = iter(self._pictures(firsts)) if firsts else iter(())
        return [_Painted(group, next(pictures) if group[0].strength > 0 else None) for group in batch]

    def _pictures(self, shots: list[Shot]) -> NDArray[np.float32]:
        engine = self._engine
        source = engine._tensor(np.stack([shot.square for shot in shots]))
        keep = torch.stack([crops.keep_mask(shot.points, engine._size) for shot in shots]).to(source.device)
        latent = torch.from_numpy(np.stack([shot.latent for shot in shots])).to(source.device)
        canvas = Canvas(source, keep, self._reference.expand_as(source), latent, self._noise)
        painted = paint(engine.renderer, canvas, engine.sampling.steps, engine.sampling.order)
        scaled = (painted.float().clamp(-1, 1) + 1) * crops.NORMAL
        return scaled.permute(0, 2, 3, 1).cpu().numpy()

    def _patch(self, shot: Shot, picture: Real | None, motion: Real) -> Patch:
        place = self._window.inside(shot.source)
        x, y = self._framing.corners[shot.source] + (place[1].start, place[0].start)
        if picture is None:
            height, width = (part.stop - part.start for part in place)
            blank = np.zeros((height, width), np.uint8)
            return Patch(shot.source, int(x), int(y), np.zeros((height, width, 3), np.uint8), blank, motion)
        mask = paste.soft_mask(shot.points, self._engine._size)
        rgb, alpha = paste.enlarged(
            paste.matched(picture, shot.square.astype(np.float32), mask),
            mask * shot.strength,
            self._framing.side,
        )
        return Patch(shot.source, int(x), int(y), rgb[place].copy(), alpha[place].copy(), motion)

    def _motion(self, shot: Shot, fps: float, stress: Real) -> Real:
        if self._sway is None:
            return STILL
        face = FaceFrame.of(self._track.landmarks[shot.source])
        return self._sway.at((shot.frame + 0.5) / fps, float(stress[shot.frame]), face)


class _Window:
    """The part of the square that a patch holds: of one size, around the outline of each source frame."""

    def __init__(self, size: NDArray[np.int64], corners: NDArray[np.int64]) -> None:
        self._size, self._corners = size, corners

    @classmethod
    def of(cls, framing: Framing, size: int) -> _Window:
        """The smallest window, in pixels of the square, that holds what is repainted in every frame."""
        scale, side = framing.side / size, framing.side
        outlines = np.array([
            crops.corners(framing.seen(i, size), crops.NOSE_TIP) for i in range(len(framing.points))
        ])  # fmt: skip
        low = np.clip((outlines.min(1) - paste.REACH) * scale - 2, 0, side)
        high = np.clip((outlines.max(1) + paste.REACH) * scale + 2, 0, side)
        extent = np.maximum(2, np.ceil((high - low).max(0)).astype(np.int64) + 1)
        extent = np.minimum(extent + extent % 2, side - side % 2)
        return cls(extent, np.clip(np.round((low + high - extent) / 2), 0, side - extent).astype(np.int64))

    def inside(self, source: int) -> tuple[slice, slice]:
        """Rows and columns of the square."""
        (x, y), (width, height) = self._corners[source], self._size
        return slice(int(y), int(y + height)), slice(int(x), int(x + width))


def _picture(shot: Shot, here: _Painted, after: _Painted | None) -> Real | None:
    """The picture of a shot: painted, or between the painted ones."""
    if shot is here.shots[0] or here.picture is None:
        return here.picture
    assert after is not None and after.picture is not None  # noqa: S101, PT018  groups end in a painted one
    return between(shot, (here.shots[0], here.picture), (after.shots[0], after.picture))


def _in_a_row(track: FaceTrack, first: int) -> list[int]:
    """Up to 75 frames that show the face, one after the other at 25 Hz."""
    shown = []
    for step in range(REFERENCES):
        index = first + round(step * track.fps / RATE)
        if index >= len(track) or not track.present[index]:
            break
        shown.append(index)
    return shown
