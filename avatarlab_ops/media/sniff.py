"""What a file is, by its first bytes. The answer picks the one demuxer that may open it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from avatarlab_ops.errors import MediaRefused

Kind = Literal["image", "video", "audio"]
ACCEPTED = (
    "MP4, MOV, MKV or WebM video; PNG, JPEG, WebP, HEIC or AVIF image; WAV, FLAC, MP3, M4A or Ogg sound"
)

_STILL_BRANDS = {b"heic", b"heix", b"mif1", b"avif"}
_MOVING_BRANDS = {b"hevc", b"hevx", b"msf1", b"avis"}
_PLAYLISTS = {b"#EXTM3U": "an HLS playlist", b"ffconcat": "a concat list", b"<MPD": "a DASH manifest"}
_OTHERS = {
    b"GIF8": "a GIF, an animated image",
    b"%PDF": "a PDF document",
    b"PK\x03\x04": "a ZIP archive",
    b"BM": "a BMP image",
    b"II*\x00": "a TIFF image",
    b"MM\x00*": "a TIFF image",
    b".snd": "an AU sound",
    b"FLV": "a Flash video",
    b"\x00\x00\x01\xba": "an MPEG program stream",
    b"\x30\x26\xb2\x75": "a Windows Media file",
}


@dataclass(frozen=True)
class FileType:
    """`demuxer` is libavformat's name for containers, Pillow's for images."""

    kind: Kind  # for containers a first guess: an MP4 may still hold sound only
    demuxer: str
    label: str


# All that is accepted, by label.
TYPES = {
    one.label: one
    for one in (
        FileType("video", "mov", "MP4/MOV"),
        FileType("video", "matroska", "Matroska/WebM"),
        FileType("image", "PNG", "PNG"),
        FileType("image", "JPEG", "JPEG"),
        FileType("image", "WEBP", "WebP"),
        FileType("image", "HEIF", "HEIC"),
        FileType("image", "AVIF", "AVIF"),
        FileType("audio", "wav", "WAV"),
        FileType("audio", "flac", "FLAC"),
        FileType("audio", "ogg", "Ogg"),
        FileType("audio", "mp3", "MP3"),
    )
}


def sniff(path: Path) -> FileType:
    """Tell the type of a file from its content, never its name. Raises MediaRefused naming what was found."""
    with path.open("rb") as file:
        head = file.read(4096)
    if not head:
        raise MediaRefused(f"{path.name} is empty (0 bytes). Upload {ACCEPTED}.")
    found = _container(head) or _image(head) or _sound(head)
    if found is None:
        raise MediaRefused(f"{path.name} is {_describe(head)}, which is not accepted. Upload {ACCEPTED}.")
    return found


def _container(head: bytes) -> FileType | None:
    if head[4:8] in {b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"}:
        if head[4:8] == b"ftyp" and _brands(head)[0] in _STILL_BRANDS | _MOVING_BRANDS:
            return None
        return TYPES["MP4/MOV"]
    if head.startswith(b"\x1aE\xdf\xa3"):
        return TYPES["Matroska/WebM"]
    return None


def _image(head: bytes) -> FileType | None:
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return TYPES["PNG"]
    if head.startswith(b"\xff\xd8\xff"):
        return TYPES["JPEG"]
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return TYPES["WebP"]
    if head[4:8] == b"ftyp" and _brands(head)[0] in _STILL_BRANDS:
        return TYPES["AVIF" if b"avif" in _brands(head) else "HEIC"]
    return None


def _brands(head: bytes) -> list[bytes]:
    """Brands of an ISO file, the major one first (ISO/IEC 14496-12, box ftyp)."""
    end = min(int.from_bytes(head[:4], "big"), len(head))
    return [head[8:12], *(head[at : at + 4] for at in range(16, end, 4))]


def _sound(head: bytes) -> FileType | None:
    if head.startswith(b"RIFF") and head[8:12] == b"WAVE":
        return TYPES["WAV"]
    if head.startswith(b"fLaC"):
        return TYPES["FLAC"]
    if head.startswith(b"OggS"):
        return TYPES["Ogg"]
    if head.startswith(b"ID3") or (head[0] == 0xFF and head[1:2] in {b"\xfb", b"\xf3", b"\xf2", b"\xfa"}):
        return TYPES["MP3"]
    return None


def _describe(head: bytes) -> str:
    for mark, name in _PLAYLISTS.items():
        if mark in head[:1024]:
            return f"{name}: it points at other files"
    for mark, name in _OTHERS.items():
        if head.startswith(mark):
            return name
    told = {
        "a HEIC or AVIF image sequence": head[4:8] == b"ftyp",
        "an AVI video": head.startswith(b"RIFF") and head[8:12] == b"AVI ",
        "an AIFF sound": head.startswith(b"FORM") and head[8:12] in {b"AIFF", b"AIFC"},
        "a bare AAC sound": head[0] == 0xFF and head[1:2] in {b"\xf0", b"\xf1", b"\xf8", b"\xf9"},
        "an MPEG transport stream": _is_transport_stream(head),
        "text": _is_text(head),
    }
    return next((name for name, fits in told.items() if fits), "of an unknown type")


def _is_transport_stream(head: bytes) -> bool:
    """Packets of 188 bytes, or of 192 with a time before each (ISO/IEC 13818-1; AVCHD)."""
    return any(set(head[at::size][:8]) == {0x47} for at, size in ((0, 188), (4, 192)))


def _is_text(head: bytes) -> bool:
    try:
        text = head.decode("utf-8", errors="strict" if len(head) < 4096 else "ignore")
    except UnicodeDecodeError:
        return False
    return all(c.isprintable() or c in "\r\n\t" for c in text)
