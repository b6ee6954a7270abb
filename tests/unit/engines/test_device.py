"""A device is never used by more than it has slots for, and a dead holder keeps nobody waiting."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
import time
from contextlib import ExitStack

import pytest
from kit.eventually import eventually

from avatarlab_ops.embedded import airflow
from avatarlab_ops.engines import device
from avatarlab_ops.engines.batches import memory_errors
from avatarlab_ops.engines.device import Device, lease
from avatarlab_ops.errors import InputError, OutOfMemory, RenderCancelled, TransientError
from avatarlab_ops.stages import runner

TWO = (Device("sim0", "cpu", 2), Device("sim1", "cpu", 1))
ONE = (Device("sim0", "cpu", 1),)


def cancelled() -> None:
    raise RenderCancelled("stop")


def names(monkeypatch, given, **which):
    monkeypatch.setenv("AVATARLAB_DEVICES", given)
    return [(found.name, found.slots) for found in device.devices(**which)]


def test_devices_are_what_the_variable_lists_else_the_processor(monkeypatch):
    assert names(monkeypatch, "sim0:2, sim1:1", cuda=True) == [("sim0", 2), ("sim1", 1)]
    assert names(monkeypatch, "cpu:4", cuda=False) == [("cpu", 4)]
    assert names(monkeypatch, "", cuda=False) == [("cpu", 2)]


@pytest.mark.parametrize(("given", "slots"), [("sim0:2,sim1:1", 3), ("cpu:5", 5), ("", 2)])
def test_the_pool_follows_the_devices(given, slots, tmp_path):
    """As `up` does: every device counts, so that a second GPU does not idle."""
    if not given and device.devices(cuda=True)[0].kind == "cuda":
        pytest.skip("this machine has a GPU")
    site = airflow.Site(tmp_path, "127.0.0.1", 0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AVATARLAB_DEVICES", given)
        pools = airflow._pools(site)
    assert pools["gpu"]["slots"] == slots
    assert pools["cpu"]["slots"] == 4


@pytest.mark.parametrize(("given", "told"), [("sim0", "write NAME:SLOTS"), ("cuda99:1", "names cuda99")])
def test_up_refuses_devices_that_it_cannot_count(given, told, tmp_path, monkeypatch):
    monkeypatch.setenv("AVATARLAB_DEVICES", given)
    with pytest.raises(InputError, match=rf"^AVATARLAB_DEVICES.*{told}"):
        airflow._pools(airflow.Site(tmp_path, "127.0.0.1", 0))


@pytest.mark.parametrize("given", ["sim0", "sim0:0", "sim0:-1", "tpu0:1", "sim0:1;sim1:1", "sim 0:1"])
def test_a_malformed_list_is_refused_with_an_example(monkeypatch, given):
    with pytest.raises(InputError, match=r"AVATARLAB_DEVICES=.*NAME:SLOTS.*cuda0:1"):
        names(monkeypatch, given, cuda=False)


def test_a_stage_refuses_a_malformed_list_and_waits_for_a_gpu_that_was_lost(monkeypatch):
    monkeypatch.setenv("AVATARLAB_DEVICES", "cuda0:x")
    with pytest.raises(InputError, match=r"^AVATARLAB_DEVICES='cuda0:x': write NAME:SLOTS"):
        runner._devices("speech", cuda=True)
    monkeypatch.setenv("AVATARLAB_DEVICES", "cuda99:1")
    with pytest.raises(TransientError, match="speech: AVATARLAB_DEVICES names cuda99"):
        runner._devices("speech", cuda=True)


def test_a_gpu_that_is_not_here_is_refused_and_what_needs_none_asks_for_none(monkeypatch):
    with pytest.raises(InputError, match=r"AVATARLAB_DEVICES names cuda99; PyTorch .* finds \d+ GPUs here"):
        names(monkeypatch, "cuda99:1,cpu:3", cuda=True)
    assert names(monkeypatch, "cuda99:1,cpu:3", cuda=False) == [("cpu", 3)]
    assert names(monkeypatch, "cuda99:1", cuda=False) == [("cpu", 2)]


def test_work_for_the_processor_does_not_load_torch_where_a_gpu_is_named(monkeypatch):
    monkeypatch.setenv("AVATARLAB_DEVICES", "cuda0:1")
    code = "import sys; from avatarlab_ops.engines import device; device.devices(cuda=False)"
    command = [sys.executable, "-c", f"{code}; print('torch' in sys.modules)"]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "False\n"


def test_the_lease_says_which_device_it_granted_as_long_as_it_lasts(tmp_path):
    with lease(tmp_path, TWO, slots=1, purpose="test") as first:
        assert device.current() == first
        with lease(tmp_path, TWO, slots=1, purpose="test") as second:
            assert device.current() == second
            assert {first.device.name, second.device.name} == {"sim0", "sim1"}  # the load spreads
        assert device.current() == first
    assert device.current().device not in TWO


def test_a_request_larger_than_any_device_takes_all_of_one(tmp_path):
    with lease(tmp_path, TWO, slots=9, purpose="test") as grant:
        assert (grant.device.name, grant.slots) in {("sim0", 2), ("sim1", 1)}


def test_threads_follow_the_granted_share_of_the_cores(tmp_path, monkeypatch):
    monkeypatch.delenv("AVATARLAB_CPU_THREADS", raising=False)
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(8)))
    assert device.threads() == 4
    with lease(tmp_path, (Device("cpu", "cpu", 4),), slots=1, purpose="test"):
        assert device.threads() == 2
        monkeypatch.setenv("AVATARLAB_CPU_THREADS", "3")
        assert device.threads() == 3


def test_a_living_holder_is_waited_for_however_long_it_works(tmp_path, monkeypatch, caplog):
    clock, got, looks = time.monotonic, [], threading.Semaphore(0)

    def wait() -> None:
        with lease(tmp_path, ONE, slots=1, purpose="lipsync", check=looks.release) as grant:
            got.append(grant.device.name)

    caplog.set_level("INFO", "avatarlab_ops.engines.device")
    with lease(tmp_path, ONE, slots=1, purpose="matte with rvm"):
        thread = threading.Thread(target=wait)
        thread.start()
        assert looks.acquire(timeout=20)
        monkeypatch.setattr("time.monotonic", lambda: clock() + 1e6)
        eventually(lambda: len(caplog.messages) == 2)  # told again after a long time
        assert not got
    thread.join(20)
    assert got == ["sim0"]
    assert re.search(r"lipsync waits for a device; held by pid \d+ \(matte with rvm", caplog.messages[0])
    assert "next in line" not in " ".join(caplog.messages), "not by the one who waits"


def test_a_render_cancelled_while_it_waits_waits_no_longer_and_holds_nothing(tmp_path):
    with (
        lease(tmp_path, ONE, slots=1, purpose="first"),
        pytest.raises(RenderCancelled),
        lease(tmp_path, ONE, slots=1, purpose="second", check=cancelled),
    ):
        pytest.fail("two hold one slot")
    with lease(tmp_path, ONE, slots=1, purpose="third"):
        pass


def test_a_large_request_is_not_overtaken_by_small_ones(tmp_path):
    waits, order = threading.Event(), []

    def large() -> None:
        with lease(tmp_path, TWO[:1], slots=2, purpose="large", check=waits.set):
            order.append("large")

    with ExitStack() as first:
        first.enter_context(lease(tmp_path, TWO[:1], slots=1, purpose="first"))
        thread = threading.Thread(target=large)
        thread.start()
        assert waits.wait(20)
        with (
            pytest.raises(RenderCancelled),
            lease(tmp_path, TWO[:1], slots=1, purpose="small", check=cancelled),
        ):
            order.append("small")
        first.close()
        thread.join(20)
    assert order == ["large"]


HOLD = """
import sys
from pathlib import Path
from avatarlab_ops.engines.device import Device, lease
with lease(Path(sys.argv[1]), (Device("sim0", "cpu", 1),), slots=1, purpose="doomed"):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_the_lease_of_a_killed_process_goes_to_who_waits(tmp_path):
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        got = []
        waits = threading.Event()

        def wait() -> None:
            with lease(tmp_path, ONE, slots=1, purpose="next", check=waits.set) as grant:
                got.append(grant.device.name)

        thread = threading.Thread(target=wait)
        thread.start()
        assert waits.wait(20)
        assert not got
        holder.kill()
        thread.join(20)
    assert got == ["sim0"]


