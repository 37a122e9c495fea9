"""Making a deployment, in stages, or nothing: whatever fails or is cancelled takes back what was made."""

from __future__ import annotations

import asyncio
import contextlib
import re
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import quote

from ccp_tui import clock
from ccp_tui.incus import names
from ccp_tui.incus.api import operations, words
from ccp_tui.incus.api.connection import Connection, Json
from ccp_tui.incus.api.operations import Runner
from ccp_tui.incus.deployments import inside, lifecycle, listing, logs, members, network, pools, ports, resize
from ccp_tui.incus.deployments.settings import looser, protections
from ccp_tui.incus.errors import FleetError
from ccp_tui.incus.model import CreateRequest, Deployment, Stage

# The first instance of an image is unpacked; on a pool of the driver "dir" every one is, and slowly.
INSTANCE_S = 600.0
CLEAN_UP_S = 120.0
LOG_S = 15.0
PORT_TRIES = 5
OnStage = Callable[[Stage], None]


class Creation:
    """One deployment being made. Use :func:`create`."""

    def __init__(self, connection: Connection, request: CreateRequest, on_stage: OnStage) -> None:
        self._connection = connection
        self._request = request
        self._on_stage = on_stage
        self._runner: Runner
        # How the instance is known as this one's work, should it have to go again.
        self._maker = secrets.token_hex(8)
        self._stage: tuple[Stage, float] | None = None
        self._touched = False

    async def run(self) -> Deployment:
        """All stages. Raises FleetError; then, and when cancelled, nothing is left or the words say what."""
        try:
            async with operations.runner(self._connection) as self._runner:
                return await self._stages()
        except FleetError as error:
            failed = error
        except asyncio.CancelledError:
            if left := await self._clean_up():
                raise asyncio.CancelledError(f"{left} {self._removal()}") from None
            raise
        except BaseException:
            await self._clean_up()
            raise
        log = await self._last_lines()
        left = await self._clean_up()
        # Raised outside of the handler: what failed may hold the key, and would be its context.
        message, fix = self._without_key(failed.message), self._without_key(failed.fix)
        if left:
            message, fix = f"{message} {left}", self._removal()
        raise FleetError(failed.code, message, fix, log)

    async def _stages(self) -> Deployment:
        request, connection = self._request, self._connection
        async with contextlib.AsyncExitStack() as stack:
            with self._in("check"):
                inside.check_key(request)
                await lifecycle.absent(connection, request.name)
                egress = await network.exceptions(request.egress, request.provider_url)
                if request.target:
                    await members.check_target(connection, request.target)
                devices = await self._devices()
                port = await stack.enter_async_context(ports.promised(connection, request.port))
            with self._in("image"):
                image = await self._image()
                await self._room(devices, image)
                self._touched = True
                await self._settle(egress)
            with self._in("instance"):
                self._runner.on_progress = self._say
                await self._instance(image, devices, port, egress)
                if egress:
                    # Another one that settled in between did not see this one.
                    await self._settle(egress)
                await inside.furnish(connection, request)
            with self._in("start"):
                await self._start(port)
        instance = await lifecycle.owned(connection, request.name)
        if listing.full(instance):
            with self._in("system"):
                self._say(await inside.wait_for_system(connection, request.name))
            for part in inside.READY_S:
                with self._in(part):
                    await inside.wait_until_ready(connection, request.name, part, self._say)
            instance = await lifecycle.owned(connection, request.name)
        return listing.deployment(connection.name, instance)

    async def _devices(self) -> Json:
        """The devices of the instance: of the profile's only the root disk, and that with our size.

        Its other devices are taken away, for they give a piece of the host or a way to it. Raises FleetError.
        """
        request, connection = self._request, self._connection
        profiles, there = await connection.thread(self._profiles_and_pools)
        if request.profile not in profiles:
            raise FleetError(
                "NOT_FOUND", f"There is no profile {request.profile}.", f"There is {', '.join(profiles)}."
            )
        given, config = profiles[request.profile]
        if loose := looser(config):
            raise FleetError(
                "REFUSED",
                f"The profile {request.profile} loosens what keeps a deployment apart: {', '.join(loose)}.",
                "Choose another profile, or unset that there.",
            )
        key, root = listing.root_disk(given)
        pool = request.pool or root.get("pool") or next(iter(there), "")
        if pool not in there:
            raise FleetError(
                "NOT_FOUND",
                f"There is no storage pool {pool}." if pool else "There is no storage pool.",
                f"There is {', '.join(there)}." if there else "`incus admin init --minimal` makes one.",
            )
        if there[pool] == "dir":
            self._say(f"the pool {pool} keeps no limit of the disk: its driver is dir")
        root |= {"type": "disk", "path": "/", "pool": pool, "size": request.limits.disk}
        others = {name: {"type": "none"} for name in given if name != key}
        return others | {"eth0": network.card(), key: root}

    def _profiles_and_pools(self) -> tuple[dict[str, tuple[Json, Json]], dict[str, str]]:
        client = self._connection.client()
        profiles = {
            str(one.name): (dict(one.devices or {}), dict(one.config or {})) for one in client.profiles.all()
        }
        return profiles, {str(one.name): str(one.driver) for one in client.storage_pools.all()}

    async def _image(self) -> Json:
        """The image of the request: by its alias, or by its fingerprint."""
        request, connection = self._request, self._connection
        wanted = request.image
        try:
            if not re.fullmatch(r"[0-9a-f]{12,64}", wanted):
                alias = await connection.get(f"/1.0/images/aliases/{quote(wanted, safe='')}")
                wanted = str(alias["target"])
            image: Json = await connection.get(f"/1.0/images/{wanted}")
        except FleetError as error:
            if error.code != "NOT_FOUND":
                raise
            raise FleetError(
                "NOT_FOUND", f"There is no image {request.image}.", "`ccp fleet image build` makes one."
            ) from None
        self._say(_alias(image, request.image))
        return image

    async def _room(self, devices: Json, image: Json) -> None:
        """Raises FleetError REFUSED when the pool has no room: a full one takes minutes to say so."""
        _, root = listing.root_disk(devices)
        used, total = await pools.room(self._connection, root["pool"])
        if total and total - (used or 0) < 4 * int(image.get("size") or 0):  # packed it is about a quarter
            raise FleetError(
                "REFUSED", f"The pool {root['pool']} has only {(total - (used or 0)) // 2**20} MiB left.",
                "Make room, or choose another pool.",
            )  # fmt: skip

    async def _settle(self, egress: tuple[str, ...]) -> None:
        """The network, wholly also when cancelled: a bridge half made would come after it was taken back."""
        settling = asyncio.ensure_future(network.settle(self._connection, egress))
        try:
            await asyncio.shield(settling)
        except asyncio.CancelledError:
            await asyncio.wait([settling])
            if not settling.cancelled():
                settling.exception()
            raise

    async def _instance(self, image: Json, devices: Json, port: int, egress: tuple[str, ...]) -> None:
        request = self._request
        properties: Json = image.get("properties") or {}
        config = {
            **resize.config(request.limits),
            **protections(),
            names.DEPLOYMENT: "1",
            names.IMAGE: _alias(image, request.image),
            names.PORT: str(port),
            names.CREATED: clock.now(),
            names.MAKER: self._maker,
            names.VERSION: str(properties.get(names.IMAGE_VERSION) or ""),
        }
        if egress:
            config[names.EGRESS] = ",".join(egress)
        body = {
            "name": request.name,
            "type": "container",
            "source": {"type": "image", "fingerprint": image["fingerprint"]},
            "profiles": [request.profile],
            "config": config,
            "devices": devices | {names.SSH_DEVICE: ports.device(port)},
        }
        params = {"target": request.target} if request.target else None
        for last in (False, True):
            try:
                await self._runner.run("POST", "/1.0/instances", body, params=params, within=INSTANCE_S)
                return
            except FleetError as error:
                if error.message == words.BUSY:  # something is done to one of this name that came in between
                    raise FleetError("EXISTS", "This name is taken.", "Choose another name.") from None
                if last or "etwork not found" not in error.message:
                    raise
            await network.settle(
                self._connection, egress
            )  # the last deployment went in between, and its bridge

    async def _start(self, port: int) -> None:
        """Starts it. A port that was taken since the check is exchanged, unless it was asked for."""
        name, tried = self._request.name, {port}
        while True:
            try:
                await self._state("start", lifecycle.START_S)
                return
            except FleetError as error:
                if error.message != words.PORT:
                    raise
                if self._request.port is not None or len(tried) >= PORT_TRIES:
                    raise FleetError(
                        "REFUSED", f"Port {port} is taken on the host.", "Choose another port."
                    ) from None
            port = await ports.free(self._connection, avoid=frozenset(tried))
            tried.add(port)
            change = {"config": {names.PORT: str(port)}, "devices": {names.SSH_DEVICE: ports.device(port)}}
            await lifecycle.patiently(
                lambda change=change: operations.run(  # type: ignore[misc]
                    self._connection, "PATCH", f"/1.0/instances/{name}", change
                )
            )

    async def _state(self, action: str, within: float) -> None:
        body = {"action": action, "timeout": round(within)}

        async def change() -> Json:
            path = f"/1.0/instances/{self._request.name}/state"
            await self._runner.run("PUT", path, body, within=within)
            return {}

        await lifecycle.patiently(change)

    async def _last_lines(self) -> list[str]:
        """What the container said last: it is about to go, and its log with it."""
        if not self._touched:
            return []
        try:
            async with asyncio.timeout(LOG_S):
                if await self._made() is None:
                    return []
                said = await logs.tail(self._connection, self._request.name, "boot")
        except (FleetError, TimeoutError):
            return []
        return [self._without_key(line) for line in said]

    async def _clean_up(self) -> str:
        """Takes back what was made; "" or words for what could not be. Ends, however often it is cancelled."""
        if not self._touched:
            return ""
        cleaning = asyncio.ensure_future(self._take_back())
        while not cleaning.done():
            try:
                await asyncio.shield(cleaning)
            except asyncio.CancelledError:
                continue
        return cleaning.result()

    async def _take_back(self) -> str:
        name, connection = self._request.name, self._connection
        try:
            async with asyncio.timeout(CLEAN_UP_S):
                instance = await self._made()
                if instance is not None:
                    if instance.get("status") != "Stopped":
                        await lifecycle.state(connection, name, "stop", within=20, force=True)
                    await lifecycle.remove(connection, name)
                await network.tidy(connection)
                return ""
        except TimeoutError:
            return f"What was made of {name} is still there."
        except FleetError as error:
            return (
                ""
                if error.code == "NOT_FOUND"
                else f"What was made of {name} is still there: {error.message}"
            )

    async def _made(self) -> Json | None:
        """The instance, if this made it. A creation under way can't be cancelled, so its end is waited for."""
        name, connection = self._request.name, self._connection
        found = await connection.get("/1.0/operations", {"recursion": 1})
        for operation in (found or {}).get("running") or ():
            urls = (operation.get("resources") or {}).get("instances") or ()
            if any(str(url).partition("?")[0].endswith(f"/instances/{name}") for url in urls):
                try:
                    await operations.wait(connection, operation, CLEAN_UP_S)
                except FleetError as error:
                    if error.code == "TIMEOUT":
                        raise
        try:
            instance: Json = await connection.get(f"/1.0/instances/{name}")
        except FleetError as error:
            if error.code == "NOT_FOUND":
                return None
            raise
        return instance if (instance.get("config") or {}).get(names.MAKER) == self._maker else None

    @contextmanager
    def _in(self, name: str) -> Iterator[None]:
        """A stage: told when it begins, when it has news and when it has ended well."""
        stage = Stage(name, clock.now())
        self._stage = (stage, time.monotonic())
        self._on_stage(stage)
        yield
        stage, since = self._stage
        self._on_stage(Stage(name, stage.started_at, time.monotonic() - since, stage.words))

    def _say(self, said: str) -> None:
        if self._stage is None or not said or said == self._stage[0].words:
            return
        stage, since = self._stage
        self._stage = (Stage(stage.name, stage.started_at, None, self._without_key(said)), since)
        self._on_stage(self._stage[0])

    def _without_key(self, said: str) -> str:
        key = self._request.api_key
        return said.replace(key, "…") if key else said

    def _removal(self) -> str:
        return (
            f"`incus delete --force {names.join_ref(self._connection.name, self._request.name)}` removes it."
        )


async def create(connection: Connection, request: CreateRequest, on_stage: OnStage) -> Deployment:
    """Makes a deployment and returns it when it is ready. ``on_stage`` is called when a stage begins, has news, ends.

    Raises FleetError, with the last lines of what was made; then nothing is left behind, or its words say what and its
    fix how to remove it. A cancellation takes back what was made before it goes on; its words say what is left. The
    provider's key goes into a file inside and nowhere else.
    """
    request.check()
    return await Creation(connection, request, on_stage).run()


def _alias(image: Json, wanted: str) -> str:
    """The versioned alias of an image, when it has one: ``ccp/latest`` moves on."""
    aliases = [str(one.get("name") or "") for one in image.get("aliases") or ()]
    versioned = [one for one in aliases if one.startswith(names.IMAGE_PREFIX) and one != names.LATEST]
    return versioned[0] if versioned else wanted
