"""torchaudio imports beside a torch without CUDA, and what it computes without its extension is right."""

from __future__ import annotations

import math
import subprocess
import sys

import pytest
import torch


def test_a_fresh_process_can_import_it() -> None:
    code = "from avatarlab_ops.engines.torchaudio import torchaudio; print(torchaudio.functional.resample)"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_a_resampled_tone_keeps_its_pitch() -> None:
    from avatarlab_ops.engines.torchaudio import torchaudio

    def tone(rate_hz: int) -> torch.Tensor:
        return torch.sin(2 * math.pi * 440 * torch.arange(rate_hz) / rate_hz)

    resampled = torchaudio.functional.resample(tone(44_100), 44_100, 16_000)
    assert resampled.shape == (16_000,)
    inner = slice(200, -200)
    assert (resampled - tone(16_000))[inner].abs().max() < 1e-3


@pytest.mark.skipif(torch.version.cuda is not None, reason="with CUDA the real extension is there")
def test_what_needs_the_extension_says_so() -> None:
    from avatarlab_ops.engines.torchaudio import torchaudio

    with pytest.raises(RuntimeError, match="C extension"):
        torchaudio.functional.forced_align(torch.zeros(1, 4, 3), torch.ones(1, 2, dtype=torch.int32))
