"""The three stores as one folder, and back: records never name bytes that the folder lacks."""

from avatarlab_ops.backup.folder import Manifest
from avatarlab_ops.backup.restoring import restore
from avatarlab_ops.backup.taking import take
from avatarlab_ops.backup.withdrawals import apply as apply_withdrawals
from avatarlab_ops.backup.withdrawals import known_until
from avatarlab_ops.backup.withdrawals import write as write_withdrawals

__all__ = ["Manifest", "apply_withdrawals", "known_until", "restore", "take", "write_withdrawals"]
