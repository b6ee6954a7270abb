"""The gate that foreign bytes pass: they are decoded in a child process, never in this one.

`probe`, `open_footage`, `open_matte`, `read_sound`, `watch` and `read_credentials` do what their namesakes
in `media` do, with the same refusals. The child has no secret, no network and bounded memory, processor time
and files (confine.py); whatever becomes of it, a crash and a hang included, is a MediaRefused here. Our own
artifacts need no gate.
"""

from avatarlab_ops.media.foreign.calls import (
    open_footage,
    open_matte,
    probe,
    read_credentials,
    read_sound,
    watch,
)
from avatarlab_ops.media.foreign.link import warm

__all__ = ["open_footage", "open_matte", "probe", "read_credentials", "read_sound", "warm", "watch"]
