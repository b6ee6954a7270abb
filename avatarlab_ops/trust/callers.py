"""Names that renders, uploads and budgets are kept by: of a logged-in user, or of the machine itself.

No user's name is one of the machine's: whoever is called `cli` in Airflow's login is the caller `user:cli`.
"""

from __future__ import annotations

CLOCK = "clock"
OPERATORS = ("cli", "airflow", CLOCK)  # callers that have the machine: its command lines, its schedule
_USER = "user:"


def of_user(name: str) -> str:
    """The caller that a user's name stands for: the name, except where the machine could be meant.

    >>> of_user("anna"), of_user("cli"), of_user("user:cli")
    ('anna', 'user:cli', 'user:user:cli')
    """
    return f"{_USER}{name}" if name in OPERATORS or name.startswith(_USER) else name


def user_of(caller: str) -> str:
    """The name of the user that a caller is, as Airflow knows it.

    >>> user_of("user:cli"), user_of(of_user("user:cli"))
    ('cli', 'user:cli')
    """
    return caller.removeprefix(_USER)
