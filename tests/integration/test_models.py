"""Model files from an operator to an engine: added once, fetched everywhere, never used unverified."""

from __future__ import annotations

import getpass
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from torch import Tensor

from avatarlab_ops import engines, model_files, pipeline
from avatarlab_ops.cli import main
from avatarlab_ops.engines import published, registry, weights
from avatarlab_ops.engines.info import SpeechInfo, Voice
from avatarlab_ops.engines.speech.small_e.config import Config
from avatarlab_ops.engines.speech.small_e.model import Lina
from avatarlab_ops.errors import EngineUnavailable, ModelRefused
from avatarlab_ops.files import sha256_of
from avatarlab_ops.housekeeping.chore import Job, Rules
from avatarlab_ops.housekeeping.weights import weights as tidy_weights
from avatarlab_ops.settings import Settings
from avatarlab_ops.stores.objects import objects

from .material import astronaut, png, upload

NAME = "small_e.safetensors"
LICENCE = "CC-BY-NC-SA-4.0"
TINY = Config(32, 1, 1, 2, 2, 32, 64, 16, codebooks=2, codebook_size=13, vocabulary=24)


@pytest.fixture
def bucket(stores: Settings) -> Iterator[Settings]:
    """Stores whose bucket of models is empty."""
    yield stores
    for key in list(objects(stores).keys(stores.bucket_models)):
        objects(stores).delete(stores.bucket_models, key)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return use_cache(tmp_path / "cache", monkeypatch)


