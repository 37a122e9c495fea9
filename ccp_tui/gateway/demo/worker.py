"""The scripted worker: it does a task by its spec, mends what came back, and goes on with what was interrupted."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

from ccp_tui.gateway.demo.brief import Brief
from ccp_tui.gateway.demo.files import missing_words, needles, write_command
from ccp_tui.gateway.demo.steps import Exec, Say, Step

# How a prompt lists the files of an earlier task: other agents' workspaces are read, never changed.
_RESULT = re.compile(r"^- (/.+?) \(\d+ bytes\)", re.MULTILINE)
_GO_ON = re.compile(r"\bGo on with \S+ where you were\b")
_COMMAND = re.compile(r"^Command: (.+)$", re.MULTILINE)
_KEPT_LINES = 12
# Kinds of files that take a line of text at their end and stay valid.
_PLAIN = (".md", ".txt", ".rst", ".markdown")


def work(brief: Brief) -> Iterator[Step]:
    """A task's first prompt: every deliverable is written, reported and submitted."""
    title = brief.title or str(brief.spec.get("title") or brief.ref)
    paths = brief.paths
    asked = "1 deliverable" if len(paths) == 1 else f"{len(paths)} deliverables"
    yield Say(f"I take on {brief.ref} “{title}”. The spec asks for {asked}: I start now.")
    yield Exec(f"{brief.report} progress {shlex.quote(f'Read the spec of {brief.ref}, at work')}")
    earlier = results(brief)
    if earlier:
        listed = " ".join(shlex.quote(path) for path in earlier)
        yield Say("First I read what the tasks before this one made.")
        yield Exec(
            f'for path in {listed}; do test -r "$path" && head -n {_KEPT_LINES} -- "$path"; done; true'
        )
    for path in paths:
        yield Say(f"Next is `{path}`.")
        yield Exec(
            write_command(
                path,
                title=title,
                summary=str(brief.spec.get("summary") or ""),
                criteria=brief.criteria,
                wanted=needles(brief.commands, path),
            )
            + (_build_on(earlier, path) if path.lower().endswith(_PLAIN) else "")
        )
    listed = " ".join(shlex.quote(path) for path in paths) or "''"
    yield Exec(f"mkdir -p .worker && printf '%s\\n' {listed} > {notes(brief)}")
    for path in paths:
        yield Exec(f"{brief.report} deliver {shlex.quote(path)}")
    summary = f"Wrote {_join(paths)}" if paths else f"Did what {brief.ref} asks"
    yield Exec(f"{brief.report} submit --summary {shlex.quote(summary)}")
    yield Say(f"**{brief.ref} is submitted.** {summary}; it is ready for the checks and a review.")


def mend(brief: Brief) -> Iterator[Step]:
    """Feedback: what was delivered is changed, what a failed check looked for is added, and all is submitted again."""
    remark = _remark(brief.reason or "the checks")
    yield Say(f"Thank you for the feedback. I mend it for round {brief.round}: {remark}")
    yield Exec(f"{brief.report} progress {shlex.quote(f'Mending the work for round {brief.round}')}")
    yield Exec(_find_out(brief, make=False))
    for command in missing_words(_COMMAND.findall(brief.frame)):
        yield Exec(command)
    note = shlex.quote(f"Round {brief.round}: revised after: {remark}")
    # The remark goes into a comment where the kind of file has one, so that a valid file stays valid.
    yield Exec(
        f"note={note}; {_each(brief)}"
        'mkdir -p -- "$(dirname -- "./$path")"; case "$path" in '
        '*.md|*.txt|*.rst) printf \'\\n%s\\n\' "$note" >> "./$path";; '
        '*.html|*.htm|*.xml|*.svg) printf \'<!-- %s -->\\n\' "$note" >> "./$path";; '
        '*.py|*.sh|*.yaml|*.yml|*.toml) printf \'# %s\\n\' "$note" >> "./$path";; '
        '*.css|*.js|*.ts) printf \'/* %s */\\n\' "$note" >> "./$path";; '
        f'*) touch -- "./$path";; esac; done < {notes(brief)}'
    )
    yield from _hand_in(brief, f"Mended: {remark}")
    yield Say(f"Mended and submitted again as round {brief.round}.")


