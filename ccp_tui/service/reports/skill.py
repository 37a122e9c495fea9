"""The reporting skill: a note for agents about ``ccp report``, and ``ccp`` itself on the PATH of their commands.

Both live in folders of ours, where the agents' socket is; the gateway is told of them by one change of its
configuration (``skills.load.extraDirs`` and ``tools.exec.pathPrepend``: tools/skills-config.md and tools/exec.md of
OpenClaw), which it takes up without a restart. Changes of the configuration end runs that are just beginning, so
nothing is written that is right already.
Agents can do without: every prompt carries the full path of the command.
"""

from __future__ import annotations

import asyncio
import logging
import os
import shlex
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ccp_tui.gateway import GatewayError, GatewayUnavailable
from ccp_tui.gateway.nouns import mapping, sequence, text
from ccp_tui.service.context import Context
from ccp_tui.service.door.unixsocket import SocketError, group_id

log = logging.getLogger(__name__)

NAME = "ccp-report"
TRIES = 3  # a configuration that others change at the same time is read again
SEEN_S = 3.0  # how long the gateway may take to show the skill
LOOK_S = 0.2

SKILL = """\
---
name: ccp-report
description: How to report on a task that came with a "Report command" line (progress, files, questions, submission).
---

# Reporting on a task of the board

Some messages give you a task or a review and have a line `Report command: …`. Run that command in your shell, exactly
as it stands, with one of the words below after it. It is the only way in which work counts; words in the chat do not.

For a task:

- `progress "what you are doing"`: now and then, so that people see it.
- `deliver PATH`: for each deliverable of the spec, once its file is there, in your workspace.
- `submit --summary "what you made and how"`: when everything is delivered. Then stop and wait.
- `ask "question" --option "one answer" --option "another"`: when a person must decide. Stop; the answer comes here.
- `block "what you need"`: when you cannot go on without a person.
- `subtask "title" --description "what is needed"`: when you find work that is a task of its own.

For a review:

- `verdict approve "why"` or `verdict reject "what is missing"`: once, after you have read the work.

Rules:

- Use the command of the latest message: every attempt has its own token.
- The token is yours alone and for that task only. Never write it to a file, show it, or use another's.
- Run the command yourself and in the foreground: a report counts only while your own shell runs it.
- When a report is refused, the answer says why and what to do; do that, then report again.
- Without a `Report command` line there is nothing to report.
"""


class Skill:
    """Makes it right after each connect. ``context.live.skill`` says what is wrong with it, or nothing."""

    def __init__(self, context: Context) -> None:
        self._c = context

    async def connected(self) -> None:
        """Never raises for what the gateway says. Raises GatewayUnavailable when the connection is lost."""
        if not self._c.settings.install_skill:
            return
        try:
            self._c.live.skill = await self._install()
        except GatewayUnavailable:
            raise
        except GatewayError as error:
            scope = text(error.details.get("missingScope"))
            why = f"this login may not change its configuration ({scope})" if scope else error.message
            self._c.live.skill = f"the gateway did not take the reporting skill: {why}"
        except SocketError as error:
            self._c.live.skill = f"the reporting skill can't be given to agents: {error}"
        except OSError as error:
            self._c.live.skill = f"the reporting skill can't be written: {error.strerror or error}"
        if self._c.live.skill:
            log.warning("%s; agents use the full path in their prompts", self._c.live.skill)

    async def _install(self) -> str:
        """Installs what is missing; what is still wrong then, in words."""
        host = urlsplit(self._c.gateway.status.url).hostname or ""
        if host not in ("127.0.0.1", "::1", "localhost"):
            return f"the gateway runs elsewhere ({host}), so agents there have no reporting skill"
        home, root = self._c.home, self._c.home.for_agents
        await asyncio.to_thread(
            write_files,
            root,
            launched(self._c.settings.ccp_command),
            socket=home.agents,
            group=self._c.settings.agents_group,
        )
        for left in reversed(range(TRIES)):
            before = await self._c.gateway.calls.config()
            if patch := missing(before, root):
                try:
                    await self._c.gateway.calls.config_patch(patch, text(before.get("hash")))
                except GatewayUnavailable:
                    raise
                except GatewayError:
                    if not left:
                        raise
                    continue
            break
        return (
            "" if await self._seen() else f"the gateway does not see the reporting skill in {root / 'skills'}"
        )

    async def _seen(self) -> bool:
        looks = int(SEEN_S / LOOK_S)
        for look in range(looks):
            skills = await self._c.gateway.calls.skills()
            if any(one.get("name") == NAME and one.get("disabled") is not True for one in skills):
                return True
            if look < looks - 1:
                await asyncio.sleep(LOOK_S)
        return False


def write_files(root: Path, command: str, *, socket: Path | None = None, group: str = "") -> None:
    """The skill's folder and the one with ``ccp``; what is right already is not touched.

    ``socket``: the agents' socket where it is not in the home. ``group``: who may read all this besides this user.
    Raises OSError, SocketError.
    """
    gid = group_id(group)
    for folder in (root / "skills", root / "skills" / NAME, root / "bin"):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _open_to(folder, gid)
    told = f"export CCP_AGENTS_SOCKET={shlex.quote(str(socket))}\n" if socket else ""
    _write(root / "skills" / NAME / "SKILL.md", SKILL, 0o600, gid)
    _write(root / "bin" / "ccp", f'#!/bin/sh\n{told}exec {command} "$@"\n', 0o700, gid)


def launched(command: str) -> str:
    """What the launcher runs: never a bare ``ccp``, which would be the launcher itself."""
    return command if command.startswith("/") else f"{sys.executable} -m ccp_tui"


def missing(before: dict[str, Any], root: Path) -> dict[str, Any]:
    """The change that a configuration needs; empty when our folders are in it. ``before`` is config.get's answer."""
    # As written by the person, where that is one file: with values resolved, the patch would write those down.
    config = mapping(before.get("config") if before.get("includedPaths") else before.get("parsed"))
    config = config or mapping(before.get("config"))
    extra = sequence(mapping(mapping(config.get("skills")).get("load")).get("extraDirs"))
    first = sequence(mapping(mapping(config.get("tools")).get("exec")).get("pathPrepend"))
    patch: dict[str, Any] = {}
    if str(root / "skills") not in extra:
        patch["skills"] = {"load": {"extraDirs": [*extra, str(root / "skills")]}}
    if str(root / "bin") not in first:
        patch["tools"] = {"exec": {"pathPrepend": [*first, str(root / "bin")]}}
    return patch


def _write(path: Path, content: str, mode: int, gid: int) -> None:
    if not (path.is_file() and path.read_text(errors="replace") == content):
        fresh = path.with_name(f".{path.name}.{os.getpid()}")
        fresh.write_text(content)
        fresh.chmod(mode)
        fresh.replace(path)
    _open_to(path, gid, mode)


def _open_to(path: Path, gid: int, mode: int = 0o700) -> None:
    """This user's alone, or with a group also the group's to read, and to run or enter what is not only read."""
    wanted = mode | (mode >> 3 & 0o050 if gid != -1 else 0)
    found = path.stat()
    if gid not in (-1, found.st_gid):
        os.chown(path, -1, gid)
    if found.st_mode & 0o777 != wanted:
        path.chmod(wanted)
