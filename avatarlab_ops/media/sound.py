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
# Between two pieces of sound: browsers and conferences write no silence, which players play as such. What is
# longer is a clock that was set.
GAP_S = (0.1, 60.0)
CODECS = frozenset({"flac", "mp3", "mp3float", "vorbis", "opus", "aac", "alac"})  # and all of PCM


def read_sound(path: Path, sample_rate: int, *, max_s: float, beginning: bool = False) -> Samples:
    """Decode the sound track that players play: float32 mono [n] at `sample_rate` Hz.

    Channels are averaged; where they cancel each other (a microphone wired with its poles swapped) the
    loudest is read alone. Where the file's times leave a gap there is silence.

    Raises MediaRefused for a file that is damaged, longer than `max_s` seconds or of
    an unknown codec; no more than that is ever decoded. With `beginning` a longer one is read up to there.
    """
    loudness = Loudness()
    samples = _decoded(path, sample_rate, max_s, loudness, beginning=beginning)
    if loudness.cancels():
        loudest = int(np.argmax(loudness.channels))
        samples = _decoded(path, sample_rate, max_s, loudness, beginning=beginning, channel=loudest)
    return samples


class Loudness:
    """Energy of each channel of a recording and of their mean, summed over its samples."""

    def __init__(self) -> None:
        self.channels, self.mean, self.count = np.zeros(MOST_CHANNELS), 0.0, 1

    def add(self, channels: Samples, mean: Samples) -> None:
        """Count samples [n, channels] in float32, and their mean [n]."""
        self.count = channels.shape[1]
        self.channels[: self.count] += np.square(channels, dtype=np.float64).sum(axis=0)
        self.mean += float(np.square(mean, dtype=np.float64).sum())

    def cancels(self) -> bool:
        """Whether the mean holds less than half of what the loudest channel would leave in it alone."""
        loudest = float(self.channels.max())
        return loudest > 0 and self.mean < loudest / self.count**2 / 2


def _decoded(
    path: Path,
    sample_rate: int,
    max_s: float,
    loudness: Loudness,
    *,
    beginning: bool,
    channel: int | None = None,
) -> Samples:
    """Mono [n] of one channel, or of the mean of all."""
    with open_input(path, sniff(path)) as container:
        track = _checked_track(container, path.name)
        check_sound(path.name, track.codec_context.sample_rate, track.codec_context.channels)
        blocks: list[Samples] = [np.zeros(0, np.float32)]
        count = 0
        try:
            for channels in _blocks(container, track, sample_rate, path.name):
                mean = channels.mean(axis=1, dtype=np.float32)
                loudness.add(channels, mean)
                blocks.append(mean if channel is None else channels[:, channel].copy())
                count += len(mean)
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
    """What is decoded: float32 [n, channels]."""
    resampler = av.AudioResampler(format="flt", rate=sample_rate)  # PyAV reads a ninth plane of planar 7.1
    end_s: float | None = None
    for frame in container.decode(track):
        check_sound(name, frame.sample_rate, frame.layout.nb_channels)  # a stream may change midway
        begin_s = frame.time
        if begin_s is not None and end_s is not None and GAP_S[0] < begin_s - end_s < GAP_S[1]:
            yield from map(_channels, resampler.resample(None))
            resampler = av.AudioResampler(format="flt", rate=sample_rate)
            lost = round((begin_s - end_s) * sample_rate)
            yield np.zeros((lost, frame.layout.nb_channels), np.float32)
        end_s = None if begin_s is None else begin_s + frame.samples / frame.sample_rate
        yield from map(_channels, resampler.resample(frame))
    yield from map(_channels, resampler.resample(None))


def _channels(block: av.AudioFrame) -> Samples:
    return np.asarray(block.to_ndarray(), np.float32).reshape(-1, block.layout.nb_channels)
