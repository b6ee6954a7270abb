"""Makes the shared faces known to pytest as fixtures."""

from lip_faces import closed, portrait, smiling, talking

__all__ = ["closed", "portrait", "smiling", "talking"]
