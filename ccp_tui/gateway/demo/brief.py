"""A prompt taken apart: the lines and blocks by which scripted agents know what they are asked."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

_STAMP = re.compile(r"^\[[A-Z][a-z]{2} \d{4}-\d{2}-\d{2} \d{2}:\d{2}(?::\d{2})? [^\]\n]{1,40}\]\s*")
_INTERNAL = "<<<BEGIN_OPENCLAW_INTERNAL_CONTEXT>>>"
_RESUMED = "[System] Your previous turn was interrupted"
# What stands between two such lines is data of the prompt, not the prompt itself.
_BLOCK = re.compile(
    r"^--- (?P<name>[A-Za-z0-9 _-]+) ---[ \t]*\n(?P<body>.*?)^--- end of (?P=name) ---[ \t]*$",
    re.DOTALL | re.MULTILINE,
)
_HEAD = re.compile(r"^(Task|Plan|Review): (\S+)[ \t]*(.*)$", re.MULTILINE)
_ROUND = re.compile(r"^Round: (\d+)[ \t]*$", re.MULTILINE)
_REPORT = re.compile(r"^Report command: (.+)$", re.MULTILINE)


def last_prompt(user_texts: Iterable[str]) -> str:
    """The message to answer, of all user messages of a conversation in their order.

    The gateway appends its own context as a user message and, after a restart, one that says the turn was
    interrupted: a worker told so goes on with what it was asked before.
    """
    texts = [bare(text) for text in user_texts]
    real = [text for text in texts if not text.startswith((_INTERNAL, _RESUMED))]
    return real[-1] if real else ""


def bare(text: str) -> str:
    """A prompt without the time that OpenClaw puts before it."""
    text = text.replace("\r\n", "\n").lstrip()
    return _STAMP.sub("", text, count=1)


@dataclass(frozen=True)
class Brief:
    """A prompt in parts; whatever it does not have stays empty. ``kind``: task, plan, review or nothing.

    ``frame`` is the text without its blocks: what a spec, a reason or a description says about rounds and tasks is
    their text, not the prompt's.
    """

    text: str
    frame: str = ""
    kind: str = ""
    ref: str = ""
    title: str = ""
    round: int = 0
    report: str = ""
    blocks: dict[str, str] = field(default_factory=dict)
    spec: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, text: str) -> Brief:
        """Reads any text; never raises."""
        blocks = {match["name"]: match["body"].rstrip("\n") for match in _BLOCK.finditer(text)}
        frame = _BLOCK.sub("", text)
        head, number, report = _HEAD.search(frame), _ROUND.search(frame), _REPORT.search(frame)
        return cls(
            text=text,
            frame=frame,
            kind=head[1].lower() if head else "",
            ref=head[2] if head else "",
            title=head[3].strip() if head else "",
            round=int(number[1]) if number else 0,
            report=report[1].strip() if report else "",
            blocks=blocks,
            spec=_yaml(blocks.get("spec", "")),
        )

    @property
    def reason(self) -> str:
        """Why the work came back, if it did."""
        return self.blocks.get("reason", "").strip()

    @property
    def paths(self) -> list[str]:
        """The paths of the spec's deliverables, in its order."""
        found = [
            entry.get("path") if isinstance(entry, dict) else entry
            for entry in items(self.spec, "deliverables")
        ]
        return [path for path in found if isinstance(path, str) and path.strip()]

    @property
    def criteria(self) -> list[str]:
        """The spec's success criteria."""
        return [str(line) for line in items(self.spec, "success_criteria")]

    @property
    def commands(self) -> list[str]:
        """The commands of the spec's checks."""
        checks = items(self.spec, "checks")
        return [str(one.get("command", "")) if isinstance(one, dict) else str(one) for one in checks]

    @property
    def mark(self) -> str:
        """A name for this attempt, or this review, that all its prompts share: made of the report command."""
        return hashlib.sha256(self.report.encode()).hexdigest()[:12]

    def lines(self) -> Iterator[str]:
        """Every line of the prompt in its order; those of a spec as YAML reads them, unquoted."""
        if not self.spec:
            yield from self.text.split("\n")
            return
        before, _, rest = self.text.partition("--- spec ---")
        yield from before.split("\n")
        yield from leaves(self.spec)
        yield from rest.partition("--- end of spec ---")[2].split("\n")


def items(fields: dict[str, Any], name: str) -> list[Any]:
    """The list under a name; empty for anything else."""
    value = fields.get(name)
    return value if isinstance(value, list) else []


def leaves(value: object) -> Iterator[str]:
    """Every line of every string in a YAML document, in its order."""
    if isinstance(value, str):
        yield from value.split("\n")
    elif isinstance(value, dict):
        for part in value.values():
            yield from leaves(part)
    elif isinstance(value, list):
        for part in value:
            yield from leaves(part)


def _yaml(text: str) -> dict[str, Any]:
    try:
        loaded = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError):
        return {}
    return loaded if isinstance(loaded, dict) else {}
