"""The device identity: an Ed25519 key by which the gateway knows this installation.

The file is private (0600). Its id is what the gateway pairs; losing the file means pairing again, nothing more.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


class IdentityError(Exception):
    """The identity file can't be read or made; the text says what to do."""


@dataclass(frozen=True)
class Device:
    """One key pair, with the spellings the gateway wants of it."""

    key: Ed25519PrivateKey

    @classmethod
    def load(cls, path: Path) -> Device:
        """The identity in ``path``; made there, readable by its owner only, when absent. Raises IdentityError."""
        try:
            text = path.read_text()
        except FileNotFoundError:
            return cls._make(path)
        except (OSError, UnicodeDecodeError) as error:
            raise IdentityError(
                f"{path} can't be read ({error}): mend its owner and mode, or delete it."
            ) from None
        try:
            seed = base64.b64decode(json.loads(text)["seed"], validate=True)
            device = cls(Ed25519PrivateKey.from_private_bytes(seed))
        except (ValueError, KeyError, TypeError, binascii.Error):
            raise IdentityError(f"{path} holds no device identity: delete it, a new one is made.") from None
        with contextlib.suppress(OSError):
            if path.stat().st_mode & 0o077:
                path.chmod(0o600)
        return device

    @classmethod
    def _make(cls, path: Path) -> Device:
        seed = secrets.token_bytes(32)
        device = cls(Ed25519PrivateKey.from_private_bytes(seed))
        body = (
            json.dumps({"version": 1, "deviceId": device.id, "seed": base64.b64encode(seed).decode()}) + "\n"
        )
        draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(body)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(path)
        except OSError as error:
            raise IdentityError(f"{path} can't be written ({error.strerror}).") from None
        return device

    @property
    def _public(self) -> bytes:
        return self.key.public_key().public_bytes_raw()

    @property
    def id(self) -> str:
        """SHA-256 of the raw public key, in hex."""
        return hashlib.sha256(self._public).hexdigest()

    @property
    def public_key(self) -> str:
        return _base64url(self._public)

    def sign(
        self,
        *,
        client_id: str,
        mode: str,
        role: str,
        scopes: tuple[str, ...],
        signed_at: int,
        token: str,
        nonce: str,
        platform: str,
        family: str = "",
    ) -> str:
        """The signature, version 3, over what the handshake claims. ``signed_at``: the challenge's ``ts``, ms."""
        claim = "|".join(
            (
                "v3",
                self.id,
                client_id,
                mode,
                role,
                ",".join(scopes),
                str(signed_at),
                token,
                nonce,
                platform.lower(),
                family.lower(),
            )
        )
        return _base64url(self.key.sign(claim.encode()))


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
