"""`make bench-models`: the table of every named model, each in a process of its own."""

import subprocess
import sys
from pathlib import Path


def main() -> None:
    """Print the tables of benchmarks/models_*.py."""
    for path in sorted(Path(__file__).parent.glob("models_*.py")):
        print(f"\n== {path.stem} ==", flush=True)
        subprocess.run([sys.executable, "-m", f"benchmarks.{path.stem}"], check=True)


if __name__ == "__main__":
    main()