def go_on(brief: Brief) -> Iterator[Step]:
    """An answer to the worker's question, or word that it may go on: what is still missing is written and submitted."""
    answer = _remark(answered(brief))
    told = f"the answer: {answer}" if answer else "word to go on"
    yield Say(f"Thank you for {told}. I finish {brief.ref}.")
    yield Exec(f"{brief.report} progress {shlex.quote(f'Going on with {brief.ref}')}")
    yield Exec(_find_out(brief, make=True, words=answer))
    yield from _hand_in(brief, f"Finished, with {told}")
    yield Say(f"**{brief.ref} is submitted.**")


def goes_on(brief: Brief) -> bool:
    """Whether the prompt is an answer, or word to go on, and not feedback."""
    return bool(answered(brief)) or _GO_ON.search(brief.frame) is not None


def answered(brief: Brief) -> str:
    """What the person answered; empty when the prompt is no answer."""
    chosen = re.findall(r"^Answer: (.+)$", brief.frame, re.MULTILINE)
    own = brief.blocks.get("answer in words", "").strip()
    return ", ".join(part.strip() for part in (*chosen, own) if part and part != "in words")


def results(brief: Brief) -> list[str]:
    """The files that earlier tasks left for this one."""
    told = "\n".join(body for name, body in brief.blocks.items() if name.startswith("result of "))
    return list(dict.fromkeys(_RESULT.findall(told)))


def notes(brief: Brief) -> str:
    """Where this attempt's worker lists what it delivered: feedback does not repeat the spec."""
    return f".worker/{brief.mark}"


def _build_on(earlier: list[str], path: str) -> str:
    """More shell that adds to a text what the tasks before it made."""
    return "".join(
        f" && {{ ! test -r {quoted} || {{ printf '\\n## From %s\\n\\n' {name}; "
        f"head -n {_KEPT_LINES} -- {quoted}; }} >> {shlex.quote(path)}; }}"
        for one in earlier
        for quoted, name in [(shlex.quote(one), shlex.quote(one.rsplit("/", 1)[-1]))]
    )


def _hand_in(brief: Brief, summary: str) -> Iterator[Step]:
    yield Exec(f'{_each(brief)}{brief.report} deliver "$path" < /dev/null || exit 1; done < {notes(brief)}')
    yield Exec(f"{brief.report} submit --summary {shlex.quote(summary)}")


def _each(brief: Brief) -> str:
    return f'test -f {notes(brief)} || exit 0; while IFS= read -r path; do test -n "$path" || continue; '


def _find_out(brief: Brief, *, make: bool, words: str = "") -> str:
    """Notes what is still to be delivered, as any agent can learn it: a submission without it is refused, and the
    refusal names it. What is not there is left out, or with ``make`` written."""
    refused = "s/.*not delivered yet: \\(.*\\)\\. Run .*/\\1/p"
    said = shlex.quote(f"{brief.title or brief.ref}. {words}".strip())
    write = f'mkdir -p -- "$(dirname -- "./$path")"; printf "%s\\n" {said} > "./$path"' if make else ":"
    return (
        f"test -s {notes(brief)} || {{ mkdir -p .worker; {brief.report} submit 2>&1 < /dev/null | "
        f"sed -n '{refused}' | tr ',' '\\n' | sed 's/^ //' | while IFS= read -r path; do "
        f'test -f "./$path" || {{ {write}; }}; '
        f'if test -f "./$path"; then printf "%s\\n" "$path"; fi; done > {notes(brief)}; }}'
    )


def _remark(text: str) -> str:
    """Words of others, without what a shell or a comment would take for its own."""
    plain = re.sub(r"[^\w ,.;:!?'()/]+", " ", text, flags=re.UNICODE)
    return " ".join(plain.split())[:200]


def _join(names: list[str]) -> str:
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1]
