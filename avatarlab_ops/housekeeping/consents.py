"""Consents that end soon, told in time for who shows videos that rely on them to have them renewed."""

from __future__ import annotations

from datetime import timedelta

import sqlalchemy as sa

from avatarlab_ops.housekeeping.chore import Chore, Job
from avatarlab_ops.states import RenderState
from avatarlab_ops.stores.catalog import tables as m
from avatarlab_ops.stores.catalog import transaction

SOON = timedelta(days=14)


def ending(job: Job) -> Chore:
    """Name the consents that end within two weeks, the first to end first; nothing is done about them."""
    chore = Chore("consents that end within 14 days")
    on_view = m.Render.state == RenderState.PUBLISHED, m.Render.withdrawn_at.is_(None)
    shown = sa.func.count(m.Render.id).filter(*on_view)
    ends = m.Consent.valid_until
    query = (
        sa.select(m.Consent, shown)
        .outerjoin(m.RenderConsent, m.RenderConsent.consent_id == m.Consent.id)
        .outerjoin(m.Render, m.Render.id == m.RenderConsent.render_id)
        .where(m.Consent.revoked_at.is_(None), ends > job.at, ends <= job.at + SOON)
        .group_by(m.Consent.id)
        .order_by(ends)
    )
    with transaction(job.settings.pg_dsn) as db:
        for consent, videos in db.execute(query):
            chore.add(
                f"{consent.id}, {consent.kind} of {consent.subject}, ends on {consent.valid_until:%Y-%m-%d}; "
                f"{videos} videos are shown by it"
            )
    return chore
