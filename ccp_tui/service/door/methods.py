"""Putting the duties' methods on the control socket: every error of a lower room becomes one of the protocol's."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from ccp_tui.gateway import GatewayError, GatewayUnavailable
from ccp_tui.lifecycle import Refused
from ccp_tui.service.door.errors import Code, ServiceError, not_found, refused, unavailable, usage
from ccp_tui.service.door.sockets import Caller, Handler
from ccp_tui.spec import SpecError
from ccp_tui.store import Conflict, NotFound, StoreError
from ccp_tui.wire import Json

Method = Callable[[Json], Awaitable[Json]]


def guarded(method: Method, fix: Callable[[], str]) -> Handler:
    """A method as the sockets call it. ``fix`` says what mends an unavailable gateway at this moment."""

    async def handler(params: Json, _: Caller) -> Json:
        try:
            return await method(params)
        except Refused as error:
            raise as_error(error) from error
        except SpecError as error:
            raise usage(f"line {error.line}: {error.message}", line=error.line, field=error.field) from error
        except NotFound as error:
            raise not_found(str(error)) from error
        except Conflict as error:
            raise usage(str(error)) from error
        except StoreError as error:
            raise ServiceError(Code.FAILED, str(error)) from error
        except GatewayUnavailable as error:
            raise unavailable(f"the gateway is not available: {error.message}", fix()) from error
        except GatewayError as error:
            raise ServiceError(
                Code.FAILED, f"the gateway answered: {error.message}", {"code": error.code}
            ) from error

    return handler


def as_error(refusal: Refused) -> ServiceError:
    return refused(refusal.gate, refusal.reason, state=refusal.state.value, trigger=str(refusal.trigger))
