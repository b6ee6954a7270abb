"""How a bulk run is named: by its caller, by a key of theirs, or by Airflow's run."""

from __future__ import annotations

import hashlib
import re


def bulk_id_of(name: str | None, run_id: str) -> str:
    """Id of a bulk run: its name, else Airflow's run id with what keys may not hold replaced."""
    return name or re.sub(r"[^A-Za-z0-9_.-]", "-", run_id)[:100]


def id_of_key(caller: str, key: str) -> str:
    """Id of a bulk run that a caller ordered under a key of their own, as no other caller or key gives it.

    >>> id_of_key("ann", "spring-1")
    'ann.spring-1'
    >>> id_of_key("ann", "x:1") == id_of_key("ann", "x-1")
    False
    """
    text = f"{caller}.{key}"
    plain = bulk_id_of(None, text)
    if plain == text and "." not in caller and caller[0].isalnum():
        return text
    mark = hashlib.sha256(f"{caller}\n{key}".encode()).hexdigest()[:12]  # no name or key holds a line end
    return f"{plain[:87].lstrip('_.-') or 'run'}-{mark}"  # an id begins with a letter or a digit
