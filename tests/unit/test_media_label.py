"""The visible label: where and when viewers are told, and that the rest of the picture stays."""

from __future__ import annotations

import re
from pathlib import Path

import av
import numpy as np
import pytest
from media_samples import speech

from avatarlab_ops.engines.base import Patch
from avatarlab_ops.environment import AiLabel
from avatarlab_ops.errors import InputError
from avatarlab_ops.media import label
from avatarlab_ops.media.background import Background
from avatarlab_ops.media.compose import ComposeReport, OutputSpec, compose
from avatarlab_ops.media.footage import StillFootage
from avatarlab_ops.plan import picture
from avatarlab_ops.request import Background as Asked
from avatarlab_ops.request import Output

W, H, FPS = 320, 180, 24
GREY = 128


def _video(folder: Path, label: AiLabel, seconds: float) -> tuple[list[np.ndarray], ComposeReport]:
    """A grey video with a label, as frames."""
    path, frames = folder / "video.mp4", round(seconds * FPS)
    nothing = np.zeros((2, 2, 3), np.uint8)
    patch = Patch(0, 0, 0, nothing, nothing[..., 0], np.eye(2, 3, dtype=np.float32))
    report = compose(
        StillFootage(np.full((H, W, 3), GREY, np.uint8), FPS), [patch] * frames, matte=None,
        background=Background("original"), speech=speech(folder / "voice.wav", seconds),
        output=OutputSpec(W, H, FPS, ai_label=label), out_path=path,
    )  # fmt: skip
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="gray") for frame in container.decode(video=0)], report


def _told(frame: np.ndarray) -> bool:
    return bool(np.ptp(frame[: H // 4, : W // 2].astype(int)) > 60)


def test_the_icon_shows_for_five_seconds_and_again_after_thirty(tmp_path: Path) -> None:
    frames, report = _video(tmp_path, "icon", 31)
    assert len(frames) == report.frames == 31 * FPS
    told = [_told(frame) for frame in frames]
    assert told == [index / FPS % 30 < 5 for index in range(len(frames))]
    assert np.abs(frames[0][H // 4 :].astype(int) - frames[-2 * FPS][H // 4 :]).max() <= 3, "the rest stays"


def test_the_end_card_comes_after_all_that_is_said(tmp_path: Path) -> None:
    frames, report = _video(tmp_path, "end_card", 1)
    assert len(frames) == report.frames == 4 * FPS
    assert report.duration_s == 4
    assert all(np.ptp(frame) < 10 for frame in frames[:FPS])
    assert all(frame[0, 0] < 60 and np.ptp(frame) > 150 for frame in frames[FPS:])


def test_without_a_label_nothing_is_drawn(tmp_path: Path) -> None:
    frames, _ = _video(tmp_path, "none", 1)
    assert len(frames) == FPS
    assert all(np.ptp(frame) < 10 for frame in frames)


@pytest.mark.parametrize(("asked", "shown"), [(None, "icon"), ("none", "none"), ("end_card", "end_card")])
def test_a_request_decides_else_the_operator(
    asked: AiLabel | None, shown: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert picture(Output(ai_label=asked), Asked(), 512, 512).ai_label == (asked or "none")
    monkeypatch.setenv("AVATARLAB_AI_LABEL", "icon")
    assert picture(Output(ai_label=asked), Asked(), 512, 512).ai_label == shown


def test_each_caller_may_have_a_default_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    def shown(caller: str, asked: AiLabel | None = None) -> str:
        return picture(Output(ai_label=asked), Asked(), 512, 512, caller=caller).ai_label

    monkeypatch.setenv("AVATARLAB_AI_LABEL", "end_card")
    monkeypatch.setenv("AVATARLAB_AI_LABEL_BY_CALLER", "ann=icon_deepfake")
    assert (shown("ann"), shown("bob"), shown("ann", "none")) == ("icon_deepfake", "end_card", "none")
    monkeypatch.setenv("AVATARLAB_AI_LABEL_BY_CALLER", "*=icon,ann=none")
    assert (shown("ann"), shown("bob")) == ("none", "icon")
    for wrong, told in (
        ("ann=sticker", "'sticker' is not a label; there are none, icon, "),
        ("*=none,ann=Icon", "'Icon' is not a label"),
        ("icon", "each entry is CALLER=VALUE"),
        ("ann:icon, *:icon", "each entry is CALLER=VALUE"),
        ("ann=", "each entry is CALLER=VALUE"),
    ):
        monkeypatch.setenv("AVATARLAB_AI_LABEL_BY_CALLER", wrong)
        with pytest.raises(InputError, match=f"AVATARLAB_AI_LABEL_BY_CALLER is .*{re.escape(told)}"):
            shown("bob")


def test_icons_differ_by_level_and_language_and_a_language_without_a_text_has_english() -> None:
    def drawn(kind: AiLabel, language: str) -> bytes:
        overlay = label.icon(1280, 720, kind, language)
        assert overlay
        return overlay.rgb.tobytes()

    kinds: tuple[AiLabel, ...] = ("icon", "icon_partial", "icon_deepfake")
    assert len({drawn(kind, "en-US") for kind in kinds}) == 3
    languages = ("en-US", "de", "es", "fr", "it", "nl", "pl", "pt-BR")
    assert len({drawn("icon", language) for language in languages}) == len(languages)
    assert drawn("icon", "ja") == drawn("icon", "en-GB")
    assert label.icon(1280, 720, "none", "en") is None
    cards = {label.end_card(640, 360, language).tobytes() for language in languages}
    assert len(cards) == len(languages)


@pytest.mark.parametrize("language", ["de", "es", "fr", "hi", "it", "pl", "pt-BR"])
@pytest.mark.parametrize("size", [(360, 640), (640, 360)])
def test_every_text_fits_the_picture(language: str, size: tuple[int, int]) -> None:
    overlay = label.icon(*size, "icon_partial", language)
    assert overlay
    assert not overlay.alpha[:, -4:].any()
