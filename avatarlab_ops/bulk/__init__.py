"""Many requests at once: what is asked for, read, planned, worked on in batches, and reported."""