def use_cache(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Another machine, as far as model files go."""
    monkeypatch.setenv("AVATARLAB_MODELS", str(folder))
    weights.forget()
    return folder


def checkpoint(folder: Path, seed: int = 1) -> tuple[Path, dict[str, Tensor]]:
    torch.manual_seed(seed)
    state = Lina(TINY).state_dict()
    path = folder / f"small_e_{seed}.pt"
    torch.save({"model": state}, path)
    return path, state


def stored(settings: Settings, prefix: str) -> list[str]:
    return list(objects(settings).keys(settings.bucket_models, prefix))


def test_an_added_file_reaches_a_second_machine(
    bucket: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, state = checkpoint(tmp_path)
    record = model_files.add(bucket, source, NAME, accept=LICENCE)
    for folder in ("cache", "second"):
        use_cache(tmp_path / folder, monkeypatch)
        model_files.ensure(bucket, [NAME, "hibari.onnx"])
        assert weights.sha256(NAME) == record.sha256 == sha256_of(weights.path(NAME))
        found = weights.tensors(NAME)
        assert all(torch.equal(found[key], tensor) for key, tensor in state.items())
        assert weights.path(NAME).is_relative_to(tmp_path / folder)
        Lina(Config.from_state(found)).load_state_dict(found)


def test_without_an_accepted_licence_nothing_is_used(bucket: Settings, tmp_path: Path) -> None:
    source, _ = checkpoint(tmp_path)
    with pytest.raises(ModelRefused, match=f"is under the licence {LICENCE}, not MIT"):
        model_files.add(bucket, source, NAME, accept="MIT")
    assert not stored(bucket, "")
    model_files.add(bucket, source, NAME)
    for use in (weights.path, weights.sha256, weights.tensors):
        with pytest.raises(
            EngineUnavailable, match=f"nobody accepted its licence {LICENCE}.*--accept-licence"
        ):
            use(NAME)
    record = model_files.add(bucket, source, NAME, accept=LICENCE)
    assert (record.accepted_by, record.licence) == (getpass.getuser(), LICENCE)
    assert record.accepted_at
    assert weights.path(NAME)
    history = [
        json.loads(objects(bucket).read(bucket.bucket_models, key)) for key in stored(bucket, "records")
    ]
    assert [entry["accepted_by"] for entry in history] == [None, getpass.getuser()]


def test_added_twice_is_added_once(bucket: Settings, tmp_path: Path) -> None:
    source, _ = checkpoint(tmp_path)
    first = model_files.add(bucket, source, NAME, accept=LICENCE)
    before = stored(bucket, "")
    assert model_files.add(bucket, source, NAME) == first
    assert stored(bucket, "") == before


def test_another_file_takes_its_place_and_keeps_the_acceptance(
    bucket: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = model_files.add(bucket, checkpoint(tmp_path, 1)[0], NAME, accept=LICENCE)
    use_cache(tmp_path / "other", monkeypatch)
    model_files.ensure(bucket, [NAME])
    kept = weights.tensors(NAME)
    second = model_files.add(bucket, checkpoint(tmp_path, 2)[0], NAME)
    assert second.sha256 != first.sha256
    assert second.accepted_by == first.accepted_by
    use_cache(tmp_path / "cache", monkeypatch)
    assert weights.sha256(NAME) == first.sha256, "no worker changes its weights before a stage starts"
    model_files.ensure(bucket, [NAME])
    assert weights.sha256(NAME) == second.sha256
    assert first.location.is_file()
    assert kept["txt_embed.weight"].isfinite().all()


@pytest.mark.parametrize("damage", ["corrupt", "truncate", "remove"])
def test_a_damaged_cache_is_noticed_and_fetched_again(bucket: Settings, tmp_path: Path, damage: str) -> None:
    record = model_files.add(bucket, checkpoint(tmp_path)[0], NAME, accept=LICENCE)
    content = record.location.read_bytes()
    if damage == "remove":
        record.location.unlink()
    else:
        record.location.write_bytes(content[:-1] + (b"\0" if damage == "corrupt" else b""))
    weights.forget()  # another process
    with pytest.raises(EngineUnavailable, match=r"models verify"):
        weights.tensors(NAME)
    model_files.ensure(bucket, [NAME])
    assert weights.path(NAME).read_bytes() == content


def test_a_damaged_record_is_written_anew(bucket: Settings, tmp_path: Path) -> None:
    model_files.add(bucket, checkpoint(tmp_path)[0], NAME, accept=LICENCE)
    weights.record_path(NAME).write_text("{")
    weights.forget()
    with pytest.raises(EngineUnavailable, match=r"record .* is damaged"):
        weights.path(NAME)
    model_files.ensure(bucket, [NAME])
    assert weights.path(NAME)


@pytest.mark.parametrize("damaged", [b"other bytes", None])
def test_a_damaged_bucket_is_told_and_mended_by_adding_again(
    bucket: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damaged: bytes | None
) -> None:
    source, _ = checkpoint(tmp_path)
    model_files.add(bucket, source, NAME, accept=LICENCE)
    [key] = stored(bucket, "files")
    objects(bucket).delete(bucket.bucket_models, key)
    if damaged:
        objects(bucket).put_if_absent(bucket.bucket_models, key, damaged)
    assert dict(model_files.verify(bucket))[NAME] is not None
    use_cache(tmp_path / "second", monkeypatch)
    with pytest.raises(EngineUnavailable, match=r"copy in the bucket is damaged.*avatarlab models add"):
        model_files.ensure(bucket, [NAME])
    model_files.add(bucket, source, NAME)
    use_cache(tmp_path / "third", monkeypatch)
    model_files.ensure(bucket, [NAME])
    assert weights.path(NAME)
    assert set(dict(model_files.verify(bucket)).values()) == {None}


def test_a_file_that_is_not_the_published_one_is_refused(
    bucket: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, _ = checkpoint(tmp_path)
    stated = replace(published.PUBLISHED[NAME], upstream_sha256="ab" * 32)
    monkeypatch.setitem(registry.known().files, NAME, stated)
    with pytest.raises(ModelRefused, match=f"has sha256 {sha256_of(source)}, but .* has {'ab' * 32}"):
        model_files.add(bucket, source, NAME, accept=LICENCE)
    assert not stored(bucket, "")


@pytest.mark.parametrize(
    ("name", "said"), [("hibari.onnx", "arrives in a package"), ("sam.safetensors", "no model file 'sam")]
)
def test_only_what_is_published_can_be_added(bucket: Settings, tmp_path: Path, name: str, said: str) -> None:
    with pytest.raises((ModelRefused, EngineUnavailable), match=said):
        model_files.add(bucket, checkpoint(tmp_path)[0], name)


def test_a_refused_file_leaves_nothing_behind(bucket: Settings, tmp_path: Path, cache: Path) -> None:
    source = tmp_path / "a.pt"
    source.write_bytes(b"PK\x03\x04 no archive")
    with pytest.raises(ModelRefused):
        model_files.add(bucket, source, NAME, accept=LICENCE)
    assert not stored(bucket, "")
    assert not list(cache.iterdir())


@pytest.fixture
def needy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A speech engine that needs two added files."""
    known = SpeechInfo(
        name="needy", factory="nowhere:Nothing", version="1",
        files=(published.PUBLISHED[NAME], published.PUBLISHED["vocos_encodec_24khz.safetensors"]),
        languages=("en-US",), voices=(Voice("any", "nobody", "any use"),), scripts=("Latin",),
    )  # fmt: skip
    monkeypatch.setitem(engines.known().engines, ("speech", "needy"), known)


def admitted(settings: Settings, kind: str = "speech", name: str = "needy") -> None:
    avatar = upload(settings, "models/astronaut.png", png(astronaut()))
    wish = {"background": {"kind": "colour", "colour": "#1e293b"}} if kind == "matting" else {}
    request = {"script": "Hello.", "avatar": {"uri": avatar}, "engines": {kind: name}, **wish}
    pipeline.run_stage(settings, pipeline.submit(settings, request), "admit")


@pytest.mark.usefixtures("needy")
def test_a_request_whose_engine_lacks_weights_is_refused_with_what_to_do(
    bucket: Settings, tmp_path: Path
) -> None:
    with pytest.raises(EngineUnavailable) as refused:
        admitted(bucket)
    for name in (NAME, "vocos_encodec_24khz.safetensors"):
        known = published.PUBLISHED[name]
        for said in (name, known.upstream, known.source, known.command):
            assert said in str(refused.value)
    model_files.add(bucket, checkpoint(tmp_path)[0], NAME)
    with pytest.raises(EngineUnavailable, match=f"nobody accepted its licence {LICENCE}"):
        admitted(bucket)


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("speech", "small_e"), ("speech", "lina"), ("lipsync", "diffdub"),
        ("matting", "rvm_mobilenetv3"), ("matting", "rvm_resnet50"),
    ],
)  # fmt: skip
def test_every_named_model_says_which_files_it_needs(bucket: Settings, kind: str, name: str) -> None:
    with pytest.raises(EngineUnavailable) as refused:
        admitted(bucket, kind, name)
    for file in engines.info(kind, name).file_names:
        known = published.PUBLISHED[file]
        for said in (file, known.upstream, known.source, known.command):
            assert said in str(refused.value)


