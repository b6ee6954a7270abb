"""The leading face of a clip: detection, 478 landmarks, tracking."""
