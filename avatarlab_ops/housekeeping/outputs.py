"""The bucket of outputs and the catalog: files that nobody published, videos whose files are gone."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import groupby

from avatarlab_ops.canonical import canonical_json
from avatarlab_ops.errors import WorkInFlight
from avatarlab_ops.housekeeping.chore import Chore, Job
from avatarlab_ops.housekeeping.paging import pages
from avatarlab_ops.housekeeping.strangers import ROOT
from avatarlab_ops.renders.withdrawal import KEPT
from avatarlab_ops.settings import Settings
from avatarlab_ops.stages.publish import published
from avatarlab_ops.states import OPEN, RenderState
from avatarlab_ops.stores import artifacts
from avatarlab_ops.stores.catalog import consents, lock, records, transaction, upkeep
from avatarlab_ops.stores.catalog.tables import PublishedFile, Render
from avatarlab_ops.stores.documents import documents
from avatarlab_ops.stores.objects import Listed, objects, split_or_refuse


@dataclass(frozen=True)
class Verdict:
    """What is wrong with the files of one render: names that should not be there, names that should."""

    stray: frozenset[str] = frozenset()
    missing: frozenset[str] = frozenset()


def judge(names: Iterable[str], render: Render, files: Iterable[str]) -> Verdict:
    """Compare what the store shows of a render with what the catalog says was published."""
    present, promised = frozenset(names), frozenset(files)
    if render.state in OPEN:  # it may be publishing
        return Verdict()
    if render.state != RenderState.PUBLISHED:
        return Verdict(stray=present)
    if render.withdrawn_at is not None:
        promised &= {KEPT}
    return Verdict(stray=present - promised, missing=promised - present)


def outputs(job: Job) -> Chore:
    """Remove what nobody published, and bring back what an artifact or a document still holds.

    Files of renders that this catalog does not know are only reported: they may be another catalog's. By the
    clock only what a withdrawal left is removed.
    """
    chore = Chore("published files whose objects and records disagree")
    with transaction(job.settings.pg_dsn) as db:
        unseen = set(upkeep.published_ids(db, job.settled))
    listing = objects(job.settings).listed(job.settings.bucket_outputs, ROOT)
    for page in pages(_groups(listing)):
        unseen -= {render_id for render_id, _ in page}
        _judge_page(job, chore, dict(page))
    for ids in pages(iter(sorted(unseen))):
        _judge_page(job, chore, dict.fromkeys(ids, ()))
    return chore


def hidden(job: Job) -> Chore:
    """Remove versions below a delete marker, but of what the catalog promises: that can be saved by them."""
    chore = Chore("deleted files of which older versions are left")
    settings = job.settings
    for page in pages(_groups(objects(settings).hidden(settings.bucket_outputs, ROOT))):
        with transaction(settings.pg_dsn) as db:
            known, files = upkeep.renders(db, dict(page)), upkeep.files_of(db, dict(page))
        for render_id, found in page:
            by_name = {one.key.removeprefix(f"{ROOT}{render_id}/"): one for one in found}
            if render_id in known:
                act = _acts(job, known[render_id])
                for name in sorted(judge(by_name, known[render_id], files.get(render_id, {})).stray):
                    done = act and job.tries(partial(_remove, settings, render_id, by_name[name].key))
                    chore.add(f"{by_name[name].key}: older versions", size=by_name[name].bytes, done=done)
    return chore


def _groups(listing: Iterable[Listed]) -> Iterator[tuple[str, tuple[Listed, ...]]]:
    for render_id, group in groupby(listing, key=lambda one: one.key.split("/")[1]):
        yield render_id, tuple(group)


def _judge_page(job: Job, chore: Chore, page: Mapping[str, tuple[Listed, ...]]) -> None:
    with transaction(job.settings.pg_dsn) as db:
        known, files = upkeep.renders(db, page), upkeep.files_of(db, page)
    for render_id, found in page.items():
        by_name = {one.key.removeprefix(f"{ROOT}{render_id}/"): one for one in found}
        if render_id not in known:
            size = sum(one.bytes for one in found)
            chore.add(f"{ROOT}{render_id}/: no such render in this catalog, left alone", size=size)
        elif all(one.modified_at < job.settled for one in found):
            verdict = judge(by_name, known[render_id], files.get(render_id, {}))
            act = _acts(job, known[render_id])
            for name in sorted(verdict.stray):
                done = act and job.tries(partial(_remove, job.settings, render_id, by_name[name].key))
                chore.add(
                    f"{by_name[name].key}: object without a record", size=by_name[name].bytes, done=done
                )
            for name in sorted(verdict.missing):
                file = files[render_id][name]
                back = _bring_back(job.settings, render_id, file, act=act)
                fate = "can be brought back" if back else "lost for good"
                note = f"{file.uri}: record without an object, {fate}"
                chore.add(note, size=file.bytes, done=act and back)


def _acts(job: Job, render: Render) -> bool:
    return job.repairs or (job.apply and render.withdrawn_at is not None)


def _remove(settings: Settings, render_id: str, key: str) -> bool:
    try:
        with lock(settings.pg_dsn, f"publish {render_id}", wait_s=0):
            objects(settings).delete(settings.bucket_outputs, key)
    except WorkInFlight:
        return False
    return True


def _bring_back(settings: Settings, render_id: str, file: PublishedFile, *, act: bool) -> bool:
    """Whether the same bytes are still known elsewhere; if so, and told to act, put them back."""
    place = split_or_refuse(file.uri)
    if file.name == KEPT:
        document = documents(settings).find("manifests", render_id) or {}
        document.pop("_id", None)
        whole = canonical_json(document)
        return _same(whole, file) and (not act or bool(objects(settings).put_if_absent(*place, whole)))
    with transaction(settings.pg_dsn) as db:
        holder = published(records.artifacts_of(db, render_id)).get(file.name)
    if holder is None or holder.files[file.name]["sha256"] != file.sha256:
        return False
    source = artifacts.file(settings, holder, file.name)
    if objects(settings).head(source.bucket, source.key) is None:
        return False
    return not act or bool(objects(settings).copy(source, *place))


def _same(whole: bytes, file: PublishedFile) -> bool:
    return hashlib.sha256(whole).hexdigest() == file.sha256


def evidence(job: Job) -> Chore:
    """Report consents whose document is gone; only a person can bring it back."""
    chore = Chore("documents of consents that are missing")
    with transaction(job.settings.pg_dsn) as db:
        kept = [one for one in consents.listed(db) if one.document_uri]
    for one in kept:
        if objects(job.settings).head(*split_or_refuse(one.document_uri or "")) is None:
            chore.add(f"consent {one.id} of {one.subject}: {one.document_uri}")
    return chore


CHORES = (outputs, hidden, evidence)
