"""The one door to torchaudio: import it, and whatever imports it, from here.

The registry's torchaudio wheel is linked to CUDA. Beside a torch without CUDA its optional C extension cannot
be loaded, and then `import torchaudio` fails, although all but forced alignment is plain Python. So, where
torch has no CUDA, this module puts a stand-in that says "not available" in the extension's place. The
installation stays untouched; on a CUDA machine torchaudio is imported as it is.

    from avatarlab_ops.engines.torchaudio import torchaudio
    torchaudio.functional.resample(samples, 44_100, 16_000)
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import torch

EXTENSION = "torchaudio._extension"


def _unavailable(function: Callable[..., Any]) -> Callable[..., Any]:
    def refuse(*_: object, **__: object) -> Any:
        raise RuntimeError(f"{function.__name__} needs torchaudio's C extension: install torch with CUDA")

    return refuse


def _stand_in() -> ModuleType:
    extension = ModuleType(EXTENSION, "Says that torchaudio's C extension is not available.")
    vars(extension).update(
        _IS_TORCHAUDIO_EXT_AVAILABLE=False,
        _IS_ALIGN_AVAILABLE=False,
        _check_cuda_version=lambda: None,
        fail_if_no_align=_unavailable,
    )
    return extension


if torch.version.cuda is None and "torchaudio" not in sys.modules:
    sys.modules.setdefault(EXTENSION, _stand_in())

import torchaudio  # noqa: E402 - the stand-in has to be in place

__all__ = ["torchaudio"]
