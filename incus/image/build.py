"""Building an image: a container is made from a base, provisioned as the recipe says, and published."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import shlex
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from ccp_tui import clock
from ccp_tui.incus import names
from ccp_tui.incus.api import execute, files, operations
from ccp_tui.incus.api.connection import Connection, Json
from ccp_tui.incus.errors import FleetError
from ccp_tui.incus.image import bootstrap, images, recipe, sources, wheel
from ccp_tui.incus.image.recipe import Recipe, Step
from ccp_tui.incus.model import Image
from ccp_tui.text import one_line

OnLine = Callable[[str], None]
T = TypeVar("T")

BUILDER_PREFIX = "ccp-build-"
# In memory: what is pushed there for the build is in no image.
BUILD = "/run/ccp-build"
CREATE_S = 600.0  # an image of a remote is downloaded within it
BOOT_S = 90.0
STEP_S = 1200.0
PUBLISH_S = 600.0
CLEAN_S = 60.0
COMPRESSION = "zstd"
# The host's certificate authorities: where its own are, apt, pip and npm inside need them during the build.
AUTHORITIES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")
CARRIED = ("http_proxy", "https_proxy", "no_proxy", "all_proxy", "pip_index_url", "npm_config_registry")
ENDED = "ccp: the step ended with "
LAST_WORDS = 6
LONGEST_LINE = 300
WAIT_FOR_NETWORK = """
systemctl is-system-running --wait || true
for _ in $(seq 60); do
  test -n "$(ip -4 route show default)$(ip -6 route show default)" && test -s /etc/resolv.conf && exit 0
  sleep 0.5
