"""What can go wrong between a client and the control service. Imports nothing, so that a CLI verb starts fast."""

from __future__ import annotations

from typing import Any

START_FIX = "run `ccp serve`, or start `ccp` again."


class ServiceFailure(Exception):
    """The service answered with an error.

    ``code`` is one of USAGE, NOT_FOUND, REFUSED, UNAVAILABLE, NOT_ALLOWED, FAILED; ``details`` holds what the code
    promises (REFUSED: gate, state, trigger, reason; UNAVAILABLE: fix; USAGE: line and field, when known).
    """

    def __init__(self, code: str, message: str, details: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.details = details or {}

    @classmethod
    def from_error(cls, error: dict[str, Any]) -> ServiceFailure:
        """The failure in a response frame's ``error`` object, whatever is missing from it."""
        details = error.get("details")
        return cls(
            str(error.get("code") or "FAILED"),
            str(error.get("message") or "The service gave no reason."),
            details if isinstance(details, dict) else {},
        )


class ServiceUnavailable(Exception):
    """The service is not there, or was lost during the call (then nobody knows whether the call was done).

    ``message`` says what is so, ``fix`` what the person can do about it.
    """

    def __init__(self, message: str, fix: str = START_FIX) -> None:
        super().__init__(message)
        self.message = message
        self.fix = fix


def unreachable(error: BaseException, socket_path: object) -> ServiceUnavailable:
    """The words for a failed connection to the control socket."""
    if isinstance(error, (FileNotFoundError, ConnectionRefusedError)):
        return ServiceUnavailable("The control service is not running.")
    if isinstance(error, PermissionError):
        return ServiceUnavailable(
            f"{socket_path} belongs to another user.",
            "log in as that user, or set CCP_HOME to a folder of your own.",
        )
    if isinstance(error, TimeoutError):
        return ServiceUnavailable(
            "The control service does not answer.", "`ccp stop`, then `ccp serve`; see logs/serve.log."
        )
    return ServiceUnavailable(f"The control service hung up ({error}): it may be stopping.")
