"""The registry names what exists, loads once, and stays light."""

import os
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from avatarlab_ops import engines
from avatarlab_ops.engines import device, weights
from avatarlab_ops.engines.info import EngineInfo, SpeechInfo, Voice
from avatarlab_ops.errors import EngineUnavailable


def test_defaults_of_the_contract_are_registered() -> None:
    assert engines.names("speech")[:3] == ("hibari", "small_e", "lina")
    assert engines.names("lipsync") == ("viseme_warp", "diffdub")
    assert engines.names("face") == ("landmarker",)
    assert engines.names("watermark") == ("perth",)
    assert engines.names("matting") == ("rvm_onnx", "rvm", "rvm_mobilenetv3", "rvm_resnet50", "selfie")


def speaker(name: str, factory: str) -> SpeechInfo:
    voice = Voice("any", "nobody", "any use")
    return SpeechInfo(
        name=name, factory=factory, version="1", languages=("en-US",), voices=(voice,), scripts=("Latin",)
    )


@pytest.mark.parametrize("engine", engines.known().engines.values(), ids=lambda engine: engine.name)
def test_every_file_of_an_engine_is_known(engine: EngineInfo) -> None:
    assert all(weights.known(name).licence for name in engine.file_names)


def test_an_unknown_engine_is_refused_with_the_names_that_exist() -> None:
    with pytest.raises(
        EngineUnavailable,
        match=r"no matting engine 'sam'.*rvm_onnx, rvm, rvm_mobilenetv3, rvm_resnet50, selfie",
    ):
        engines.info("matting", "sam")


def test_an_unknown_kind_is_refused_with_the_kinds_that_exist() -> None:
    with pytest.raises(EngineUnavailable, match="speech, face, matting, lipsync"):
        engines.load("dance", "waltz")


def test_an_engine_whose_code_is_missing_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    missing = speaker("gone", "avatarlab_ops.engines.speech.gone:Gone")
    monkeypatch.setitem(engines.known().engines, ("speech", "gone"), missing)
    with pytest.raises(EngineUnavailable, match=r"'gone' cannot be imported.*make setup"):
        engines.load("speech", "gone")


def test_what_is_no_engine_of_its_kind_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    mute = speaker("mute", "builtins:object")
    monkeypatch.setitem(engines.known().engines, ("speech", "mute"), mute)
    with pytest.raises(EngineUnavailable, match=r"builtins:object gives object, .* what SpeechEngine in"):
        engines.load("speech", "mute")


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Register an engine whose every construction is counted."""
    built: list[int] = []

    def build() -> object:
        built.append(os.getpid())
        return SimpleNamespace(speak=print)

    monkeypatch.setitem(sys.modules, "counted_engine", SimpleNamespace(build=build))
    known = speaker("counted", "counted_engine:build")
    monkeypatch.setitem(engines.known().engines, ("speech", "counted"), known)
    monkeypatch.setattr(engines, "_loaded", {})
    return built


def test_threads_share_one_engine(counted: list[int]) -> None:
    given: list[object] = []
    threads = [
        threading.Thread(target=lambda: given.append(engines.load("speech", "counted"))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(counted) == 1
    assert len(given) == 8
    assert len(set(map(id, given))) == 1


def test_an_engine_leaves_the_gpu_that_is_no_longer_granted(
    counted: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    emptied: list[int] = []
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.empty_cache", lambda: emptied.append(len(engines._loaded)))
    plain = engines.info("speech", "counted")
    gpu = replace(plain, name="on a gpu", cuda=True)
    monkeypatch.setitem(engines.known().engines, ("speech", gpu.name), gpu)
    on_cpu, built = engines.load("speech", plain.name), []
    for place in ("cuda:0", "cuda:0", "cuda:1"):
        with device.lease(tmp_path, [device.Device(place, place, 1)], slots=1, purpose="a test"):
            built.append(engines.load("speech", gpu.name))
            assert engines.load("speech", plain.name) is on_cpu
    assert built[0] is built[1]
    assert [key[2] for key in engines._loaded] == ["cpu", "cuda:1"]
    assert emptied == [2, 2, 1, 2]  # after each lease, and before the second GPU's engine is built
    assert len(counted) == 3


def test_a_forked_child_builds_its_own_engine_and_leaves_its_parents_alone() -> None:
    """An engine with threads would wait for them for ever as it is taken apart: in the child they are not.

    In a process of its own: pytest has threads, and Python warns of forking beside threads."""
    script = """
import os, sys
from types import SimpleNamespace
from avatarlab_ops import engines
from avatarlab_ops.engines.info import MattingInfo
built_by = os.getpid()
class Own(SimpleNamespace):
    def __del__(self):
        if os.getpid() != built_by and not self.child:
            os._exit(2)
sys.modules["own"] = SimpleNamespace(build=lambda: Own(mattes=os.getpid, child=os.getpid() != built_by))
engines.known().engines["matting", "own"] = MattingInfo(name="own", factory="own:build", version="1")
assert engines.load("matting", "own") is engines.load("matting", "own")
child = os.fork()
if not child:
    os._exit(0 if engines.load("matting", "own") is engines.load("matting", "own") else 1)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
assert engines.load("matting", "own") is engines.load("matting", "own")
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)


def test_the_registry_imports_no_model_runtime() -> None:
    script = (
        "import sys; from avatarlab_ops import engines; from avatarlab_ops.engines import device, weights;"
        "print([m for m in ('onnxruntime', 'onnx', 'torch', 'cv2', 'av', 'hibari') if m in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True, timeout=60
    )
    assert result.stdout.strip() == "[]"


def test_a_language_is_found_as_people_name_it_and_a_voice_by_its_language() -> None:
    voices = tuple(
        Voice(n, "nobody", "any use", languages=(tag,)) for n, tag in (("ann", "en-US"), ("eva", "es"))
    )
    engine = SpeechInfo(
        name="two", factory="x:y", version="1", languages=("en-US", "es"), voices=voices, scripts=("Latin",)
    )
    assert engine.language(None) == engine.language("en") == engine.language("en-US") == "en-US"
    assert engine.language("es") == engine.language("es-MX") == engine.language(None, "eva") == "es"
    assert engine.language("en-GB") is None
    assert engine.language("de") is None
    assert (engine.voices_of("en-US"), engine.voices_of("es")) == (("ann",), ("eva",))
    assert engines.info("speech", "hibari").voices_of("es") == ()
