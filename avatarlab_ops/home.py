"""Where local state lies. Imports nothing of the product, so that engines may ask too."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path


def home_folder(env: Mapping[str, str] | None = None) -> Path:
    """State folder, absolute: AVATARLAB_HOME, else `.avatarlab` in the checkout or the working folder."""
    env = os.environ if env is None else env
    if env.get("AVATARLAB_HOME"):
        return Path(env["AVATARLAB_HOME"]).expanduser().absolute()
    checkout = Path(__file__).resolve().parents[1]
    return (checkout if (checkout / "pyproject.toml").is_file() else Path.cwd()) / ".avatarlab"


def models_folder(env: Mapping[str, str] | None = None) -> Path:
    """Folder of added model files, absolute: AVATARLAB_MODELS, else `models` in the state folder."""
    env = os.environ if env is None else env
    if env.get("AVATARLAB_MODELS"):
        return Path(env["AVATARLAB_MODELS"]).expanduser().absolute()
    return home_folder(env) / "models"
