"""The process that decoding children are forked from: libraries loaded, one thread, no secret to inherit.

It is handed one end of a connection, forks a child for it, and tells the other end if the child died.
It ends when nobody holds its control socket any more.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import sys
from dataclasses import dataclass

from avatarlab_ops.media.foreign import child, confine


@dataclass(frozen=True)
class _Child:
    pid: int
    watch: int  # a descriptor that is readable once it has ended
    connection: socket.socket  # a second holder, so that the end of the child can be told


def main() -> None:
    """Serve until the control socket, whose descriptor is the first argument, is closed."""
    control = socket.socket(fileno=int(sys.argv[1]))
    child.load()
    confine.seccomp()
    zygote = _Zygote(control)
    while zygote.turn():
        pass


class _Zygote:
    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._poll = select.poll()
        self._poll.register(control, select.POLLIN)
        self._children: dict[int, _Child] = {}  # by either descriptor

    def turn(self) -> bool:
        """Wait for one thing to happen; False once there is nobody left to serve."""
        for descriptor, _ in self._poll.poll():
            known = self._children.get(descriptor)
            if descriptor == self._control.fileno():
                if not self._accept():
                    return False
            elif known is None:
                continue  # its other descriptor was seen to in this very turn
            elif descriptor == known.watch:
                self._bury(known)
            else:  # nobody waits for it any more
                self._poll.unregister(known.connection)
                os.kill(known.pid, signal.SIGKILL)
        return True

    def _accept(self) -> bool:
        _, descriptors, _, _ = socket.recv_fds(self._control, 16, 1)
        if not descriptors:
            return False
        connection = socket.socket(fileno=descriptors[0])
        zygote = os.getpid()
        pid = os.fork()
        if pid == 0:
            _live(connection, zygote)
        new = _Child(pid, os.pidfd_open(pid), connection)
        self._children |= {new.watch: new, connection.fileno(): new}
        self._poll.register(new.watch, select.POLLIN)
        self._poll.register(connection, 0)  # told only when the other end is closed
        return True

    def _bury(self, dead: _Child) -> None:
        code = os.waitstatus_to_exitcode(os.waitpid(dead.pid, 0)[1])
        for descriptor in (dead.watch, dead.connection.fileno()):
            del self._children[descriptor]
            with contextlib.suppress(KeyError):
                self._poll.unregister(descriptor)
        with contextlib.suppress(OSError):  # the other end is closed, or does not read
            dead.connection.send(json.dumps({"died": code}).encode(), socket.MSG_DONTWAIT)
        dead.connection.close()
        os.close(dead.watch)


def _live(connection: socket.socket, zygote: int) -> None:
    """Be the child: nothing is open but its connection."""
    code = 1
    try:
        os.dup2(connection.fileno(), 3)
        os.closerange(4, os.sysconf("SC_OPEN_MAX"))
        child.serve(socket.socket(fileno=3), zygote)
        code = 0
    finally:
        os._exit(code)


if __name__ == "__main__":
    main()
