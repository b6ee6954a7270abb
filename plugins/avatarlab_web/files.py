"""Addresses of the object store, for a browser or another system, that soon expire."""

from __future__ import annotations

from dataclasses import replace

from avatarlab_ops import environment
from avatarlab_ops.fields import split_reference
from avatarlab_ops.settings import Settings
from avatarlab_ops.stores.catalog import records, transaction
from avatarlab_ops.stores.objects import objects

EXPIRES_S = 900


def public(settings: Settings) -> Settings:
    """Settings with the object store's address where browsers reach it, when that is another one."""
    endpoint = environment.read().s3_public_endpoint or settings.s3_endpoint
    return replace(settings, s3_endpoint=endpoint)


def address(
    settings: Settings, uri: str, *, expires_s: int = EXPIRES_S, save: bool = False, kind: str | None = None
) -> str:
    """Address under which anyone may read an object for `expires_s` seconds; `save`: a browser saves it.

    `kind`: image or video, as which a browser shows what somebody uploaded under whatever type.
    """
    place = split_reference(uri)
    return objects(public(settings)).link(*place, expires_s=expires_s, save=save, kind=kind)


def link(
    settings: Settings, render_id: str, name: str, *, expires_s: int = EXPIRES_S, save: bool = False
) -> str:
    """Address of one file of a published video. Raises KeyError for a file that it does not have."""
    return address(settings, _uri(settings, render_id, name), expires_s=expires_s, save=save)


def upload(
    settings: Settings, bucket: str, key: str, *, length: int, kind: str, sha256: str, expires_s: int
) -> tuple[str, dict[str, str]]:
    """(address, headers) of one PUT that the store takes with exactly these bytes."""
    return objects(public(settings)).put_link(
        bucket, key, length=length, kind=kind, sha256=sha256, expires_s=expires_s
    )


def read(settings: Settings, render_id: str, name: str) -> bytes:
    """A small file of a published video. Raises KeyError for a file that it does not have."""
    return objects(settings).read(*split_reference(_uri(settings, render_id, name)))


def _uri(settings: Settings, render_id: str, name: str) -> str:
    with transaction(settings.pg_dsn) as db:
        return records.published_files(db, render_id)[name].uri
