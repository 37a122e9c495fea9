"""What takes a while: making a deployment, upgrading one, building the image, moving one as a file; and the logs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

from ccp_tui import clock
from ccp_tui.incus import STAGES, CreateRequest, FleetError
from ccp_tui.screens.fleet import guards, words
from ccp_tui.screens.fleet.deeds import Deeds
from ccp_tui.screens.fleet.dialogs import name_problem
from ccp_tui.screens.fleet.works import Work
from ccp_tui.screens.widgets.dialogs import Choice, ask_words, confirm, pick
from ccp_tui.text import one_line

if TYPE_CHECKING:
    from ccp_tui.fleet_app import FleetApp
    from ccp_tui.incus import Image
    from ccp_tui.screens.fleet.draft import Draft


class Undertakings(Deeds):
    """Actions that become a :class:`Work` with a screen of its own; the work goes on when that is left."""

    @property
    def fleet_app(self) -> FleetApp:
        return cast("FleetApp", self.app)

    # -- making one

    def nowhere(self) -> str:
        """Why there is no machine to make one on; empty when there is one."""
        remotes = self.fleet.remotes
        if any(each.state == "ready" for each in remotes):
            return ""
        return next((f"{each.words} {each.fix}" for each in remotes if each.words), "Not connected yet.")

    async def new(self, draft: Draft | None = None) -> None:
        """The wizard, then the stages of what it asked for."""
        if nowhere := self.nowhere():
            self.say(nowhere, "outage")
            return
        from ccp_tui.screens.fleet.draft import Draft

        made = await self.app.push_screen_wait(self.shell.make("wizard", draft=draft))
        if isinstance(made, Draft):
            self.create(made.request(), made)

    def create(self, request: CreateRequest, draft: Draft) -> None:
        """Begins to make a deployment and shows how it goes."""
        ref = f"{request.remote}:{request.name}" if request.remote not in ("", "local") else request.name

        async def act(work: Work) -> object:
            return await self.fleet.create(request, work.on_stage)

        self.fleet_app.begin(Work(f"Making {ref}", act, ref=ref, stages=STAGES, draft=draft))

    async def upgrade(self) -> None:
        """To another image, with the data kept; the fleet takes a snapshot first and goes back if it is not well."""
        one = self.deployment
        if one is None:
            return
        try:
            images = await self.fleet.images(one.remote)
        except FleetError as error:
            self.say(words.failure(error), "refusal")
            return
        choices = [
            Choice(
                each.alias or each.fingerprint,
                image_name(each),
                f"{'newest, ' if each.latest else ''}{words.when(each.created_at)}",
            )
            for each in images
            if not each.base
        ]
        empty = "No image here yet: esc, then i builds one."
        alias = await pick(self.app, f"Upgrade {one.name} from {one.image} to", choices, empty=empty)
        if alias is None:
            return
        detail = "A snapshot is taken first; if it is not well afterwards, it goes back by itself."
        if not await confirm(self.app, f"Upgrade {one.ref} to {alias}?", detail=detail, yes="upgrade"):
            return

        async def act(work: Work) -> None:
            await self.fleet.upgrade(one.ref, alias, work.on_stage)

        self.fleet_app.begin(Work(f"Upgrading {one.ref}", act, ref=one.ref))

    # -- images

    async def images(self) -> None:
        """What images there are; builds one, or removes those that nothing uses."""
        try:
            found = await self.fleet.images("local")
        except FleetError as error:
            self.say(words.failure(error), "refusal")
            return
        if self.app.screen is not self:
            return
        choices = [
            Choice("build", "build the image from Debian packages", "some minutes; needs the network once"),
            Choice("prune", "remove images that nothing uses", ""),
        ]
        for each in found:
            used = f", used by {len(each.used_by)}" if each.used_by else ""
            label = image_name(each) + (" (base)" if each.base else " (newest)" if each.latest else "")
            choices.append(
                Choice("", label, f"{words.size(each.size, True)}, {words.when(each.created_at)}{used}")
            )
        match await pick(self.app, "Images", choices):
            case "build":
                self.build()
            case "prune":
                await self._prune()

    def build(self) -> None:
        async def act(work: Work) -> object:
            return await self.fleet.build_image(bootstrap=True, on_line=work.on_line)

        self.fleet_app.begin(Work("Building the image", act))

    async def _prune(self) -> None:
        if await confirm(self.app, "Remove every image that no deployment uses?", detail="The newest stays."):
            self.say("Removing images…")
            try:
                gone = await self.fleet.prune_images()
            except FleetError as error:
                self.say(words.failure(error), "refusal")
            else:
                self.say(f"{len(gone)} removed." if gone else "There was nothing to remove.", "good")

    # -- one file

    async def export(self) -> None:
        """The deployment with everything in it, as one file."""
        one = self.deployment
        if one is None:
            return
        proposed = Path.cwd() / f"{one.name}-{clock.now()[:10]}.tar.zst"
        about = "Everything in it, secrets too: keep the file as you would keep them."
        named = await ask_words(self.app, f"Export {one.name} into", text=str(proposed), context=about)
        if not named:
            return
        path = file_named(named)

        async def act(work: Work) -> None:
            await self.fleet.export(one.ref, path, work.progress)

        self.fleet_app.begin(Work(f"Exporting {one.ref} to {path}", act, ref=one.ref))

    async def bring_in(self) -> None:
        """A deployment from a file that was exported."""
        named = await ask_words(self.app, "Import from", placeholder="a file that export wrote")
        if not named:
            return
        path = file_named(named)
        name = await ask_words(self.app, "Name of the deployment", text=path.name.partition(".")[0].lower())
        if not name:
            return
        if problem := name_problem(name, self.taken("local")):
            self.say(problem, "refusal")
            return

        async def act(work: Work) -> None:
            work.note = await self.fleet.import_(path, name, work.progress)

        self.fleet_app.begin(Work(f"Importing {name} from {path}", act, ref=name))

    # -- looking at it

    def has_stages(self) -> bool:
        one = self.deployment
        return one is not None and self.fleet_app.works.of(one.ref) is not None

    def show_stages(self) -> None:
        if (one := self.deployment) and (work := self.fleet_app.works.of(one.ref)):
            self.shell.open("work", work=work)

    def has_works(self) -> bool | str:
        return bool(self.fleet_app.works.all)

    async def show_works(self) -> None:
        """Everything that was begun here; one is opened at once."""
        found = list(reversed(self.fleet_app.works.all))
        work: Work | None = found[0] if len(found) == 1 else None
        if work is None:
            choices = [Choice(each, one_line(each.title), each.state) for each in found]
            work = await pick(self.app, "Begun here", choices)
        if work is not None:
            self.shell.open("work", work=work)

    def logs(self) -> None:
        if one := self.deployment:
            which = "gateway" if guards.is_running(one) is True else "boot"
            self.shell.open("log", ref=one.ref, which=which)


def image_name(image: Image) -> str:
    """How an image is called; one that lost its alias by its fingerprint."""
    return one_line(image.alias) or image.fingerprint[:12]


def file_named(text: str) -> Path:
    """The file that a person named."""
    return Path(text).expanduser()
