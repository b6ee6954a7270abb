"""Where things are kept: bytes (S3), records (PostgreSQL) and documents (MongoDB).

`artifacts` are found by what made them; `outbox` sends what receivers are told.
"""
