"""An imperceptible mark in speech."""
