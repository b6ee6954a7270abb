"""Real servers for one machine: PostgreSQL, MongoDB and an S3 store out of ordinary Python wheels."""
