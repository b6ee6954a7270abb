"""Recording to words."""
