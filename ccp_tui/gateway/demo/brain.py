"""What a scripted agent does with a prompt: a pure function from the prompt's text to a list of steps.

It stands in for a language model, both in the embedded gateway and behind the provider that tests put under
a real gateway, so that one scenario behaves alike in both places. A prompt is answered in one of these ways:

* a prompt of a planning gets the planner (planner.py), one for a review the reviewer (reviewer.py);
* lines such as ``!say TEXT``, ``!stream WORDS RATE``, ``!exec COMMAND``, ``!pause SECONDS``, ``!fail STATUS``,
  ``!ask QUESTION | OPTION | …`` (a question through the report command), ``!question QUESTION | OPTION | …`` (one
  through OpenClaw's own tool) and ``!spawn PROMPT`` (a sub-agent) are followed to the letter, wherever they stand (in
  a spec they count after YAML has unquoted them; of a planning, only in the description of its first prompt);
* a task's first prompt gets a worker who writes every deliverable, reports and submits (worker.py);
* feedback on a task gets the same worker mending what it delivered, and submitting again; one that has no note of
  what it delivered, because its first round followed directives, submits to be told what is missing;
* anything else gets a short friendly answer.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator

from ccp_tui.gateway.demo.brief import Brief, bare
from ccp_tui.gateway.demo.brief import last_prompt as last_prompt
from ccp_tui.gateway.demo.planner import is_first, plan
from ccp_tui.gateway.demo.reviewer import review
from ccp_tui.gateway.demo.steps import DEFAULT_RATE
from ccp_tui.gateway.demo.steps import Exec as Exec
from ccp_tui.gateway.demo.steps import Fail as Fail
from ccp_tui.gateway.demo.steps import Pause as Pause
from ccp_tui.gateway.demo.steps import Say as Say
from ccp_tui.gateway.demo.steps import Step as Step
from ccp_tui.gateway.demo.steps import Tool as Tool
from ccp_tui.gateway.demo.worker import go_on, goes_on, mend, work

MAX_STREAM_WORDS = 200_000
# How OpenClaw tells an agent that its sub-agent is done; what that one said is data.
_ANNOUNCED = "A background task completed."
_DIRECTIVE = re.compile(r"^\s*!(say|stream|exec|pause|fail|ask|question|spawn)\b[ \t]?(.*)$")


def script(prompt: str) -> tuple[Step, ...]:
    """The steps with which the agent answers one prompt. Never raises: any text is a prompt."""
    brief = Brief.read(bare(prompt))
    if brief.text.startswith(_ANNOUNCED):
        return (Say(_announced(brief.text)),)
    if brief.kind == "review":
        return tuple(review(brief))
    if brief.kind == "plan":
        told = brief.blocks.get("description", "") if is_first(brief) else ""
        return tuple(_directives(told.split("\n"), brief.report)) or tuple(plan(brief))
    if directed := tuple(_directives(brief.lines(), brief.report)):
        return directed
    if brief.report and brief.spec:
        return tuple(work(brief))
    if brief.report and brief.round:
        return tuple(go_on(brief) if goes_on(brief) else mend(brief))
    return (Say(_chat(brief.text)),)


def _directives(lines: Iterable[str], report: str) -> Iterator[Step]:
    for line in lines:
        if match := _DIRECTIVE.match(line):
            step = _directive(match[1], match[2].strip().replace("{report}", report), report)
            if step:
                yield step


def _directive(verb: str, rest: str, report: str) -> Step | None:
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
            case "ask" if rest and report:
                question, *options = _parts(rest)
                chosen = "".join(f" --option {shlex.quote(option)}" for option in options)
                return Exec(f"{report} ask {shlex.quote(question)}{chosen}")
            case "question" if rest:
                return Tool("ask_user", {"questions": [_question(*_parts(rest))]})
            case "spawn" if rest:
                return Tool("sessions_spawn", {"task": rest.replace("\\n", "\n")})
    except (ValueError, IndexError):
        return None
    return None


def _announced(text: str) -> str:
    said = re.search(r"<prompt-data>\n(.*?)\n</prompt-data>", text, re.DOTALL)
    words = " ".join(said[1].split())[:200] if said else ""
    return f"My sub-agent is done. It said: {words}" if words else "My sub-agent is done."


def _parts(rest: str) -> list[str]:
    return [part.strip() for part in rest.split("|") if part.strip()] or [rest]


def _question(question: str, *options: str) -> dict[str, object]:
    """One question as OpenClaw's ask_user takes it: with two to four options."""
    labels = [*options, *([] if len(options) > 1 else ["Yes", "No"])][:4]
    chosen = [{"label": label} for label in labels]
    return {"id": "question", "header": "Question", "question": question, "options": chosen}


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
