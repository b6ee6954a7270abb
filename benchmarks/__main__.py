"""`make bench`: every table, each in a process of its own so that none warms another."""

import subprocess
import sys

TABLES = (
    "stages",
    "compositing",
    "decoding",
    "orchestration",
    "dag_import",
    "bulk",
    "engine_load",
    "memory",
    "uhd",
)


def main() -> None:
    """Print the tables named on the command line, or all of them."""
    for name in sys.argv[1:] or TABLES:
        print(f"\n== {name} ==", flush=True)
        subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=True)


if __name__ == "__main__":
    main()
