"""Who may log in to our own Airflow, and as whom the command line does."""

from __future__ import annotations

import json
import os
from configparser import ConfigParser
from pathlib import Path

from avatarlab_ops.errors import InputError

VARIABLE = "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS"
ADMIN = "admin"  # a role of Airflow's, and the user who has it where nobody is named


def given() -> str:
    """Users of the simple auth manager, `name:role,...`: Airflow's own variable, else `admin`."""
    return " ".join(os.environ.get(VARIABLE, f"{ADMIN}:{ADMIN}").split())  # one line of the configuration


def roles(users: str) -> dict[str, str]:
    """The role of each user of `name:role,...`, in that order."""
    entries = [entry.strip().split(":") for entry in users.split(",") if entry.strip()]
    return {name: role.lower() for name, role, *_ in ([*entry, ""] for entry in entries)}


def login(home: Path) -> tuple[str, str]:
    """Name and password with which commands log in: `admin`, or else the first user of that role.

    The configuration of the last start says who they are: this command's environment may be another one.
    Raises InputError where nobody has the role, FileNotFoundError where Airflow was never started.
    """
    config = ConfigParser()
    config.read_string((home / "airflow" / "airflow.cfg").read_text())
    passwords: dict[str, str] = json.loads((home / "airflow" / "passwords.json").read_text())
    known = roles(config["core"]["simple_auth_manager_users"])
    admins = [name for name, role in known.items() if role == ADMIN and name in passwords]
    if not admins:
        raise InputError(
            f"no user of this Airflow has the role {ADMIN}, as whom commands log in: "
            f"add NAME:{ADMIN} to {VARIABLE}, then `avatarlab down` and `avatarlab up`"
        )
    name = ADMIN if ADMIN in admins else admins[0]
    return name, passwords[name]
