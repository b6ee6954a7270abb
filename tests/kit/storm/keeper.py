"""`python -m kit.storm.keeper HOME` keeps stores running, as the supervisor does with its own.

A process of its own: the storm's stores are given to Airflow by address, so its supervisor leaves them alone.
"""

from __future__ import annotations

import logging
import signal
import sys
import threading
from pathlib import Path

from avatarlab_ops.embedded import servers
from avatarlab_ops.errors import AvatarlabError

LOOK_S = 1.0


def main() -> None:
    """Look once a second until SIGTERM."""
    home, ended = Path(sys.argv[1]), threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    while not ended.wait(LOOK_S):
        try:
            servers.ensure(home, broker=True)
        except (AvatarlabError, OSError) as error:
            logging.warning("%s", error)


if __name__ == "__main__":
    main()
