"""The prints by which a published video is recognised later: of what it says, and of what it shows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from avatarlab_ops.graph import PUBLISH
from avatarlab_ops.media import pictureprint, soundprint
from avatarlab_ops.media.sound import read_sound
from avatarlab_ops.script import MAX_SPEECH_S
from avatarlab_ops.settings import Settings
from avatarlab_ops.stages import deadline
from avatarlab_ops.stages.context import workspace
from avatarlab_ops.stores import artifacts as store
from avatarlab_ops.stores.catalog import prints, tables, transaction
from avatarlab_ops.stores.objects import objects

LONGEST_S = 2 * MAX_SPEECH_S  # a slow voice takes more than is expected of its script


def keep_sound_print(settings: Settings, speech: tables.Artifact) -> None:
    """Keep the print of what is said, once for all videos that say it."""
    if _printed(settings, tables.SoundPrint, speech):
        return
    with (
        deadline.in_time(f"{PUBLISH.name} (its print of the sound)", speech.compute_s),
        workspace(settings, PUBLISH.name) as folder,
    ):
        sound = _fetch(settings, speech, "speech.wav", folder)
        heard = soundprint.kept(soundprint.words(read_sound(sound, soundprint.HZ, max_s=LONGEST_S)))
    with transaction(settings.pg_dsn) as db:
        prints.keep(db, tables.SoundPrint, speech.fingerprint, words=heard.tolist())


def keep_picture_print(settings: Settings, film: tables.Artifact) -> None:
    """Keep the print of what is shown, once for all videos that show it."""
    if _printed(settings, tables.PicturePrint, film):
        return
    with (
        deadline.in_time(f"{PUBLISH.name} (its print of the picture)", film.compute_s),
        workspace(settings, PUBLISH.name) as folder,
    ):
        name = next(name for name in film.files if name.startswith("video."))
        seen = pictureprint.watch(_fetch(settings, film, name, folder))
    columns: dict[str, Any] = {"words": pictureprint.kept(pictureprint.words(seen)).tolist()}
    columns |= {"curves": pictureprint.packed(seen.curves), "look": seen.look.tobytes()}
    with transaction(settings.pg_dsn) as db:
        prints.keep(db, tables.PicturePrint, film.fingerprint, **columns)


def _printed(settings: Settings, table: prints.Table, artifact: tables.Artifact) -> bool:
    with transaction(settings.pg_dsn) as db:
        return prints.known(db, table, artifact.fingerprint)


def _fetch(settings: Settings, artifact: tables.Artifact, name: str, folder: Path) -> Path:
    path, file = folder / name, store.file(settings, artifact, name)
    objects(settings).download(file.bucket, file.key, path, sha256=file.sha256, max_bytes=file.bytes)
    return path
