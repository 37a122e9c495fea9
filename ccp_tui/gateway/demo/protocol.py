"""What the embedded gateway knows of OpenClaw's protocol 4: the closed sets, the refusals, the check of parameters."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ccp_tui.gateway.demo.connection import Connection
    from ccp_tui.gateway.demo.world import World

Json = dict[str, Any]

PROTOCOL = 4
VERSION = "2026.9.6-demo"
MAX_PAYLOAD = 26_214_400
MAX_BUFFERED = 52_428_800
MAX_PREAUTH_PAYLOAD = 65_536
PREAUTH_SECONDS = 15.0
TICK_SECONDS = 30.0

CLIENT_IDS = frozenset(
    [
        "webchat-ui",
        "openclaw-control-ui",
        "openclaw-browser-copilot",
        "openclaw-tui",
        "webchat",
        "cli",
        "gateway-client",
        "openclaw-macos",
        "openclaw-linux",
        "openclaw-ios",
        "openclaw-watchos",
        "openclaw-android",
        "node-host",
        "openclaw-worker",
        "test",
        "fingerprint",
        "openclaw-probe",
    ]
)
CLIENT_MODES = frozenset(["webchat", "cli", "ui", "backend", "node", "worker", "probe", "test"])
READ, WRITE, ADMIN = "operator.read", "operator.write", "operator.admin"
APPROVALS, QUESTIONS = "operator.approvals", "operator.questions"
SCOPES = frozenset(
    {READ, WRITE, ADMIN, APPROVALS, QUESTIONS}
    | {"operator.pairing", "operator.talk", "operator.talk.secrets"}
)
EVENTS = [
    "connect.challenge",
    "agent",
    "chat",
    "chat.metadata.changed",
    "config.changed",
    "session.message",
    "session.tool",
    "sessions.changed",
    "skills.changed",
    "task",
    "tick",
    "shutdown",
    "exec.approval.requested",
    "exec.approval.resolved",
    "question.requested",
    "question.resolved",
]
QUEUE_MODES = ("steer", "followup", "collect", "interrupt")


class Refusal(Exception):
    """An error answer: OpenClaw's ``{code, message, details?, retryable?, retryAfterMs?}``.

    ``close`` is the WebSocket close code that follows it, for refusals of the handshake.
    """

    def __init__(
        self,
        message: str,
        code: str = "INVALID_REQUEST",
        *,
        details: Json | None = None,
        retryable: bool = False,
        retry_after_ms: int | None = None,
        close: int = 1008,
    ) -> None:
        super().__init__(message)
        self.code, self.details, self.close = code, details, close
        self.retryable, self.retry_after_ms = retryable, retry_after_ms

    @property
    def error(self) -> Json:
        body: Json = {"code": self.code, "message": str(self)}
        if self.details:
            body["details"] = self.details
        if self.retryable:
            body["retryable"] = True
        if self.retry_after_ms is not None:
            body["retryAfterMs"] = self.retry_after_ms
        return body


Handler = Callable[["World", "Connection", Json], Awaitable[Json]]
Kinds = type | tuple[type, ...]


@dataclass(frozen=True)
class Method:
    """One RPC: who may call it, which parameters it takes (name → JSON type; strings must not be empty), what it does.

    ``empty`` names the string parameters that may be empty all the same.
    """

    scope: str
    run: Handler
    required: Mapping[str, Kinds] = field(default_factory=dict)
    optional: Mapping[str, Kinds] = field(default_factory=dict)
    empty: frozenset[str] = frozenset()

    def check(self, name: str, params: Json) -> None:
        """Raises Refusal with OpenClaw's kind of words for the first parameter that is missing, unknown or wrong."""
        problem = self._problem(params)
        if problem:
            raise Refusal(f"invalid {name} params: {problem}")

    def _problem(self, params: Json) -> str:
        for name in self.required:
            if name not in params:
                return f"must have required property '{name}'"
        for name, value in params.items():
            kinds = self.required.get(name) or self.optional.get(name)
            if kinds is None:
                return f"at root: unexpected property '{name}'"
            # JSON's true is no number, though Python's bool is an int.
            wanted = kinds if isinstance(kinds, tuple) else (kinds,)
            if not isinstance(value, wanted) or (isinstance(value, bool) and bool not in wanted):
                return f"at /{name}: must be {' or '.join(_JSON_NAMES[kind] for kind in wanted)}"
            if value == "" and name not in self.empty:
                return f"at /{name}: must NOT have fewer than 1 characters"
        return ""


NULL = type(None)
_JSON_NAMES: dict[type, str] = {
    str: "string",
    int: "integer",
    float: "number",
    bool: "boolean",
    list: "array",
    dict: "object",
    NULL: "null",
}


def missing_scope(scope: str) -> Refusal:
    """The answer to a caller that may not do this."""
    details = {"code": "MISSING_SCOPE", "missingScope": scope, "requiredScopes": [scope]}
    return Refusal(f"missing scope: {scope}", "FORBIDDEN", details=details)


def allowed(scopes: frozenset[str], scope: str) -> bool:
    """Whether granted scopes cover a needed one: admin covers all, write covers read."""
    return scope in scopes or ADMIN in scopes or (scope == READ and WRITE in scopes)
