"""The client of the OpenClaw gateway. What others need of it is named here."""

from ccp_tui.gateway.calls import GatewayCalls
from ccp_tui.gateway.client import Deadlines, GatewayClient
from ccp_tui.gateway.events import (
    AgentsChanged,
    ApprovalRequested,
    ApprovalResolved,
    GatewayEvent,
    GatewayShutdown,
    MessageAdded,
    QuestionRequested,
    QuestionResolved,
    RunAborted,
    RunDelta,
    RunFailed,
    RunFinal,
    RunStatus,
    SessionChanged,
    SubagentChanged,
    ToolEvent,
)
from ccp_tui.gateway.handshake import SCOPES, Claim, Hello, shake_hands
from ccp_tui.gateway.identity import Device
from ccp_tui.gateway.nouns import (
    History,
    InFlight,
    RemoteAgent,
    RemoteFile,
    RemoteMessage,
    RemoteModel,
    SendAck,
    SessionRow,
)
from ccp_tui.gateway.refusals import Refusal
from ccp_tui.gateway.settings import GatewaySettings
from ccp_tui.gateway.status import (
    GatewayError,
    GatewayState,
    GatewayStatus,
    GatewayTimeout,
    GatewayUnavailable,
)

__all__ = [
    "SCOPES",
    "AgentsChanged",
    "ApprovalRequested",
    "ApprovalResolved",
    "Claim",
    "Deadlines",
    "Device",
    "GatewayCalls",
    "GatewayClient",
    "GatewayError",
    "GatewayEvent",
    "GatewaySettings",
    "GatewayShutdown",
    "GatewayState",
    "GatewayStatus",
    "GatewayTimeout",
    "GatewayUnavailable",
    "Hello",
    "History",
    "InFlight",
    "MessageAdded",
    "QuestionRequested",
    "QuestionResolved",
    "Refusal",
    "RemoteAgent",
    "RemoteFile",
    "RemoteMessage",
    "RemoteModel",
    "RunAborted",
    "RunDelta",
    "RunFailed",
    "RunFinal",
    "RunStatus",
    "SendAck",
    "SessionChanged",
    "SessionRow",
    "SubagentChanged",
    "ToolEvent",
    "shake_hands",
]
