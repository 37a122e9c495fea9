"""How a verb fails: one exception, and the exit code of each kind of failure."""

from __future__ import annotations

from typing import Any

OK, FAILED, USAGE, NOT_FOUND, REFUSED, UNAVAILABLE, NOT_ALLOWED = range(7)
INTERRUPTED = 130

EXIT_CODES = {
    "FAILED": FAILED,
    "USAGE": USAGE,
    "NOT_FOUND": NOT_FOUND,
    "REFUSED": REFUSED,
    "UNAVAILABLE": UNAVAILABLE,
    "NOT_ALLOWED": NOT_ALLOWED,
}
# What the service may add to an error, and a script may want to read.
DETAILS = ("gate", "state", "trigger", "reason", "fix", "line", "field")


class CliError(Exception):
    """A verb that failed: a code of the service's protocol, words for a person, and what the service added."""

    def __init__(self, code: str, message: str, details: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.code = code if code in EXIT_CODES else "FAILED"
        self.message = message
        self.details = {
            key: value for key, value in (details or {}).items() if key in DETAILS and value is not None
        }

    def about(self, ref: str) -> None:
        """Names the task that the failure is about, unless the words already do."""
        if ref not in self.message:
            self.message = f"{ref}: {self.message}"

    @property
    def exit_code(self) -> int:
        return EXIT_CODES[self.code]

    def as_json(self) -> dict[str, Any]:
        """What stands under ``error`` in the JSON a failed verb prints."""
        return {"code": self.code, "message": self.message, **self.details}

    def words(self) -> str:
        """The failure for a person: what happened, and on a second line what to do about it."""
        line, fix = self.details.get("line"), self.details.get("fix")
        text = f"line {line}: {self.message}" if line and f"line {line}" not in self.message else self.message
        if self.code == "REFUSED" and (gate := self.details.get("gate")):
            text += f" (gate: {gate})"
        return f"{text}\n     {fix}" if fix else text


def usage(message: str) -> CliError:
    """A verb that was called wrongly."""
    return CliError("USAGE", message)
