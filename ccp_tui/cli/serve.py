"""``ccp serve``: the control service in the foreground, as systemd runs it and as ``ccp`` starts it by itself."""

from __future__ import annotations

import argparse
import os

from ccp_tui.cli.context import Context
from ccp_tui.cli.errors import CliError, usage
from ccp_tui.cli.output import print_json
from ccp_tui.cli.parser import Parser
from ccp_tui.paths import HomeError

EPILOG = """\
One service runs per home. It ends with ccp stop, SIGTERM or Ctrl-C; runs in the gateway go on. Its log is
logs/serve.log in the home. The gateway's token comes from --token-file, CCP_GATEWAY_TOKEN, or OpenClaw's own
configuration; its address from --gateway-url, CCP_GATEWAY_URL, or that configuration.
"""


def add_options(parser: Parser) -> None:
    parser.add_argument("--token-file", metavar="FILE", help="a file that holds the gateway's token")
    parser.add_argument("--gateway-url", metavar="URL", help="for example ws://127.0.0.1:18789")


def run(context: Context, args: argparse.Namespace) -> None:
    """Serves until told to stop. What keeps it from starting is told in words, and is exit code 1."""
    import asyncio

    from ccp_tui.gateway import GatewaySettings
    from ccp_tui.service.core import ControlService
    from ccp_tui.service.door.unixsocket import SocketError
    from ccp_tui.service.host.lock import LockError
    from ccp_tui.service.host.logs import hide
    from ccp_tui.service.host.process import serve
    from ccp_tui.service.settings import Settings
    from ccp_tui.store import StoreError

    home = context.home
    try:
        settings = Settings.load()
    except ValueError as error:
        raise usage(str(error)) from None

    def gateway() -> GatewaySettings:
        found = GatewaySettings.load(home, args.token_file)
        hide(found.token)
        return found.with_url(args.gateway_url) if args.gateway_url else found

    def ready() -> None:
        if context.json:
            print_json({"pid": os.getpid(), "home": str(home.root), "gateway_url": gateway().url})
        else:
            context.note(f"The control service is ready (pid {os.getpid()}, {home.root}). Ctrl-C ends it.")

    try:
        asyncio.run(
            serve(
                home,
                lambda at, hub: ControlService(at, hub, gateway, settings),
                agents_group=settings.agents_group,
                on_ready=ready,
            )
        )
    except (HomeError, LockError, SocketError, StoreError) as error:
        raise CliError("FAILED", str(error)) from None
    except TimeoutError:
        raise CliError(
            "FAILED", "The service did not start in time.", {"fix": f"See {home.logs / 'serve.log'}"}
        ) from None