done
echo "The build container got no address: is the bridge up, and does its DHCP answer?"
exit 1
"""


@dataclass(frozen=True)
class Plan:
    """What is to be built: the digests decide whether it is there already."""

    recipe: Recipe
    wheel: wheel.Wheel
    base: str
    base_alias: str
    alias: str


async def build(
    connection: Connection,
    *,
    base: str = "",
    on_line: OnLine = lambda line: None,
    force: bool = False,
    config: Path | None = None,
    pool: str = "",
    latest: bool = True,
) -> Image:
    """The image of this ccp under ``ccp/<version>-<digest>`` and, with ``latest``, ``ccp/latest``; one that is there is
    reused.

    ``base`` is an image of any remote (``images:debian/12``); without one, Debian packages alone make the base. What
    precedes ccp in the recipe is kept as ``ccp-base/…`` and reused. ``force`` builds both anew. ``on_line`` gets the
    progress. Raises FleetError; then, and when cancelled, no container and no temporary file is left.
    """
    plan = await _plan(connection, base)
    if not force and (found := await images.by_alias(connection, plan.alias)):
        on_line(f"{plan.alias} is there already.")
        return await _made(connection, found, latest)
    cached = "" if force else await images.by_alias(connection, plan.base_alias)
    if cached:
        on_line(f"From {plan.base_alias}.")
        source: Json = {"type": "image", "fingerprint": cached}
    elif base:
        source = await sources.source(connection, base, config)
    else:
        with _timed("bootstrap", on_line):
            source = {"type": "image", "fingerprint": await bootstrap.make(connection, plan.recipe, on_line)}
    try:
        async with _container(connection, source, pool, on_line) as name:
            await _push(connection, name, plan)
            if not cached:
                await _steps(connection, name, plan.recipe.base_steps, on_line)
                with _timed(plan.base_alias, on_line):
                    await _state(connection, name, "stop")
                    await _publish(connection, name, plan.base_alias, {names.BASE_MARK: "1"}, plan)
                    await _state(connection, name, "start")
                    await _ready(connection, name, on_line)
                await _push(connection, name, plan)
            await _steps(connection, name, plan.recipe.steps, on_line)
            with _timed("publish", on_line):
                await _state(connection, name, "stop")
                properties = {names.IMAGE_MARK: "1", names.CONTAINS: names.FULL}
                made = await _publish(connection, name, plan.alias, properties, plan)
    finally:
        if not cached and not base:  # what mmdebstrap made has served
            await _quietly(operations.run(connection, "DELETE", f"/1.0/images/{source['fingerprint']}"))
    on_line(f"{plan.alias} is ready.")
    return await _made(connection, made, latest)


async def _made(connection: Connection, fingerprint: str, latest: bool) -> Image:
    if latest:
        await images.point(connection, names.LATEST, fingerprint)
    return await images.one(connection, fingerprint)


async def alias_of(connection: Connection, base: str = "") -> str:
    """The alias that :func:`build` gives the image of this ccp."""
    return (await _plan(connection, base)).alias


async def _plan(connection: Connection, base: str) -> Plan:
    def look() -> Plan:
        ours, packed = recipe.load(), wheel.current()
        source = sources.label(connection, base) if base else "bootstrap"
        under = ours.base_digest(source, "\n".join(packed.requirements))
        return Plan(
            ours,
            packed,
            base,
            f"{names.BASE_PREFIX}{ours.suite}-{under}",
            f"{names.IMAGE_PREFIX}{packed.version}-{ours.digest(under, packed.digest)}",
        )

    return await asyncio.to_thread(look)


@asynccontextmanager
async def _container(connection: Connection, source: Json, pool: str, on_line: OnLine) -> AsyncIterator[str]:
    """A running container of the source, gone when the block ends, however it ends."""
    name = f"{BUILDER_PREFIX}{secrets.token_hex(4)}"
    body: Json = {
        "name": name,
        "type": "container",
        "source": source,
        "profiles": ["default"],
        "config": {images.BUILDER: "1", "security.guestapi": "false", "boot.autostart": "false"},
    }
    if pool:
        body["devices"] = {names.ROOT_DEVICE: {"type": "disk", "path": "/", "pool": pool}}
    try:
        with _timed("container", on_line):
            # Asked to its end also when cancelled: what is not there yet can't be removed.
            operation = await _whole(connection.call("POST", "/1.0/instances", body))
            await operations.wait(connection, operation, CREATE_S)
            await _state(connection, name, "start")
            await _ready(connection, name, on_line)
        yield name
    finally:
        await _quietly(_remove(connection, name))


async def _remove(connection: Connection, name: str) -> None:
    """A create or start that was cancelled goes on by itself for a while: the deletion is tried until it works."""
    end = time.monotonic() + CLEAN_S
    while time.monotonic() < end:
        with contextlib.suppress(FleetError):
            await _state(connection, name, "stop", force=True)
        try:
            await operations.run(connection, "DELETE", f"/1.0/instances/{name}", within=CLEAN_S)
            return
        except FleetError as error:
            if error.code == "NOT_FOUND":
                return
        await asyncio.sleep(0.5)


async def _state(connection: Connection, name: str, action: str, force: bool = False) -> None:
    body = {"action": action, "timeout": 60, "force": force}
    await operations.run(connection, "PUT", f"/1.0/instances/{name}/state", body, within=BOOT_S)


async def _ready(connection: Connection, name: str, on_line: OnLine) -> None:
    """Waits until the container has booted and has a way out."""
    await _script(connection, name, Step("network", WAIT_FOR_NETWORK), on_line, within=BOOT_S)


async def _push(connection: Connection, name: str, plan: Plan) -> None:
    """Lays down what the steps need. Of the host it is the certificate authorities, proxies and package mirrors."""
    pack = await asyncio.to_thread(plan.wheel.pack)
    variables = plan.recipe.variables() | {"BUILD": BUILD}
    held = {
        plan.wheel.name: pack,
        "requirements.txt": "".join(f"{line}\n" for line in plan.wheel.requirements).encode(),
        "constraints.txt": plan.recipe.constraints.encode(),
        "files.tar": plan.recipe.archive(),
    }
    for variable in CARRIED:
        value = os.environ.get(variable) or os.environ.get(variable.upper())
        if value:
            variables[variable] = variables[variable.upper()] = value
    if authorities := await asyncio.to_thread(_authorities):
        held["ca.pem"] = authorities
        held["apt.conf"] = f'Acquire::https::CAInfo "{BUILD}/ca.pem";\n'.encode()
        variables |= {"APT_CONFIG": f"{BUILD}/apt.conf"}
        variables |= dict.fromkeys(("PIP_CERT", "SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS"), f"{BUILD}/ca.pem")
    # A proxy's address may hold a password: it goes as a file, for Incus keeps a command's environment.
    held["env"] = "".join(f"export {key}={shlex.quote(value)}\n" for key, value in variables.items()).encode()
    await files.folder(connection, name, BUILD, mode=0o700)
    for path, content in held.items():
        await files.put(connection, name, f"{BUILD}/{path}", content, mode=0o600)


def _authorities() -> bytes:
    named = next((os.environ[name] for name in AUTHORITIES if os.environ.get(name)), str(BUNDLE))
    try:
        return Path(named).read_bytes()
    except OSError:
        return b""


async def _steps(connection: Connection, name: str, steps: Sequence[Step], on_line: OnLine) -> None:
    for step in steps:
        with _timed(step.name, on_line):
            await _script(connection, name, step, on_line)


async def _script(
    connection: Connection, name: str, step: Step, on_line: OnLine, within: float = STEP_S
) -> None:
    """Runs a step to its end, its output line by line. Cancelled, Incus kills it with the sockets."""
    words = f'(set -eu; test ! -e {BUILD}/env || . {BUILD}/env; {step.run}) 2>&1; echo "{ENDED}$?"'
    code, last = "", list[str]()
    try:
        async with asyncio.timeout(within):
            async with aclosing(execute.lines(connection, name, ["sh", "-c", words])) as output:
                async for line in output:
                    if line.startswith(ENDED):
                        code = line.removeprefix(ENDED).strip()
                    elif told := one_line(line, LONGEST_LINE):
                        last = [*last, told][-LAST_WORDS:]
                        on_line(told)
    except TimeoutError:
        raise FleetError("TIMEOUT", f"The step {step.name!r} took more than {within:.0f} s.") from None
    if code != "0":
        said = " · ".join(last)[-600:]
        raise FleetError("FAILED", f"The step {step.name!r} ended with {code or 'no word'}: {said}")


async def _publish(connection: Connection, name: str, alias: str, marks: dict[str, str], plan: Plan) -> str:
    """The stopped container as an image with this alias, in place of one that has it: the fingerprint."""
    properties = {
        # The container took over the marks of the image it came from.
        names.BASE_MARK: "0",
        names.IMAGE_MARK: "0",
        names.CONTAINS: "",
        **marks,
        names.IMAGE_VERSION: plan.wheel.version,
        names.IMAGE_OPENCLAW: plan.recipe.openclaw,
        names.IMAGE_CREATED: clock.now(),
        "description": alias,
        "os": "debian",
        "release": plan.recipe.suite,
    }
    body: Json = {"source": {"type": "instance", "name": name}, "properties": properties}
    try:
        packed = {**body, "compression_algorithm": COMPRESSION}
        done = await operations.run(connection, "POST", "/1.0/images", packed, within=PUBLISH_S)
    except FleetError as error:
        if COMPRESSION not in error.message:
            raise
        done = await operations.run(connection, "POST", "/1.0/images", body, within=PUBLISH_S)
    fingerprint = str(done["metadata"]["fingerprint"])
    await images.point(connection, alias, fingerprint)
    return fingerprint


async def _whole(work: Coroutine[Any, Any, T]) -> T:
    """What ``work`` gives. A cancellation waits until it has ended."""
    task, cancelled = asyncio.ensure_future(work), False
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError:
            cancelled = True
    if cancelled:
        task.exception()
        raise asyncio.CancelledError
    return task.result()


async def _quietly(work: Coroutine[Any, Any, object]) -> None:
    """Cleaning up, to its end also when cancelled, whatever becomes of it."""
    with contextlib.suppress(FleetError):
        await _whole(work)


@contextlib.contextmanager
def _timed(name: str, on_line: OnLine) -> Iterator[None]:
    began = time.monotonic()
    on_line(f"» {name}")
    yield
    on_line(f"» {name}: {time.monotonic() - began:.1f} s")
