"""Previews: what is seen and heard before anything is rendered, made by a real process over real stores."""

from __future__ import annotations

import fcntl
import io
import json
import os
import select
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import av
import pytest
import sqlalchemy as sa
from avatarlab_web.api import previews
from avatarlab_web.pace import Pace
from kit.eventually import eventually
from PIL import Image

from avatarlab_ops.fields import split_reference
from avatarlab_ops.previews import scene
from avatarlab_ops.previews.worker import BEGUN
from avatarlab_ops.request import AvatarRequest
from avatarlab_ops.settings import Settings
from avatarlab_ops.stores.catalog import tables as m
from avatarlab_ops.stores.catalog import transaction
from avatarlab_ops.stores.objects import objects

from .api_server import Server, serving
from .material import astronaut, png


@pytest.fixture(scope="module")
def api(stores: Settings) -> Iterator[Server]:
    with serving(stores) as server:
        yield server
    previews.desk.close()


def look(api: Server, kind: str, avatar: str, **changes: Any) -> Any:
    asked = {"script": "Hello there. This comes later.", "avatar": {"uri": avatar}} | changes
    return api.client.post("/previews", params={"kind": kind}, json=asked)


def left(stores: Settings) -> tuple[int, int, int]:
    """Renders, artifacts and folders that are there."""
    with transaction(stores.pg_dsn) as db:
        rows = [db.scalar(sa.select(sa.func.count()).select_from(table)) for table in (m.Render, m.Artifact)]
    return int(rows[0] or 0), int(rows[1] or 0), len(list((stores.home / "work").glob("*")))


def test_the_first_frame_is_shown_as_it_will_be_composed_and_nothing_is_kept(
    api: Server, stores: Settings, portrait: str
) -> None:
    before = left(stores)
    answer = look(
        api, "still", portrait, background={"kind": "colour", "colour": "#ff0000"}, output={"aspect": "9:16"}
    )
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    picture = Image.open(io.BytesIO(answer.content)).convert("RGB")
    assert picture.width * 16 == pytest.approx(picture.height * 9, abs=32)
    red, green, blue = picture.getpixel((4, 4))  # type: ignore[misc]
    assert red > 200  # the background, behind the person
    assert max(green, blue) < 60
    assert eventually(lambda: left(stores) == before, end_s=60)  # what is made ahead has a folder, too


def test_after_a_picture_its_matte_is_made_ahead_so_that_another_background_needs_none(
    stores: Settings, portrait: str, tmp_path: Path
) -> None:
    asked = {"script": "Hello.", "avatar": {"uri": portrait}, "background": {"kind": "original"}}
    scene._recent.clear()
    for name in ("ahead", "still"):
        (tmp_path / name).mkdir()
    scene.prepare(stores, scene.planned(stores, "still", AvatarRequest.parse(asked)), tmp_path / "ahead")
    assert [sorted(files) for files in scene._recent.values()] == [["alpha.mkv"]]
    (made,) = scene._recent
    red = AvatarRequest.parse(asked | {"background": {"kind": "colour", "colour": "#ff0000"}})
    shown = scene.planned(stores, "still", red)
    scene.make(stores, "still", shown, tmp_path / "still")
    assert made in scene._recent
    assert sum("alpha.mkv" in files for files in scene._recent.values()) == 1
    assert not scene.may_prepare(shown)  # its matte was just made


def test_nothing_is_made_ahead_by_an_engine_with_which_there_are_no_previews(
    stores: Settings, portrait: str, tmp_path: Path
) -> None:
    asked = {"script": "Hello.", "avatar": {"uri": portrait}, "background": {"kind": "original"}}
    plan = scene.planned(stores, "still", AvatarRequest.parse(asked | {"engines": {"matting": "rvm"}}))
    scene._recent.clear()
    scene.prepare(stores, plan, tmp_path)
    assert not scene._recent


