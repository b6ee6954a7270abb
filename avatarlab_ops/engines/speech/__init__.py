"""Text to sound with times: `hibari`, `small_e` with `lina`, kokoro (`voices/`); and what engines share."""
