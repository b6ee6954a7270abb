"""Where local state lies. Imports nothing of the product but the environment, so that engines may ask too."""

from __future__ import annotations

from pathlib import Path

from avatarlab_ops import environment


def root_folder() -> Path:
    """Folder of dags/, plugins/, config/ and demo/: AVATARLAB_ROOT, else the one that holds the package."""
    return environment.read().root or Path(__file__).resolve().parents[1]


def home_folder() -> Path:
    """State folder, absolute: AVATARLAB_HOME, else `.avatarlab` in the checkout or the working folder."""
    if given := environment.read().home:
        return given.expanduser().absolute()
    checkout = Path(__file__).resolve().parents[1]
    return (checkout if (checkout / "pyproject.toml").is_file() else Path.cwd()) / ".avatarlab"


def models_folder() -> Path:
    """Folder of added model files, absolute: AVATARLAB_MODELS, else `models` in the state folder."""
    if given := environment.read().models:
        return given.expanduser().absolute()
    return home_folder() / "models"
