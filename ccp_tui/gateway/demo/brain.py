"""What a scripted agent does with a prompt: a pure function from the prompt's text to a list of steps.

It stands in for a language model, both in the embedded gateway and behind the provider that tests put under
a real gateway, so that one scenario behaves alike in both places. A prompt is answered in one of four ways:

* lines such as ``!say TEXT``, ``!stream WORDS RATE``, ``!exec COMMAND``, ``!pause SECONDS``, ``!fail STATUS``
  are followed to the letter, wherever they stand (in a spec they count after YAML has unquoted them);
* a task's first prompt gets a worker who writes every deliverable, reports and submits;
* feedback on a task gets the same worker mending what it delivered, and submitting again; one that has no note of
  what it delivered, because its first round followed directives, submits to be told what is missing;
* anything else gets a short friendly answer.
"""

from __future__ import annotations

import hashlib
import re
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from ccp_tui.gateway.demo.files import needles, write_command

DEFAULT_RATE = 40.0
MAX_STREAM_WORDS = 200_000


@dataclass(frozen=True)
class Say:
    """Words, streamed at so many per second (0: all at once)."""

    text: str
    per_second: float = DEFAULT_RATE


@dataclass(frozen=True)
class Exec:
    """A shell command, run through the exec tool in the agent's workspace."""

    command: str


@dataclass(frozen=True)
class Pause:
    """Silence."""

    seconds: float


@dataclass(frozen=True)
class Fail:
    """The AI provider answers with this HTTP status."""

    status: int
    message: str


Step = Say | Exec | Pause | Fail

_STAMP = re.compile(r"^\[[A-Z][a-z]{2} \d{4}-\d{2}-\d{2} \d{2}:\d{2}(?::\d{2})? [^\]\n]{1,40}\]\s*")
_INTERNAL = "<<<BEGIN_OPENCLAW_INTERNAL_CONTEXT>>>"
_RESUMED = "[System] Your previous turn was interrupted"
_SPEC = re.compile(r"^--- spec ---[ \t]*\n(.*?)^--- end of spec ---[ \t]*$", re.DOTALL | re.MULTILINE)
_REASON = re.compile(r"^--- reason ---[ \t]*\n(.*?)^--- end of reason ---[ \t]*$", re.DOTALL | re.MULTILINE)
_TASK = re.compile(r"^Task: (\S+)[ \t]*(.*)$", re.MULTILINE)
_ROUND = re.compile(r"^Round: (\d+)[ \t]*$", re.MULTILINE)
_REPORT = re.compile(r"^Report command: (.+)$", re.MULTILINE)
_DIRECTIVE = re.compile(r"^\s*!(say|stream|exec|pause|fail)\b[ \t]?(.*)$")


def last_prompt(user_texts: Iterable[str]) -> str:
    """The message to answer, of all user messages of a conversation in their order.

    The gateway appends its own context as a user message and, after a restart, one that says the turn was
    interrupted: a worker told so goes on with what it was asked before.
    """
    texts = [_bare(text) for text in user_texts]
    real = [text for text in texts if not text.startswith((_INTERNAL, _RESUMED))]
    return real[-1] if real else ""


def script(prompt: str) -> tuple[Step, ...]:
    """The steps with which the agent answers one prompt. Never raises: any text is a prompt."""
    brief = Brief.read(_bare(prompt))
    directed = tuple(_directives(brief))
    if directed:
        return directed
    if brief.report and brief.spec:
        return tuple(_work(brief))
    if brief.report and brief.round:
        return tuple(_mend(brief))
    return (Say(_chat(brief.text)),)


@dataclass(frozen=True)
class Brief:
    """A prompt taken apart; whatever it does not have stays empty."""

    text: str
    ref: str = ""
    title: str = ""
    round: int = 0
    report: str = ""
    reason: str = ""
    spec: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, text: str) -> Brief:
        spec_block, reason = _SPEC.search(text), _REASON.search(text)
        # What the spec or a reason says about rounds and tasks is their text, not the prompt's.
        frame = _REASON.sub("", _SPEC.sub("", text))
        task, number, report = _TASK.search(frame), _ROUND.search(frame), _REPORT.search(frame)
        return cls(
            text=text,
            ref=task[1] if task else "",
            title=task[2].strip() if task else "",
            round=int(number[1]) if number else 0,
            report=report[1].strip() if report else "",
            reason=reason[1].strip() if reason else "",
            spec=_yaml(spec_block[1]) if spec_block else {},
        )

    @property
    def paths(self) -> list[str]:
        """The paths of the spec's deliverables, in its order."""
        entries = self.spec.get("deliverables")
        found = [entry.get("path") if isinstance(entry, dict) else entry for entry in _list(entries)]
        return [path for path in found if isinstance(path, str) and path.strip()]

    @property
    def notes(self) -> str:
        """Where this attempt's worker lists what it delivered: feedback does not repeat the spec."""
        return f".worker/{hashlib.sha256(self.report.encode()).hexdigest()[:12]}"


def _bare(text: str) -> str:
    text = text.replace("\r\n", "\n").lstrip()
    return _STAMP.sub("", text, count=1)


