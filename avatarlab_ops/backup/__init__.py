"""The three stores as one folder, and back: records never name bytes that the folder lacks."""

from avatarlab_ops.backup.folder import Manifest
from avatarlab_ops.backup.restoring import finish, restore
from avatarlab_ops.backup.taking import take
from avatarlab_ops.backup.withdrawals import known_until
from avatarlab_ops.backup.withdrawals import write as write_withdrawals

__all__ = ["Manifest", "finish", "known_until", "restore", "take", "write_withdrawals"]
