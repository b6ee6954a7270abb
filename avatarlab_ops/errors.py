"""One exception tree; Airflow's retry policy and the command line's exit codes are read off it.

AvatarlabError
├── InputError              the request or its material is wrong: never retried (exit 2)
│   ├── RequestInvalid      a field breaks the contract
│   │   └── KeyReused       an idempotency key was used for another request
│   ├── ScriptRefused       the script cannot be spoken
│   ├── ReferenceRefused    a reference is malformed, forbidden or points at nothing
│   ├── MediaRefused        the bytes are not what they claim, or break a limit
│   ├── FaceRefused         no face, or no single leading face
│   ├── EngineUnavailable   unknown engine or voice, or weights that are not installed
│   ├── ModelRefused        a model file is damaged, unsafe, or of another network
│   ├── ConsentError        no valid consent
│   └── ApprovalRefused     somebody refused to have the video published
├── OutOfMemory             retried smaller (exit 3)
├── TransientError          a store or the network is away: retried with backoff (exit 4)
│   ├── DeviceFailed        the GPU failed: a new process may succeed
│   └── WorkInFlight        equal work is being done elsewhere: call again once its lock is free
│       └── ApprovalAwaited all is made, and somebody has to approve the video
├── StageTimeout            the stage's own time budget is spent: its own retry budget (exit 5)
├── RenderCancelled         the render was cancelled: never retried (exit 6)
├── FitsLater               there is no room now
│   ├── BudgetExceeded      the GPU-seconds of the day are spent: never retried (exit 7)
│   └── QueueFull           too many orders wait: may be asked again at the time it names (exit 8)
└── InvariantBroken         a defect of Avatarlab itself: never retried (exit 70)
"""

from datetime import datetime
from typing import ClassVar

UNEXPECTED = "unexpected"  # code of an error that is not of this tree: a defect


class AvatarlabError(Exception):
    """Every failure a person or a retry policy has to tell apart.

    `code` is stable and machine-readable; the message says what was given, what is allowed and what to do.
    """

    code: ClassVar[str] = "error"
    retryable: ClassVar[bool] = False
    exit_code: ClassVar[int] = 1


class InputError(AvatarlabError):
    """The request or its material is wrong; no retry can help."""

    code = "input"
    exit_code = 2


class RequestInvalid(InputError):
    """A field of the request breaks the contract."""

    code = "request_invalid"


class KeyReused(RequestInvalid):
    """The caller used the idempotency key for another request."""

    code = "idempotency_key_reused"


class ScriptRefused(InputError):
    """The script is empty, too long, or cannot be spoken by the chosen engine."""

    code = "script_refused"


class ReferenceRefused(InputError):
    """A reference is malformed, leaves its bucket, or points at nothing."""

    code = "reference_refused"


class MediaRefused(InputError):
    """The bytes are not what they claim to be, or break a limit."""

    code = "media_refused"


class FaceRefused(InputError):
    """The avatar shows no face, or no single leading face."""

    code = "face_refused"


class EngineUnavailable(InputError):
    """The engine or voice does not exist, or its weights are not installed."""

    code = "engine_unavailable"


class ModelRefused(InputError):
    """A model file that was to be added is damaged, unsafe, or of another network."""

    code = "model_refused"


class ConsentError(InputError):
    """There is no valid consent for a likeness or a voice."""

    code = "consent"


class OutOfMemory(AvatarlabError):
    """A device ran out of memory; a smaller batch may fit."""

    code = "out_of_memory"
    retryable = True
    exit_code = 3


class TransientError(AvatarlabError):
    """A store or the network is away; a later call may succeed."""

    code = "transient"
    retryable = True
    exit_code = 4


class DeviceFailed(TransientError):
    """The GPU failed, and with it all else that this process would ask of it; a new one may succeed."""


class WorkInFlight(TransientError):
    """Equal work is being done elsewhere; `lock` is the name of the lock it holds."""

    code = "work_in_flight"

    def __init__(self, message: str, lock: str = "") -> None:
        super().__init__(message)
        self.lock = lock


class ApprovalAwaited(WorkInFlight):
    """Everything is made; somebody has to approve the video before it is published."""

    code = "approval_awaited"


class ApprovalRefused(InputError):
    """Somebody looked at the video and refused to have it published."""

    code = "approval_refused"


class StageTimeout(AvatarlabError):
    """A stage used up its own time budget."""

    code = "stage_timeout"
    retryable = True
    exit_code = 5


class RenderCancelled(AvatarlabError):
    """The render was cancelled while it ran."""

    code = "cancelled"
    exit_code = 6


class FitsLater(AvatarlabError):
    """There is no room now. `fits_at`: when there is expected to be, None where nobody can tell."""

    def __init__(self, message: str, fits_at: datetime | None = None) -> None:
        super().__init__(message)
        self.fits_at = fits_at


class BudgetExceeded(FitsLater):
    """The caller's, or everybody's, GPU-seconds of the day are spent. `fits_at`: when it fits, if ever."""

    code = "budget_exceeded"
    exit_code = 7


class QueueFull(FitsLater):
    """Too many orders wait. `fits_at`: when one of them is expected to have left the line."""

    code = "queue_full"
    retryable = True
    exit_code = 8


class InvariantBroken(AvatarlabError):
    """A defect of Avatarlab itself, to be reported."""

    code = "invariant_broken"
    exit_code = 70


def of_code(code: str) -> type[AvatarlabError]:
    """The error class with this code; for an unknown code InputError, which is not retried.

    >>> of_code("consent").__name__, of_code("unexpected").__name__
    ('ConsentError', 'InvariantBroken')
    """
    if code == UNEXPECTED:
        return InvariantBroken
    pending: list[type[AvatarlabError]] = [AvatarlabError]
    while pending:
        kind = pending.pop()
        if kind.code == code:
            return kind
        pending += kind.__subclasses__()
    return InputError
