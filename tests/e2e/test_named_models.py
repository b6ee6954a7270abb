"""The named models through Airflow: checkpoints that an operator adds, a request, a published video.

The weights are keyed and the networks tiny, so the voice and the mouth are noise; every wire is real. The
files are added on one machine and the tasks run on another, as far as their caches go.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import pytest
import torch
from click.testing import CliRunner
from kit import small_e_models
from kit.running_site import Site, request
from unit.lipsync import tiny_diffdub

from avatarlab_ops.cli import main
from avatarlab_ops.engines import weights
from avatarlab_ops.engines.published import PUBLISHED
from avatarlab_ops.errors import InputError
from avatarlab_ops.fields import split_reference
from avatarlab_ops.renders import status
from avatarlab_ops.stores.objects import objects

ENGINES = {"speech": "small_e", "lipsync": "diffdub", "matting": "rvm"}
BACKGROUND = {"kind": "colour", "colour": "#1e293b"}


def published_files(folder: Path) -> Iterator[tuple[str, Path]]:
    """Checkpoints as their authors wrap them, and the names to add them as."""
    stage1, stage2, ears = tiny_diffdub.states()
    trained = {f"model.{key}": torch.zeros_like(tensor) for key, tensor in stage1.items()}
    averaged = {f"ema_model.{key}": tensor for key, tensor in stage1.items()}
    contents: dict[str, Any] = {
        "diffdub_stage1.safetensors": {"state_dict": {"x_T": torch.zeros(2, 3), **trained, **averaged}},
        "diffdub_stage2.safetensors": {"state_dict": {f"seq2seq.encoder.{k}": v for k, v in stage2.items()}},
        "hubert_large.safetensors": ears,
        "small_e.safetensors": {"model": small_e_models.language_model()},
        "vocos_encodec_24khz.safetensors": dict(small_e_models.vocos()),
        "encodec_24khz.safetensors": dict(small_e_models.encodec_24khz()),
    }
    for name, content in contents.items():
        torch.save(content, folder / f"{name}.pt")
        yield name, folder / f"{name}.pt"
    yield "bpe256.json", small_e_models.tokenizer(folder / "bpe256.json")


@pytest.fixture
def another_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("AVATARLAB_MODELS", str(tmp_path / "cache"))
    weights.forget()
    yield
    weights.forget()


@pytest.mark.usefixtures("another_machine")
@pytest.mark.slow
def test_added_models_make_a_published_video(site: Site, tmp_path: Path) -> None:
    wish = request(engines=ENGINES, background=BACKGROUND)
    with pytest.raises(InputError) as refused:
        site.submit(wish)
    reason = str(refused.value)
    needed = [name for name, _ in published_files(tmp_path)]
    for known in map(PUBLISHED.__getitem__, needed):
        assert f"{known.name} is missing: it is made from {known.upstream}" in reason
        assert known.source in reason
        assert known.command in reason

    for name, file in published_files(tmp_path):
        accept = ("--accept-licence", PUBLISHED[name].licence) if PUBLISHED[name].non_commercial else ()
        added = CliRunner().invoke(main, ["models", "add", str(file), "--as", name, *accept])
        assert added.exit_code == 0, added.output

    run_id = site.submit(wish)
    assert site.finish(run_id) == "success", site.client.tasks(run_id)
    states = site.client.tasks(run_id)
    assert states.pop("face") in ("success", "skipped")  # another test may have looked at this portrait
    assert set(states.values()) == {"success"}
    published = status.published(site.settings, site.status(run_id).render_id)
    assert published
    with av.open(io.BytesIO(objects(site.settings).read(*split_reference(published.video_uri)))) as video:
        assert video.streams.video[0].frames == pytest.approx(published.duration_s * 24, abs=1)
        assert video.streams.audio
    manifest = objects(site.settings).read(*split_reference(published.manifest_uri)).decode()
    for name in needed:
        assert weights.sha256(name) in manifest, f"the manifest does not trace {name}"
