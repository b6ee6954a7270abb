"""Footage to its alpha."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from avatarlab_ops import engines
from avatarlab_ops.engines.base import Alpha
from avatarlab_ops.media.streams import write_alpha
from avatarlab_ops.stages.context import Context, Product
from avatarlab_ops.stages.face import open_avatar


class _Coverage:
    """Mean opacity of the mattes that pass by, 0 to 1."""

    def __init__(self) -> None:
        self.total = 0.0
        self.frames = 0

    def watch(self, mattes: Iterable[Alpha]) -> Iterator[Alpha]:
        for matte in mattes:
            self.total += float(matte.mean()) / 255
            self.frames += 1
            yield matte

    @property
    def mean(self) -> float:
        return self.total / max(1, self.frames)


def run(work: Context) -> Product:
    """Cut the person out, every frame of the clip once."""
    engine = engines.load("matting", work.plan.engines.matting)
    path, coverage = work.new("alpha.mkv"), _Coverage()
    with open_avatar(work) as footage:
        total = len(footage)
        mattes = engine.mattes(
            footage.iter(), still=footage.still, report=lambda done, _, unit: work.report(done, total, unit)
        )
        write_alpha(path, coverage.watch(mattes), work.plan.footage.fps)
    return Product(
        {"alpha.mkv": path}, {"frames": coverage.frames, "alpha_coverage": round(coverage.mean, 4)}
    )
