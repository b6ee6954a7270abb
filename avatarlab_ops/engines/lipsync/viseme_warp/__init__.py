"""A talking face without a neural network, layered the way a face is.

Skin and lips are warped from the source; behind them lie upper teeth on the skull, lower teeth and tongue on
the jaw, and a dark cavity.

geometry finds the face, seam the lip line, shape the wanted lips, field the warp; teeth, light and interior
make the inside, blinks and head the life; paint puts one frame together and engine a clip.
"""

from avatarlab_ops.engines.lipsync.viseme_warp.engine import VisemeWarp

__all__ = ["VisemeWarp"]
