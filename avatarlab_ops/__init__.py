"""Avatarlab: a script, a likeness and a voice in; a published talking-avatar video out."""