def test_a_preview_has_the_label_that_this_callers_videos_get(
    stores: Settings, portrait: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AVATARLAB_AI_LABEL_BY_CALLER", "anna=icon_deepfake")
    asked = AvatarRequest.parse({"script": "Hello.", "avatar": {"uri": portrait}})
    mine, other = (scene.planned(stores, "still", asked, caller=name) for name in ("anna", "ben"))
    assert mine.picture.ai_label == "icon_deepfake"
    assert other.picture.ai_label != "icon_deepfake"


def test_nothing_is_made_ahead_while_somebody_waits_and_it_ends_nobodys_preview() -> None:
    """The real loop of the process and its pipes; what it makes is a word, and endless what is made ahead."""
    loop = (
        "import time; from avatarlab_ops.previews import worker as w;"
        "w.QUIET_S = 2; w.AHEAD_S = 1; w._warm_up = lambda: None;"
        "w._settings = str; w.answer = lambda asked: ({'file': asked['name']}, 'plan');"
        "w.prepare = lambda *_: (print('ahead', flush=True), time.sleep(60)); w.main()"
    )
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [sys.executable, "-c", loop], stdin=pipe, stdout=pipe, stderr=pipe, bufsize=0
    ) as one:
        assert one.stdin
        assert one.stdout
        assert one.stderr
        for name in ("first", "second"):
            one.stdin.write(json.dumps({"name": name}).encode() + b"\n")
            assert [one.stdout.readline() for _ in range(2)] == [BEGUN, f'{{"file": "{name}"}}\n'.encode()]
            assert (
                select.select([one.stderr], [], [], 0.1)[0] == []
            )  # quiet: others of the desk have their turn
        assert one.stderr.readline() == b"ahead\n"
        one.stdin.write(b"{}\n")
        assert one.stdout.readline() == b""  # the third was not begun, which the desk sees
        assert one.wait() == -signal.SIGALRM


def test_a_draft_speaks_the_first_sentence_small_and_is_marked(
    api: Server, stores: Settings, portrait: str
) -> None:
    before = left(stores)
    answer = look(api, "draft", portrait)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "video/mp4")
    with av.open(io.BytesIO(answer.content)) as film:
        assert film.streams.audio
        assert 0.5 < float(film.duration or 0) / av.time_base < 2  # of two sentences the first
        frames = [frame.to_ndarray(format="rgb24") for frame in film.decode(video=0)]
    assert min(frames[0].shape[:2]) == 360
    below = frames[0][-80:]
    assert below.max(axis=2)[below.min(axis=2) > 230].size > 200  # white letters in the picture
    assert left(stores) == before


def test_a_preview_is_refused_as_the_order_would_be(api: Server, stores: Settings, portrait: str) -> None:
    objects(stores).put_if_absent(stores.bucket_inputs, "nobody.png", png(astronaut()[::2, ::2]))
    unagreed = look(api, "still", f"s3://{stores.bucket_inputs}/nobody.png")
    assert (unagreed.status_code, unagreed.json()["code"]) == (422, "consent")
    missing = look(api, "draft", f"s3://{stores.bucket_inputs}/none.png")
    assert (missing.status_code, missing.json()["code"]) == (422, "reference_refused")
    api.roles.remove("author")
    assert look(api, "still", portrait).status_code == 403
    api.roles.add("author")


def test_of_many_at_once_the_last_are_asked_to_come_again(api: Server, portrait: str) -> None:
    with ThreadPoolExecutor(8) as crowd:
        answers = list(crowd.map(lambda _: look(api, "draft", portrait), range(8)))
    states = [answer.status_code for answer in answers]
    assert states.count(200) >= 3
    assert set(states) == {200, 503}
    refused = next(answer for answer in answers if answer.status_code == 503)
    assert "try again" in refused.json()["detail"]
    assert refused.headers["retry-after"]


def test_who_asks_too_often_is_told_when_to_come_again(
    api: Server, portrait: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(previews, "pace", Pace(1, 60.0))
    for nothing in ("s3://outputs/other.png", f"s3://{split_reference(portrait)[0]}/none.png"):
        assert look(api, "still", nothing).status_code == 422  # at the door, and at the desk
    assert look(api, "still", portrait, callback_url="https://example.org/told").status_code == 200
    refused = look(api, "still", portrait)
    assert (refused.status_code, refused.json()["code"], refused.json()["retryable"]) == (
        429,
        "too_many",
        True,
    )
    assert 0 < int(refused.headers["retry-after"]) <= 60
    api.name = "ben"
    assert look(api, "still", portrait).status_code == 200
    api.name = "anna"


def test_a_process_that_was_killed_is_replaced(api: Server, portrait: str) -> None:
    assert previews.desk._worker
    previews.desk._worker.kill()
    previews.desk._worker.wait()
    assert look(api, "still", portrait).status_code == 200


def test_a_question_that_its_process_never_took_up_is_asked_once_more(api: Server, portrait: str) -> None:
    worker = previews.desk._alive()
    assert worker.stdin
    os.kill(worker.pid, signal.SIGSTOP)
    with ThreadPoolExecutor(1) as caller:
        asked = caller.submit(look, api, "still", portrait)
        assert eventually(lambda: _unread(worker.stdin), end_s=30)
        worker.kill()
        assert asked.result().status_code == 200, asked.result().text


def _unread(pipe: Any) -> int:
    """Bytes that are in it."""
    return int(struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, b"    "))[0])