def test_commands_add_list_and_verify(
    bucket: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("avatarlab_ops.cli.models.stores", lambda: bucket)
    source, _ = checkpoint(tmp_path)

    def told(*words: str, code: int = 0) -> str:
        result = CliRunner().invoke(main, ["models", *words])
        assert result.exit_code == code, result.output
        return result.output

    assert f"{NAME}  missing" in told("list")
    assert "no engine uses it until somebody accepts that" in told("add", str(source), "--as", NAME)
    assert f"{NAME}  licence not accepted" in told("list")
    told("add", str(source), "--as", NAME, "--accept-licence", LICENCE)
    listed = told("list")
    assert f"{NAME}  added  ({LICENCE}, non-commercial)" in listed
    assert f"licence accepted by {getpass.getuser()}" in listed
    assert all(name in listed for name in published.PUBLISHED)
    assert f"ok  {NAME}" in told("verify")
    [key] = stored(bucket, "files")
    objects(bucket).delete(bucket.bucket_models, key)
    assert f"NO  {NAME}" in told("verify", code=2)
    assert "model_refused" in told("add", str(source), "--as", "rvm_resnet50.safetensors", code=2)


def test_housekeeping_finds_orphans_of_both_kinds(bucket: Settings, tmp_path: Path) -> None:
    first = model_files.add(bucket, checkpoint(tmp_path)[0], NAME, accept=LICENCE)
    model_files.add(bucket, checkpoint(tmp_path, seed=2)[0], NAME)
    store, torn = objects(bucket), f"files/{'0' * 64}/{NAME}"
    store.put_if_absent(bucket.bucket_models, torn, b"put by an addition that was killed")
    everything = stored(bucket, "")

    def look(*, apply: bool, settle: timedelta = timedelta(0)) -> list[str]:
        return tidy_weights(Job(bucket, Rules(settle=settle), apply, lambda _: None)).notes

    assert look(apply=True, settle=timedelta(hours=1)) == []
    assert [note.partition(":")[0] for note in look(apply=False)] == [torn]
    assert stored(bucket, "") == everything, "a dry run changed something"
    look(apply=True)
    assert stored(bucket, "") == [key for key in everything if key != torn]  # the replaced version too
    store.delete(bucket.bucket_models, model_files.key_of(first))
    (told,) = look(apply=True)
    assert told.startswith(model_files.key_of(first))
    assert "avatarlab models add" in told
