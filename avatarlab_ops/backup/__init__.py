"""The three stores as one folder, and back: records never name bytes that the folder lacks."""

from avatarlab_ops.backup.folder import Manifest
from avatarlab_ops.backup.restoring import restore
from avatarlab_ops.backup.taking import take

__all__ = ["Manifest", "restore", "take"]