STRESS = """
import fcntl, json, random, sys
from pathlib import Path
from avatarlab_ops.engines.device import Device, lease
folder, seed = Path(sys.argv[1]), int(sys.argv[2])
devices = (Device("sim0", "cpu", 2), Device("sim1", "cpu", 1))
random.seed(seed)

def count(grant, sign):
    with (folder / "in_use.json").open("r+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        in_use = json.load(file)
        in_use[grant.device.name] += sign * grant.slots
        in_use["most"] = max(in_use["most"], in_use["sim0"] + in_use["sim1"])
        in_use["broken"] += any(not 0 <= in_use[d.name] <= d.slots for d in devices)
        in_use["leases"] += sign > 0
        file.seek(0)
        file.truncate()
        json.dump(in_use, file)

sys.stdin.readline()
for _ in range(60):
    with lease(folder, devices, slots=random.choice((1, 1, 2)), purpose=f"stress {seed}") as grant:
        count(grant, 1)
        count(grant, -1)
"""


def test_processes_at_once_never_use_more_than_there_is(tmp_path):
    import json

    book = tmp_path / "in_use.json"
    book.write_text(json.dumps({"sim0": 0, "sim1": 0, "most": 0, "broken": 0, "leases": 0}))
    commands = [[sys.executable, "-c", STRESS, str(tmp_path), str(seed)] for seed in range(4)]
    with ExitStack() as stack:
        workers = [
            stack.enter_context(subprocess.Popen(command, stdin=subprocess.PIPE, text=True))
            for command in commands
        ]
        for worker in workers:
            assert worker.stdin is not None
            worker.stdin.write("go\n")
            worker.stdin.flush()
        assert [worker.wait(120) for worker in workers] == [0] * 4
    used = json.loads(book.read_text())
    assert used["broken"] == 0
    assert used["leases"] == 240
    assert used["most"] >= 2  # they did run at once
    assert used["sim0"] == used["sim1"] == 0


