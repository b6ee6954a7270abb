"""Is a video all there? Each stream is held to what the file says of that stream, on the file's own clock."""

from __future__ import annotations

from pathlib import Path

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from avatarlab_ops.errors import MediaRefused
from avatarlab_ops.media.container import PacketScan, own_end_s

_GRACE_S = 0.5  # between what is declared and what is held; more is a cut


def check_complete(path: Path, packets: PacketScan, container: InputContainer, stream: VideoStream) -> None:
    """Raise MediaRefused where pictures that the file declares are missing from it.

    Sound may outlast the picture and the picture may begin late: neither is a cut.
    """
    first_s = float(packets.pts[0]) * packets.time_base
    end_s = own_end_s(stream, first_s) or _file_end_s(container)
    declared_s = max(0.0, end_s - first_s)
    seen = len(packets.pts) + packets.hidden
    lost = packets.corrupt or (stream.frames and seen < 0.98 * stream.frames - 1)
    short = declared_s - packets.duration_s > _GRACE_S + 3 * packets.interval_s
    if lost or short:
        raise MediaRefused(
            f"{path.name} is truncated: it declares {declared_s:.1f} s"
            f"{f' and {stream.frames} frames' if stream.frames else ''} but holds {packets.duration_s:.1f} s "
            f"and {seen} frames. Upload it again."
        )


def _file_end_s(container: InputContainer) -> float:
    """When the longest stream ends by the file's word; 0 where it gives none, or where that is the sound."""
    end_s = (container.duration or 0) / av.time_base
    sounds = container.streams.audio
    if not end_s or not sounds:
        return end_s
    container.seek(0)
    heard = container.demux(*sounds)
    last_s = max((float(one.pts * one.time_base) for one in heard if one.pts is not None), default=0.0)
    return end_s if end_s - last_s > _GRACE_S else 0.0
