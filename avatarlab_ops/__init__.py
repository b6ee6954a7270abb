"""Avatarlab: a script, a likeness and a voice in; a published talking-avatar video out."""

import os

# Read when NumPy, SciPy and OpenCV load, each with a BLAS of its own. What is solved here is small: several
# threads, one for each core, take ten times as long as one, and may round otherwise on another machine.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
