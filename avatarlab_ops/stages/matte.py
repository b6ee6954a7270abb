"""Footage to its alpha."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from avatarlab_ops import engines
from avatarlab_ops.engines.base import Alpha, MattingEngine
from avatarlab_ops.media.footage import Footage
from avatarlab_ops.media.streams import write_alpha
from avatarlab_ops.media.threads import prefetch
from avatarlab_ops.progress import Report
from avatarlab_ops.stages.context import Context
from avatarlab_ops.stages.face import open_avatar, open_own_matte
from avatarlab_ops.stores.artifacts import Product


class _Coverage:
    """Mean opacity of the mattes that pass by, 0 to 1."""

    def __init__(self) -> None:
        self.total = 0.0
        self.frames = 0

    def watch(self, mattes: Iterable[Alpha]) -> Iterator[Alpha]:
        """Pass mattes on unchanged, counting them."""
        for matte in mattes:
            self.total += float(matte.mean()) / 255
            self.frames += 1
            yield matte

    def facts(self) -> dict[str, Any]:
        """For the record."""
        mean = self.total / max(1, self.frames)
        return {"frames": self.frames, "alpha_coverage": round(mean, 4)}


def cut_out(footage: Footage, engine: MattingEngine, path: Path, fps: float, report: Report) -> _Coverage:
    """Matte every frame into `path`; reading, the network and writing overlap, each on its own thread."""
    total, coverage = len(footage), _Coverage()
    with closing(prefetch(footage.iter())) as frames:
        mattes = engine.mattes(
            frames, still=footage.still, report=lambda done, _, unit: report(done, total, unit)
        )
        with closing(prefetch(mattes)) as ready:
            write_alpha(path, coverage.watch(ready), fps)
    return coverage


OWN_ALPHA = "the avatar's own alpha channel is the matte; the matting engine was not used"


def run(work: Context) -> Product:
    """Cut the person out, every frame of the clip once; what the avatar's file cuts out itself stays so."""
    own = open_own_matte(work)
    return _matted(work) if own is None else _own(work, own)


def _own(work: Context, own: Footage) -> Product:
    path, coverage = work.new("alpha.mkv"), _Coverage()
    with own:
        write_alpha(path, coverage.watch(frame[..., 0] for frame in own.iter()), work.plan.footage.fps)
    return Product({"alpha.mkv": path}, coverage.facts() | {"warnings": [OWN_ALPHA]})


def _matted(work: Context) -> Product:
    engine = engines.load("matting", work.plan.engines.matting)
    path = work.new("alpha.mkv")
    with open_avatar(work) as footage:
        coverage = cut_out(footage, engine, path, work.plan.footage.fps, work.report)
    return Product({"alpha.mkv": path}, coverage.facts())
