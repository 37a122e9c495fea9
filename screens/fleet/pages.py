"""The wizard's pages: which fields stand on each, what they are for, and how what was filled in reads in the end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ccp_tui.incus import Limits
from ccp_tui.screens.fleet import words
from ccp_tui.screens.fleet.draft import Draft, Facts, free_space
from ccp_tui.screens.widgets.dialogs import Choice
from ccp_tui.text import one_line

LIMITS = Limits()
PROVIDERS = ("anthropic", "openai", "google", "openrouter", "mistral", "groq", "xai", "ollama")


@dataclass(frozen=True)
class Ask:
    """One field: its name among the values, its label, what it is for; ``kind``: text, secret or few."""

    name: str
    label: str
    about: str
    kind: str = "text"
    value: str = ""
    choices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Page:
    """One step of the wizard."""

    title: str
    about: str
    asks: tuple[Ask, ...]


PAGES = (
    Page("name", "What it is called, and where it lives.", (
        Ask("name", "Name", "Letters a–z, digits and '-'; a letter first."),
        Ask("remote", "Remote", "The machine it runs on.", "few"),
        Ask("target", "Member", "The machine of the cluster it starts on.", "few"),
        Ask("image", "Image", "What is inside: the gateway, the control service, the board.", "few"),
        Ask("profile", "Profile", "Incus's profile: it gives the network.", value="default"),
    )),
    Page("size", "How much of the machine it may use; all of it can be changed later.", (
        Ask("cpu", "CPU", "Whole cores.", value=LIMITS.cpu),
        Ask("memory", "Memory", "1GiB at least; the gateway takes about 0.8GiB of it.", value=LIMITS.memory),
        Ask("disk", "Disk", "It can grow later, not shrink.", value=LIMITS.disk),
        Ask("pool", "Pool", "Where the disk is.", "few"),
    )),
    Page("access", "Who gets in. SSH alone answers from outside, and leads to the board alone.", (
        Ask("ssh_key", "SSH key", "A public key, or the file with it; ↓ lists yours."),
        Ask("port", "Port", "Empty: the next free one from 2201 on."),
        Ask("egress", "Allow", "What deployments may reach on the host's side, as HOST:PORT."),
    )),
    Page("model", "Which AI provider its agents use. All of it can wait: it is set inside, too.", (
        Ask("provider", "Provider", "Empty: later. ↓ lists the usual ones.", choices=PROVIDERS),
        Ask("provider_url", "Address", "Empty: the provider's own."),
        Ask("model", "Model", "What agents use unless told otherwise; empty: the gateway's."),
        Ask("api_key", "Key", "Goes into one file inside, for its user alone; nowhere else.", "secret"),
    )),
)  # fmt: skip
FIELDS = {ask.name: (at, ask) for at, page in enumerate(PAGES) for ask in page.asks}


def choices_for(name: str, draft: Draft, facts: Facts, remotes: Sequence[str]) -> list[tuple[str, str]]:
    """The values of a field with a few of them, each with its words."""
    match name:
        case "remote":
            return [(each, each) for each in remotes] or [("", "this machine")]
        case "target":
            members = [
                (each.name, each.name if each.state == "Online" else f"{each.name} ({each.state.lower()})")
                for each in facts.members
            ]
            return [("", "the cluster chooses"), *members]
        case "image":
            latest = next((each.alias for each in facts.images if each.latest), "")
            found = [(each.alias, each.alias) for each in facts.images if not each.base and not each.latest]
            return [("", f"the newest{f', {latest}' if latest else ''}"), *found]
        case "pool":
            named = [
                (each.name, f"{each.name} ({each.driver}{_left(facts, each.name)})") for each in facts.pools
            ]
            return [("", "the profile's"), *named]
    return []


def _left(facts: Facts, pool: str) -> str:
    room = free_space(facts, pool)
    return f", {words.size(room)} free" if room is not None else ""


def shown(name: str, facts: Facts, remotes: Sequence[str]) -> bool:
    """Whether a field has a meaning here."""
    if name == "remote":
        return len(remotes) > 1
    return bool(facts.members) if name == "target" else True


def key_choices(paths: Sequence[str]) -> list[Choice[str]]:
    """The person's own keys to choose from."""
    return [Choice(path, path) for path in paths]


def told(draft: Draft) -> list[tuple[str, str]]:
    """Everything that will be made, label and words."""
    get = draft.get
    remote = get("remote")
    place = " ".join(filter(None, ("this machine" if remote in ("", "local") else remote, get("target"))))
    comment = draft.key_text.split()[2:] if draft.key_text else []
    key = " ".join(comment) or get("ssh_key")
    provider = get("provider")
    agents = " · ".join(filter(None, (provider, get("provider_url"), get("model")))) or "later, inside"
    if provider:
        agents += " · with a key" if get("api_key") else " · without a key"
    size = f"{get('cpu')} core{'s' if get('cpu') != '1' else ''}, {get('memory')} memory, {get('disk')} disk"
    return [
        ("Name", get("name") or "none yet"),
        ("Where", place),
        ("Image", get("image") or "the newest"),
        ("Size", size + (f" in {get('pool')}" if get("pool") else "")),
        (
            "SSH",
            f"port {get('port') or 'chosen for you'}, " + (f"key {one_line(key, 50)}" if key else "no key"),
        ),
        ("Model", agents),
        *([("Allow", ", ".join(draft.egress))] if draft.egress else []),
        ("Kept apart", "unprivileged, own user ids, nothing of the host mounted"),
    ]
