"""Sound of untrusted files, decoded: what a voice sample is read with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import cast

import av
import numpy as np
from av.audio.stream import AudioStream
from av.container import InputContainer

from avatarlab_ops.errors import MediaRefused
from avatarlab_ops.media.audio import Samples
from avatarlab_ops.media.container import open_input
from avatarlab_ops.media.sniff import sniff

SAMPLE_RATES_HZ = (8_000, 192_000)
MOST_CHANNELS = 8
SILENCE = 1e-3  # -60 dBFS
CODECS = frozenset({"flac", "mp3", "mp3float", "vorbis", "opus", "aac", "alac"})  # and all of PCM


def read_sound(path: Path, sample_rate: int, *, max_s: float, beginning: bool = False) -> Samples:
    """Decode the sound track that players play: float32 mono [n] at `sample_rate` Hz, channels averaged.

    Raises MediaRefused for a file that is damaged, longer than `max_s` seconds or of an unknown codec; no
    more than that is ever decoded. With `beginning` a longer one is read up to there.
    """
    with open_input(path, sniff(path)) as container:
        track = _checked_track(container, path.name)
        check_sound(path.name, track.codec_context.sample_rate, track.codec_context.channels)
        blocks: list[Samples] = [np.zeros(0, np.float32)]
        count = 0
        try:
            for block in _blocks(container, track, sample_rate, path.name):
                blocks.append(block)
                count += len(block)
                if count > max_s * sample_rate:
                    if beginning:
                        break
                    raise MediaRefused(f"{path.name} is longer than {max_s:g} s. Shorten it.")
        except (av.FFmpegError, ValueError) as error:
            raise MediaRefused(f"{path.name} is damaged ({error}). Export or upload it again.") from error
    return np.nan_to_num(np.concatenate(blocks)[: round(max_s * sample_rate)])


def check_heard(name: str, samples: Samples, sample_rate: int, *, min_s: float, max_s: float) -> float:
    """Seconds of a recording, float32 mono [n]. Raises MediaRefused where it is too short or silent."""
    duration_s = len(samples) / sample_rate
    if duration_s < min_s:
        raise MediaRefused(
            f"{name} lasts {duration_s:.2f} s; {min_s:g} to {max_s:g} s are accepted. Record a longer one."
        )
    if float(np.abs(samples).max()) < SILENCE:
        raise MediaRefused(
            f"{name} is silent. Record it again, closer to the microphone; "
            "of several sound tracks keep the one that speaks."
        )
    return duration_s


def heard_track(container: InputContainer) -> AudioStream | None:
    """The sound track that players play: the file's default one, of equal ones the fullest."""
    best = cast("AudioStream | None", container.streams.best("audio"))
    return best or next(iter(container.streams.audio), None)  # none is best where all are damaged


def _checked_track(container: InputContainer, name: str) -> AudioStream:
    """The track that is heard. Raises MediaRefused for a file without sound, or with an unknown codec."""
    track = heard_track(container)
    if track is None:
        raise MediaRefused(f"{name} holds no sound. Choose another file.")
    codec = track.codec_context
    if codec is None or not (codec.name in CODECS or codec.name.startswith("pcm_")):
        raise MediaRefused(
            f"{name} is compressed with {'an unknown codec' if codec is None else codec.name}; accepted are "
            f"{', '.join(sorted(CODECS))} and PCM. Convert it to WAV."
        )
    return track


def check_sound(name: str, rate_hz: int, channels: int) -> None:
    """Raise MediaRefused for a sample rate or a number of channels that no recording has.

    A resampler's memory grows with the ratio of the rates, whatever the length of the file.
    """
    low, high = SAMPLE_RATES_HZ
    if not low <= rate_hz <= high:
        raise MediaRefused(
            f"{name} has {rate_hz:,} samples a second; {low:,} to {high:,} are accepted. "
            "Convert it to 48,000."
        )
    if not 1 <= channels <= MOST_CHANNELS:
        raise MediaRefused(
            f"{name} has {channels} channels; 1 to {MOST_CHANNELS} are accepted. Convert it to mono."
        )


def _blocks(container: InputContainer, track: AudioStream, sample_rate: int, name: str) -> Iterator[Samples]:
    resampler = av.AudioResampler(format="fltp", rate=sample_rate)
    for frame in container.decode(track):
        check_sound(name, frame.sample_rate, frame.layout.nb_channels)  # a stream may change midway
        for block in resampler.resample(frame):
            yield block.to_ndarray().mean(axis=0, dtype=np.float32)
    for block in resampler.resample(None):
        yield block.to_ndarray().mean(axis=0, dtype=np.float32)