def test_who_gave_up_waiting_takes_nothing_later(tmp_path):
    with lease(tmp_path, ONE, slots=1, purpose="first"):
        with (
            pytest.raises(RenderCancelled),
            lease(tmp_path, ONE, slots=1, purpose="second", check=cancelled),
        ):
            pytest.fail("two hold one slot")
        waiting = [thread for thread in threading.enumerate() if thread.name.startswith("lock ")]
        assert waiting  # the kernel has no way to take a request back
    for thread in waiting:
        thread.join(20)
        assert not thread.is_alive()
    with lease(tmp_path, ONE, slots=1, purpose="third"):
        pass


@pytest.mark.parametrize(
    "said",
    [
        "CUDA error: an illegal memory access was encountered",
        "CUDA error: uncorrectable ECC error encountered",
        "CUDA error: unspecified launch failure",
        "cuDNN error: CUDNN_STATUS_EXECUTION_FAILED",
        "CUDA unknown error - this may be due to an incorrectly set up environment",
        "No CUDA GPUs are available",
    ],
)
def test_a_gpu_that_failed_is_no_defect_of_the_item(said):
    told = rf"^lipsync: the GPU failed \({re.escape(said)}\); try again in a new process$"
    with pytest.raises(TransientError, match=told), device.gpu_faults("lipsync"):
        raise RuntimeError(f"{said}\nCUDA kernel errors might be asynchronously reported")


@pytest.mark.parametrize(
    ("error", "known"),
    [
        (RuntimeError("shapes differ"), RuntimeError),
        (RuntimeError("CUDA error: no kernel image is available for execution"), RuntimeError),
        (InputError("a file named CUDA error"), InputError),
        (RuntimeError("CUDA error: out of memory"), OutOfMemory),
    ],
)
def test_what_is_no_fault_of_the_gpu_stays_what_it_is(error, known):
    with pytest.raises(known) as caught, device.gpu_faults("lipsync"), memory_errors("it is short"):
        raise error
    assert type(caught.value) is known


def test_the_memory_of_a_gpu_is_given_back_before_its_slots(tmp_path, monkeypatch):
    held = []
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.empty_cache", lambda: held.append(list(device.holders(tmp_path))))
    with lease(tmp_path, ONE, slots=1, purpose="test"):
        pass
    assert not held
    with lease(tmp_path, (Device("cuda-x", "cuda:0", 1),), slots=1, purpose="test"):
        assert not held
    assert held == [["cuda-x.0"]]


def test_a_gpu_that_failed_says_why_though_it_takes_nothing_back(tmp_path, monkeypatch):
    def fails() -> None:
        raise RuntimeError("CUDA error: unspecified launch failure")

    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.empty_cache", fails)
    with (
        pytest.raises(TransientError, match="lipsync: the GPU failed"),
        lease(tmp_path, (Device("cuda-x", "cuda:0", 1),), slots=1, purpose="test"),
        device.gpu_faults("lipsync"),
    ):
        fails()
