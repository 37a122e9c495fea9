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
# Where what is no value of model.py comes from.
_ELSEWHERE = {"Fleet": "fleet", "FleetError": "errors", "check_name": "names"}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_ELSEWHERE.get(name, 'model')}"), name)
