"""Sound and a face to mouth patches: `viseme_warp` and `diffdub`; `measure` says how well lips follow."""
