"""``ccp fleet create`` and ``upgrade``: the stages with their times as they happen; a key is asked for without echo."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ccp_tui import doors
from ccp_tui.cli.context import Context, read_text
from ccp_tui.cli.errors import usage
from ccp_tui.cli.fleet_base import as_json, cli_error, for_each, on_fleet
from ccp_tui.cli.parser import Nouns, verb
from ccp_tui.sshkeys import own_keys, read_key
from ccp_tui.text import one_line

if TYPE_CHECKING:
    from ccp_tui.incus import CreateRequest, Deployment, Fleet, Stage

NO_KEY = "none"
LIMITS = ("cpu", "memory", "disk", "processes")
LAST = 20  # lines of its log, of one that did not come up


def add_options(nouns: Nouns) -> None:
    create = verb(nouns, "create", "Make a deployment: a container with gateway, service and board.", _create)
    create.add_argument("name", metavar="NAME", help="letters a-z, digits and '-'")
    add_limits(create)
    create.add_argument("--pool", default="", help="storage pool; the profile's by default")
    create.add_argument("--profile", default="default", help="Incus profile (default: default)")
    create.add_argument("--target", default="", metavar="MEMBER", help="member of the cluster it starts on")
    create.add_argument("--remote", default="", help="Incus remote; this machine by default")
    create.add_argument("--image", default="ccp/latest", help="alias of an image (ccp fleet image list)")
    create.add_argument(
        "--ssh-key", metavar="FILE.pub", help="public key that gets in; yours by default, none: nobody"
    )
    create.add_argument("--port", type=int, help="SSH port; the next free one from 2201 on by default")
    create.add_argument("--provider", default="", help="AI provider: anthropic, openai …")
    create.add_argument(
        "--provider-url", default="", metavar="URL", help="its address, if it is not the usual one"
    )
    create.add_argument("--model", default="", help="what agents use unless told otherwise")
    create.add_argument(
        "--api-key-file",
        metavar="FILE",
        help="the provider's key; - reads standard input; else it is asked for",
    )
    create.add_argument(
        "--allow",
        action="append",
        default=[],
        metavar="HOST:PORT",
        help="what deployments may reach of this machine's side, while this one lives",
    )
    upgrade = verb(nouns, "upgrade", "Move deployments to a newer image; the data is kept.", _upgrade)
    upgrade.add_argument("names", nargs="+", metavar="NAME")
    to = upgrade.add_mutually_exclusive_group()
    to.add_argument("--image", default="", help="alias of an image; the newest by default")
    to.add_argument("--wheel", metavar="FILE", help="only ccp itself, from its wheel; the gateway runs on")


def add_limits(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--cpu", help="whole cores, like 2")
    parser.add_argument("--memory", metavar="SIZE", help="like 2GiB")
    parser.add_argument("--disk", metavar="SIZE", help="like 10GiB")
    parser.add_argument("--processes", type=int, metavar="N", help="at most so many processes")


def limits_of(args: argparse.Namespace) -> dict[str, str | int]:
    """The limits that were named."""
    return {name: value for name in LIMITS if (value := getattr(args, name)) is not None}


def _create(context: Context, args: argparse.Namespace) -> None:
    import asyncio

    from ccp_tui.incus import CreateRequest, FleetError, Limits

    try:
        # What can be wrong is told before a key is asked for.
        request = CreateRequest(
            name=args.name, limits=Limits().changed(limits_of(args)), image=args.image, pool=args.pool,
            profile=args.profile, remote=args.remote, target=args.target, ssh_key=_ssh_key(context, args.ssh_key),
            port=args.port, provider=args.provider, provider_url=args.provider_url, model=args.model,
            egress=tuple(args.allow),
        ).check()  # fmt: skip
        request = _with_key(context, args, request).check()
    except FleetError as error:
        raise cli_error(error) from None
    stages = Stages(context)

    async def work(fleet: Fleet) -> Deployment:
        try:
            return await fleet.create(request, stages.show)
        except FleetError as error:
            stages.end()
            _last_words(context, error.log)
            raise
        except asyncio.CancelledError as error:
            stages.end()
            context.note(f"Cancelled. {str(error) or 'What was made is removed.'}")
            raise

    made = on_fleet(work)
    context.emit(as_json(made), lambda: _ready(made))


def _last_words(context: Context, log: Sequence[str]) -> None:
    """The end of the log of what was removed."""
    for line in log[-LAST:]:
        context.note(f"  | {one_line(line, 200)}")


def _ready(made: Deployment) -> str:
    lines = [f"{made.ref} is ready."]
    if login := doors.login(one_line(made.host), made.port):
        lines.append(f"  its board from anywhere:  {login}")
    lines.append(f"  from here:                ccp fleet attach {made.ref}")
    return "\n".join(lines)


def _with_key(context: Context, args: argparse.Namespace, request: CreateRequest) -> CreateRequest:
    from dataclasses import replace

    if args.api_key_file:
        if not args.provider:
            raise usage("--api-key-file needs --provider")
        key = read_text(args.api_key_file, "--api-key-file").strip()
        if not key:
            raise usage("--api-key-file: there is no key in it")
    elif args.provider and sys.stdin.isatty():
        import getpass

        key = getpass.getpass(f"Key of {args.provider} (nothing: none): ").strip()
    else:
        if args.provider:
            context.note(
                f"No key for {args.provider}: give one with --api-key-file FILE, or set it inside later."
            )
        key = ""
    return replace(request, api_key=key)


def _ssh_key(context: Context, named: str | None) -> str:
    """The text of the key that gets in, said aloud when it was not named."""
    if named == NO_KEY:
        return ""
    keys = own_keys() if named is None else [Path(named)]
    if not keys:
        context.note(
            "There is no public key in ~/.ssh, so nobody gets in by SSH; --ssh-key FILE.pub names one."
        )
        return ""
    try:
        text = read_key(keys[0])
    except ValueError as error:
        raise usage(f"--ssh-key: {error}") from None
    if named is None:
        context.note(f"SSH key: {keys[0]}")
    return text


def _upgrade(context: Context, args: argparse.Namespace) -> int:
    several = len(set(args.names)) > 1
    wheel = Path(args.wheel).expanduser() if args.wheel else None
    stages: dict[str, Stages] = {name: Stages(context, f"{name}: " if several else "") for name in args.names}

    async def act(fleet: Fleet, ref: str) -> None:
        try:
            await fleet.upgrade(ref, args.image, stages[ref].show, wheel)
        finally:
            stages[ref].end()

    return for_each(context, args.names, act, "upgraded")


class Stages:
    """Tells each stage when it ends, with its time; on a terminal also which one runs."""

    def __init__(self, context: Context, before: str = "") -> None:
        self._quiet, self._before = context.json, before
        self._live = sys.stderr.isatty() and not before
        self._open = False

    def show(self, stage: Stage) -> None:
        """A stage began, went on or ended."""
        if self._quiet:
            return
        words = one_line(stage.words, 80)
        if stage.seconds is None:
            if self._live:
                self._write(f"\r  {stage.name:<10}        …  {words}\x1b[K")
                self._open = True
            return
        start = "\r" if self._open else ""
        clear = "\x1b[K" if self._live else ""
        self._open = False
        line = f"{start}  {self._before}{stage.name:<10} {stage.seconds:6.1f} s  {words}".rstrip()
        self._write(f"{line}{clear}\n")

    def end(self) -> None:
        """A stage that did not end stays on its line."""
        if self._open:
            self._open = False
            self._write("\n")

    def _write(self, text: str) -> None:
        sys.stderr.write(text)
        sys.stderr.flush()
