"""Taking back: a revoked consent stops what runs on it, a withdrawn video is shown no longer.

A withdrawn render stays published, its one terminal state; `withdrawn_at` and the reason say that its files
are gone. The manifest and a signed tombstone stay, so that anyone can still be told what was shown and why it
no longer is.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import sqlalchemy as sa

from avatarlab_ops import events
from avatarlab_ops.errors import ConsentError
from avatarlab_ops.renders.ending import end
from avatarlab_ops.settings import Settings
from avatarlab_ops.states import OPEN, Event, RenderState
from avatarlab_ops.stores import outbox
from avatarlab_ops.stores.catalog import consents, prints, records, transaction
from avatarlab_ops.stores.catalog.ancestry import forget_sources
from avatarlab_ops.stores.catalog.tables import Render
from avatarlab_ops.stores.objects import objects, split_or_refuse
from avatarlab_ops.trust import consent, tombstones

log = logging.getLogger(__name__)
KEPT = "manifest.json"  # of the files of a withdrawn video


@dataclass(frozen=True)
class Revoked:
    """What a revocation met. Render ids, oldest first."""

    stopped: tuple[str, ...]
    videos: tuple[str, ...]  # published on this consent and not withdrawn before
    withdrawn: tuple[str, ...]  # withdrawn before; files of one whose store was away may be there yet
    material: str  # sha256 of the likeness or voice sample, or engine/name of a built-in voice
    still_held: tuple[str, ...]  # ids of other consents under which the same material may be used


def revoke(settings: Settings, consent_id: str, reason: str) -> Revoked:
    """End a consent for good and fail every render that runs on it; may be repeated.

    Nothing is delivered, so that receivers that are away delay no withdrawal: that is left to the relay.
    Raises ReferenceRefused when there is no such consent.
    """
    with transaction(settings.pg_dsn) as db:
        found = consents.find(db, consent_id)
        consents.revoke(db, consent_id, records.now(), reason)  # from here on, no publication on it commits
        error = ConsentError(f"the consent {consent_id} of {found.subject} was revoked: {reason}")
        relying = list(consents.renders_on(db, consent_id))
        running = sorted(name for name, state, _ in relying if state in OPEN)  # locked as by pipeline.end_all
        ended = {name for name in running if end(settings, db, name, RenderState.FAILED, error=error)}
        published = [(name, gone) for name, state, gone in relying if state == RenderState.PUBLISHED]
        others = consents.of_material(db, found.kind, found.material)
        material = found.material
        held = tuple(one.id for one in others if one.id != consent_id and consent.state_of(one) == "valid")
    videos, withdrawn = (tuple(name for name, gone in published if gone == was) for was in (False, True))
    return Revoked(tuple(one for one, _, _ in relying if one in ended), videos, withdrawn, material, held)


def withdraw(settings: Settings, render_id: str, reason: str) -> bool:
    """Show a published video no longer; False when it was not published, or withdrawn before.

    The record first, then the objects: after a crash in between a second call removes the rest.
    """
    done = _take_down(settings, render_id, reason)
    if done:
        outbox.deliver(settings, render_id=render_id)
    return done


def _take_down(settings: Settings, render_id: str, reason: str) -> bool:
    with transaction(settings.pg_dsn) as db:
        shown = sa.and_(
            Render.id == render_id, Render.state == RenderState.PUBLISHED, Render.withdrawn_at.is_(None)
        )
        change = sa.update(Render).where(shown).values(withdrawn_at=records.now(), withdrawn_reason=reason)
        done = db.scalars(change.returning(Render.id)).first() is not None
        if done:
            forget_sources(db, render_id)
            prints.forget_picture(db, render_id)
            published = records.published_files(db, render_id).items()
            files = {name: {"uri": file.uri, "sha256": file.sha256} for name, file in published}
            events.tell(db, settings, render_id, Event.WITHDRAWN, files)
    clear(settings, render_id)
    if done:
        tombstones.sign(settings, render_id)
    return done


def withdraw_each(settings: Settings, render_ids: Iterable[str], reason: str) -> Iterator[str]:
    """Withdraw videos one by one; yield those that are gone, with all their files.

    One that fails keeps none of the others on view: its reason is logged, and it is yielded by a later call.
    As for `revoke` nothing is delivered.
    """
    for render_id in render_ids:
        try:
            _take_down(settings, render_id, reason)
        except Exception:
            log.exception("video %s is not withdrawn", render_id)
        else:
            yield render_id


def clear(settings: Settings, render_id: str) -> int:
    """Remove what a withdrawn video still has in the store; return how many objects that were."""
    with transaction(settings.pg_dsn) as db:
        if records.find(db, render_id).withdrawn_at is None:
            return 0
        files = records.published_files(db, render_id)
    places = [split_or_refuse(file.uri) for name, file in files.items() if name != KEPT]
    return sum(objects(settings).delete(*place) > 0 for place in places)
