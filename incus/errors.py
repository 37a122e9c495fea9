"""What can go wrong with the fleet, in words for people. Imports nothing, so that a CLI verb starts fast."""

from __future__ import annotations

from collections.abc import Sequence

CODES = ("USAGE", "NOT_FOUND", "EXISTS", "REFUSED", "UNAVAILABLE", "NOT_ALLOWED", "FAILED", "TIMEOUT")


class FleetError(Exception):
    """An action on a deployment, an image or a remote did not work.

    ``code`` is one of CODES: USAGE (what was asked for can't be right), NOT_FOUND, EXISTS (the name is taken), REFUSED
    (not in this state), UNAVAILABLE (no Incus, or it is out of reach), NOT_ALLOWED (Incus lets this user do nothing),
    FAILED, TIMEOUT. ``message`` says what is so, ``fix`` what the person can do about it ("" when nothing). ``log`` are
    the last lines of a container that was removed because of it.
    """

    def __init__(self, code: str, message: str, fix: str = "", log: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.fix = fix
        self.log = tuple(log)

    def __str__(self) -> str:
        return f"{self.message} {self.fix}".rstrip()
