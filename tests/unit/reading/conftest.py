"""The rules of every language are compiled before a test with a deadline reads its first example."""

import pytest

from avatarlab_ops.reading import languages, read


@pytest.fixture(scope="session", autouse=True)
def _compiled() -> None:
    for language in languages():
        read("1", language)
