"""Which code made a thing, and on what: recorded with every artifact and manifest."""

from __future__ import annotations

import functools
import hashlib
import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path

PACKAGE = Path(__file__).parent
RECORDED = ("numpy", "torch", "onnxruntime", "ai-edge-litert", "av", "opencv-python-headless", "hibari-tts")


@functools.cache
def code_version() -> str:
    """`git describe` of the checkout, else the package version; with a digest of sources no commit names."""
    if (PACKAGE.parent / ".git").exists():
        command = ["git", "-C", str(PACKAGE.parent), "describe", "--always", "--dirty", "--abbrev=12"]
        described = subprocess.run(command, capture_output=True, text=True, check=False)
        if described.returncode == 0:
            name = described.stdout.strip()
            return f"{name}+{_source_digest()[:12]}" if name.endswith("-dirty") else name
    return f"{metadata.version('avatarlab')}+{_source_digest()[:12]}"


def _source_digest() -> str:
    whole = hashlib.sha256()
    for path in sorted(PACKAGE.rglob("*.py")):
        whole.update(path.relative_to(PACKAGE).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return whole.hexdigest()


@functools.cache
def environment() -> dict[str, str]:
    """Platform, processor count and the versions of the libraries that touch the pixels and samples."""
    found = {name: _installed(name) for name in RECORDED}
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpus": str(os.cpu_count()),
        **{name: version for name, version in found.items() if version},
    }


def _installed(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
