"""Incus's errors in words for people. Incus tells a failed operation's reason only by its text."""

from __future__ import annotations

import re
import shutil

import requests

from ccp_tui.incus.errors import FleetError
from ccp_tui.text import one_line

INSTALL = "Install it: `apt install incus`, then `incus admin init --minimal`."
JOIN = "As root: `adduser YOU incus-admin` (that group may do anything on this machine), then log in again."
PORT = "The port is taken on the host."
WAITED = "context deadline exceeded."
BUSY = "Something else is being done to it right now."
# Of one machine alone the first words, of a cluster's dead member all of these, the last ones only for a while.
AWAY = "The machine it is on is out of reach, or its Incus is not ready yet."
BACK = "Bring it back, or wait; `incus cluster list` shows how it is."
START = "Start it: `systemctl start incus`. With only its client here: `apt install incus`."

# (what Incus says, our code, our words or "" for its own, the fix)
_KNOWN: tuple[tuple[str, str, str, str], ...] = (
    (r"UNIQUE constraint failed: instances", "EXISTS", "This name is taken.", "Choose another name."),
    # The second is what Incus says when the listener's error comes too late.
    (r"address already in use|Error occurred when starting proxy device", "REFUSED", PORT, "Choose another port."),
    (r"already exists|already in use", "EXISTS", "", ""),
    (r'busy running a "create"', "EXISTS", "This name is being created already.", "Choose another name."),
    # The second is said of the state of one that ends this very moment.
    (r"Instance is busy|busy running|Invalid PID", "REFUSED", BUSY, "Try again."),
    (r"Disk quota exceeded|no space left on device|No space left", "FAILED", "The disk is full.",
     "Make room in the pool, or give the deployment a bigger disk."),
    (r"Image not provided for instance creation|Image .*not found", "NOT_FOUND", "There is no such image.",
     "`ccp fleet image list` shows what there is, `ccp fleet image build` makes one."),
    (r"Command not found", "NOT_FOUND", "There is no such command inside.", ""),
    (r"(?:nstance|ontainer) is already running", "REFUSED", "It is running already.", ""),
    (r"(?:nstance|ontainer) (?:is already stopped|isn't running|is not running)", "REFUSED", "It is not running.", ""),
    (r"(?:nstance|ontainer) is already frozen", "REFUSED", "It is frozen already.", ""),
    (r"Server isn't ready yet|Missing event connection|Unable to connect to: ", "UNAVAILABLE", AWAY, BACK),
    (r"not authorized|Forbidden|certificate.*not trusted", "NOT_ALLOWED", "", ""),
    (r"Instance not found|Failed to fetch instance|Instance snapshot not found|[Nn]ot found", "NOT_FOUND", "", ""),
)  # fmt: skip
_BY_STATUS = {
    400: "USAGE",
    401: "NOT_ALLOWED",
    403: "NOT_ALLOWED",
    404: "NOT_FOUND",
    409: "EXISTS",
    412: "REFUSED",
}


def refusal(text: str, status: int = 0) -> FleetError:
    """The error for what Incus answered: the text of a failed operation or call, and the HTTP status of the latter."""
    said = one_line(str(text), 300) or "Incus gave no reason."
    for pattern, code, words, fix in _KNOWN:
        if re.search(pattern, said):
            return FleetError(code, words or _sentence(said), fix)
    return FleetError(_BY_STATUS.get(status, "FAILED"), _sentence(said))


def unreachable(error: BaseException, name: str, address: str) -> FleetError:
    """The error for a daemon that does not answer. ``address`` is a socket's path or a URL."""
    reason = _root(error)
    local = address.startswith("/")
    if isinstance(reason, (PermissionError,)) or "Permission denied" in str(error):
        return FleetError("NOT_ALLOWED", "Incus does not let this user in.", JOIN)
    if isinstance(reason, (FileNotFoundError, requests.exceptions.MissingSchema)) or (
        local and "No such file" in str(error)
    ):
        if shutil.which("incus"):
            return FleetError("UNAVAILABLE", "Incus does not run on this machine.", START)
        return FleetError("UNAVAILABLE", "There is no Incus on this machine.", INSTALL)
    if local and (isinstance(reason, ConnectionRefusedError) or "Connection refused" in str(error)):
        return FleetError("UNAVAILABLE", "Incus does not run on this machine.", START)
    if isinstance(reason, (TimeoutError, requests.exceptions.Timeout)):
        return FleetError(
            "TIMEOUT",
            f"Incus on {'this machine' if local else name} does not answer.",
            "" if local else "Is that machine up?",
        )
    if isinstance(reason, requests.exceptions.SSLError) or "SSL" in str(error) or "ingerprint" in str(error):
        return FleetError(
            "NOT_ALLOWED",
            f"{name} shows another certificate than the one that was trusted.",
            f"If that machine was set up anew: `incus remote remove {name}`, then `incus remote add {name}`.",
        )
    where = "on this machine" if local else name
    return FleetError("UNAVAILABLE", f"Incus {where} is out of reach ({one_line(str(reason), 120)}).")


def translated(error: BaseException, name: str, address: str) -> FleetError:
    """Any exception out of the API as a FleetError; one of ours stays what it is."""
    if isinstance(error, FleetError):
        return error
    answer = getattr(error, "response", None)
    if type(error).__module__.startswith("pylxd.") and answer is not None:
        return refusal(str(error), int(answer.status_code))
    return unreachable(error, name, address)


def _root(error: BaseException) -> BaseException:
    """The OSError at the bottom of what requests and urllib3 wrap, or the error itself."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, (PermissionError, FileNotFoundError, ConnectionRefusedError, TimeoutError)):
            return seen
        inner = [arg for arg in seen.args if isinstance(arg, BaseException)]
        reason = getattr(seen, "reason", None)
        seen = (
            reason
            if isinstance(reason, BaseException)
            else inner[0]
            if inner
            else seen.__cause__ or seen.__context__
        )
    return error


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."


def state_of(error: FleetError) -> str:
    """How it stands with a remote that failed like this: "absent", "refused" or "unreachable"."""
    if error.code == "NOT_ALLOWED":
        return "refused"
    return "absent" if error.fix == INSTALL else "unreachable"
