"""The fleet: deployments in Incus containers. Loads nothing heavy before something of it is used."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ccp_tui.incus.errors import FleetError
    from ccp_tui.incus.fleet import Fleet
    from ccp_tui.incus.model import (
        STAGES,
        CreateRequest,
        Deployment,
        Image,
        Limits,
        Member,
        Pool,
        RemoteState,
        Snapshot,
        Stage,
        bytes_of,
        check_public_key,
    )
    from ccp_tui.incus.names import check_name

_WHERE = {
    "CreateRequest": "model",
    "Deployment": "model",
    "Fleet": "fleet",
    "FleetError": "errors",
    "Image": "model",
    "Limits": "model",
    "Member": "model",
    "Pool": "model",
    "RemoteState": "model",
    "Snapshot": "model",
    "Stage": "model",
    "STAGES": "model",
    "bytes_of": "model",
    "check_name": "names",
    "check_public_key": "model",
}
__all__ = [
    "STAGES",
    "CreateRequest",
    "Deployment",
    "Fleet",
    "FleetError",
    "Image",
    "Limits",
    "Member",
    "Pool",
    "RemoteState",
    "Snapshot",
    "Stage",
    "bytes_of",
    "check_name",
    "check_public_key",
]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