def _yaml(text: str) -> dict[str, Any]:
    try:
        loaded = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError):
        return {}
    return loaded if isinstance(loaded, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _lines(value: object) -> Iterator[str]:
    """Every line of every string in a YAML document, in its order."""
    if isinstance(value, str):
        yield from value.split("\n")
    elif isinstance(value, dict):
        for part in value.values():
            yield from _lines(part)
    elif isinstance(value, list):
        for part in value:
            yield from _lines(part)


def _directives(brief: Brief) -> Iterator[Step]:
    block = _SPEC.search(brief.text)
    if block and brief.spec:
        lines = [
            *brief.text[: block.start()].split("\n"),
            *_lines(brief.spec),
            *brief.text[block.end() :].split("\n"),
        ]
    else:
        lines = brief.text.split("\n")
    for line in lines:
        if match := _DIRECTIVE.match(line):
            step = _directive(match[1], match[2].strip().replace("{report}", brief.report))
            if step:
                yield step


def _directive(verb: str, rest: str) -> Step | None:
    words = rest.split()
    try:
        match verb:
            case "say" if rest:
                return Say(rest)
            case "exec" if rest:
                return Exec(rest)
            case "stream":
                count = min(MAX_STREAM_WORDS, int(words[0]))
                rate = float(words[1]) if len(words) > 1 else DEFAULT_RATE
                return Say(" ".join(f"word{n}" for n in range(1, count + 1)), rate)
            case "pause":
                return Pause(max(0.0, float(words[0])))
            case "fail":
                return Fail(int(words[0]), " ".join(words[1:]) or "the scripted provider was told to fail")
    except (ValueError, IndexError):
        return None
    return None


def _work(brief: Brief) -> Iterator[Step]:
    spec = brief.spec
    title = brief.title or str(spec.get("title") or brief.ref)
    criteria = [str(line) for line in _list(spec.get("success_criteria"))]
    checks = [str(check.get("command", "")) for check in _list(spec.get("checks")) if isinstance(check, dict)]
    paths = brief.paths
    asked = "1 deliverable" if len(paths) == 1 else f"{len(paths)} deliverables"
    yield Say(f"I take on {brief.ref} “{title}”. The spec asks for {asked}: I start now.")
    yield Exec(f"{brief.report} progress {shlex.quote(f'Read the spec of {brief.ref}, at work')}")
    for path in paths:
        yield Say(f"Next is `{path}`.")
        yield Exec(
            write_command(
                path,
                title=title,
                summary=str(spec.get("summary") or ""),
                criteria=criteria,
                wanted=needles(checks, path),
            )
        )
    listed = " ".join(shlex.quote(path) for path in paths) or "''"
    yield Exec(f"mkdir -p .worker && printf '%s\\n' {listed} > {brief.notes}")
    for path in paths:
        yield Exec(f"{brief.report} deliver {shlex.quote(path)}")
    summary = f"Wrote {_join(paths)}" if paths else f"Did what {brief.ref} asks"
    yield Exec(f"{brief.report} submit --summary {shlex.quote(summary)}")
    yield Say(f"**{brief.ref} is submitted.** {summary}; it is ready for the checks and a review.")


def _mend(brief: Brief) -> Iterator[Step]:
    reason = brief.reason or "the checks"
    remark = re.sub(r"[^\w ,.;:!?'()/]+", " ", reason, flags=re.UNICODE)
    remark = " ".join(remark.split())[:200]
    note = shlex.quote(f"Round {brief.round}: revised after: {remark}")
    yield Say(f"Thank you for the feedback. I mend it for round {brief.round}: {remark}")
    yield Exec(f"{brief.report} progress {shlex.quote(f'Mending the work for round {brief.round}')}")
    yield Exec(_find_out(brief))
    each = f'test -f {brief.notes} || exit 0; while IFS= read -r path; do test -n "$path" || continue; '
    # The remark goes into a comment where the kind of file has one, so that a valid file stays valid.
    yield Exec(
        f"note={note}; {each}"
        'mkdir -p -- "$(dirname -- "./$path")"; case "$path" in '
        '*.md|*.txt|*.rst) printf \'\\n%s\\n\' "$note" >> "./$path";; '
        '*.html|*.htm|*.xml|*.svg) printf \'<!-- %s -->\\n\' "$note" >> "./$path";; '
        '*.py|*.sh|*.yaml|*.yml|*.toml) printf \'# %s\\n\' "$note" >> "./$path";; '
        '*.css|*.js|*.ts) printf \'/* %s */\\n\' "$note" >> "./$path";; '
        f'*) touch -- "./$path";; esac; done < {brief.notes}'
    )
    yield Exec(f'{each}{brief.report} deliver "$path" < /dev/null || exit 1; done < {brief.notes}')
    yield Exec(f"{brief.report} submit --summary {shlex.quote(f'Mended: {remark}')}")
    yield Say(f"Mended and submitted again as round {brief.round}.")


def _find_out(brief: Brief) -> str:
    """Notes what is still to be delivered, of what is there, as any agent can learn it: a submission without it is
    refused, and the refusal names it."""
    refused = "s/.*not delivered yet: \\(.*\\)\\. Run .*/\\1/p"
    return (
        f"test -s {brief.notes} || {{ mkdir -p .worker; {brief.report} submit 2>&1 < /dev/null | "
        f"sed -n '{refused}' | tr ',' '\\n' | sed 's/^ //' | while IFS= read -r path; do "
        f'if test -f "./$path"; then printf "%s\\n" "$path"; fi; done > {brief.notes}; }}'
    )


def _chat(text: str) -> str:
    words = " ".join(text.split())
    quoted = " ".join(words.split(" ")[:8])[:80].replace("`", "'")
    more = "…" if len(words) > len(quoted) else ""
    if not quoted:
        return "Hello! Tell me what you need."
    return (
        f"Hello! You wrote “{quoted}{more}”.\n\n"
        "Here is what I can do for you:\n\n"
        "- **talk** with you here, as now\n"
        "- **work on a task** that you assign to me on the board\n"
        "- **run a command**: send a line such as `!exec date`\n"
    )


def _join(names: list[str]) -> str:
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1]
