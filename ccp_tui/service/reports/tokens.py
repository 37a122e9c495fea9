"""The token of an attempt: what its agent shows to report, made from a secret of this home and kept nowhere.

The database has only the hash. A prompt in the outbox carries a placeholder, so that a resend after a crash finds the
same token again without it ever being stored.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
from pathlib import Path

PLACEHOLDER = "{{token}}"
# The same letters in a spec, a template perhaps, are somebody's words.
_COMMAND = re.compile(rf"^(Report command: .* --attempt ){re.escape(PLACEHOLDER)}$", re.MULTILINE)
# Also the beginning of one: words arrive piece by piece.
_SHOWN = re.compile(r"ccp_[0-9a-f]{16,48}")


class Tokens:
    """Makes the token of a session from the home's secret (``token.key``, 0600, made on first use)."""

    def __init__(self, path: Path) -> None:
        self._secret = _read_or_make(path)

    def of(self, session_key: str) -> str:
        """Hexadecimal: other letters could by chance look like a vendor's key, which the gateway would black out."""
        return "ccp_" + hmac.new(self._secret, session_key.encode(), hashlib.sha256).hexdigest()[:48]

    def fill(self, text: str, session_key: str) -> str:
        """A stored text as the agent gets it: the token stands in its report command, and nowhere else."""
        return _COMMAND.sub(rf"\g<1>{self.of(session_key)}", text)


def hash_of(token: str) -> str:
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()


def hide(text: str) -> str:
    """A text without any token in it, whole or begun: what is stored and shown."""
    return _SHOWN.sub("ccp_…", text)


def blanked(text: str) -> str:
    """A stored text as people get it."""
    return _COMMAND.sub(r"\g<1>ccp_…", text)


def _read_or_make(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(secret := secrets.token_bytes(32))
        return secret
