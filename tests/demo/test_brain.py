"""The scripted agents: what they make of a prompt, and that what they write is really there and valid."""

from __future__ import annotations

import json
import shlex
import subprocess
from pathlib import Path

import pytest

from ccp_tui.gateway.demo.brain import Exec, Fail, Pause, Say, last_prompt, script

SPEC = """\
title: Landing page
summary: A page that greets people
deliverables:
  - {path: site/index.html, description: the page}
  - {path: "notes & more.md"}
  - {path: data.json}
  - {path: tool.py}
  - {path: list.csv}
  - {path: odd.xyz}
success_criteria: ["says hello to <everyone>", "it's 100% ours"]
checks:
  - {name: greets, command: "test -s site/index.html && grep -q 'Hello, World' site/index.html", timeout_s: 5}
  - {name: valid, command: "python3 -m json.tool data.json && python3 tool.py", timeout_s: 5}
"""


def task_prompt(spec: str, report: str = "/bin/echo report", title: str = "Landing page") -> str:
    return (
        f"You work on a task.\n\nTask: WEB-12 {title}\nAttempt: 1\nRound: 1\n\n"
        f"--- spec ---\n{spec}--- end of spec ---\n\nReport command: {report}\n"
    )


def recorder(folder: Path) -> tuple[str, Path]:
    """A report command that writes down how it was called, one argument list per line."""
    log = folder / "report.log"
    tool = folder / "report tool"
    tool.write_text(f'#!/bin/sh\n{{ for a in "$@"; do printf "%s|" "$a"; done; echo; }} >> {log}\n')
    tool.chmod(0o755)
    return f"{shlex.quote(str(tool))} --token ccp_x", log


def shell(command: str, cwd: Path) -> int:
    return subprocess.run(["/bin/sh", "-c", command], cwd=cwd, capture_output=True, timeout=20).returncode


def run_all(prompt: str, cwd: Path) -> None:
    for step in script(prompt):
        if isinstance(step, Exec):
            assert shell(step.command, cwd) == 0, step.command


def test_directives_are_followed_in_their_order_and_nothing_else_is_done() -> None:
    prompt = "Please:\n!say one two\n  !pause 0.5\n!exec echo hi > a\nwords\n!stream 3 100\n!fail 500 sorry\n"
    assert script(prompt) == (
        Say("one two"),
        Pause(0.5),
        Exec("echo hi > a"),
        Say("word1 word2 word3", 100.0),
        Fail(500, "sorry"),
    )


def test_directives_in_a_spec_count_as_yaml_reads_them_and_know_the_report_command() -> None:
    spec = (
        "title: x\nsummary: |\n  Intro\n  !say first\ndeliverables: [{path: a.txt}]\nsuccess_criteria: [b]\n"
        "constraints:\n  - '!exec {report} submit --summary \"it''s\"'\n  - \"!pause 2\"\n"
    )
    assert script(task_prompt(spec)) == (
        Say("first"),
        Exec('/bin/echo report submit --summary "it\'s"'),
        Pause(2.0),
    )


@pytest.mark.parametrize("line", ["!pause soon", "!stream", "!fail x", "!say", "!exec", "!unknown 1"])
def test_what_is_no_directive_is_conversation(line: str) -> None:
    (answer,) = script(line)
    assert isinstance(answer, Say)
    assert "You wrote" in answer.text


def test_the_worker_writes_valid_files_that_pass_the_checks_and_reports_each(tmp_path: Path) -> None:
    workspace = tmp_path / "ws"
    workspace.mkdir()
    report, log = recorder(tmp_path)
    run_all(task_prompt(SPEC, report), workspace)
    page = (workspace / "site/index.html").read_text()
    assert "Landing page" in page
    assert "&lt;everyone&gt;" in page
    assert json.loads((workspace / "data.json").read_text())["title"] == "Landing page"
    assert "Landing page" in (workspace / "odd.xyz").read_text()
    for check in ("grep -q 'Hello, World' site/index.html", "python3 tool.py", "test -s 'notes & more.md'"):
        assert shell(check, workspace) == 0, check
    calls = log.read_text().splitlines()
    assert calls[0].startswith("--token|ccp_x|progress|")
    assert [call.split("|")[3] for call in calls if "|deliver|" in call] == [
        "site/index.html", "notes & more.md", "data.json", "tool.py", "list.csv", "odd.xyz",
    ]  # fmt: skip
    assert "|submit|--summary|Wrote " in calls[-1]


def test_hostile_names_and_texts_stay_text(tmp_path: Path) -> None:
    workspace = tmp_path / "ws"
    workspace.mkdir()
    report, _ = recorder(tmp_path)
    path = "$(touch pwned) '; touch pwned;'.txt"
    spec = f'deliverables:\n  - {{path: "{path}"}}\nsuccess_criteria: ["`touch pwned`"]\n'
    run_all(task_prompt(spec, report, title="'; touch pwned; echo '"), workspace)
    assert not (workspace / "pwned").exists()
    assert (workspace / path).exists()


def test_feedback_is_mended_in_every_file_delivered_and_submitted_again(tmp_path: Path) -> None:
    workspace = tmp_path / "ws"
    workspace.mkdir()
    report, log = recorder(tmp_path)
    run_all(task_prompt(SPEC, report), workspace)
    log.unlink()
    run_all(
        "Your work was rejected.\nRound: 2\n--- reason ---\nToo 'plain' -- add $(colour)\nRound: 9\n"
        f"--- end of reason ---\nReport command: {report}\n",
        workspace,
    )
    assert "Round 2: revised after: Too 'plain' add" in (workspace / "site/index.html").read_text()
    assert json.loads((workspace / "data.json").read_text())
    calls = log.read_text().splitlines()
    assert sum("|deliver|" in call for call in calls) == 6
    assert "|submit|--summary|Mended: Too" in calls[-1]


def test_feedback_with_nothing_to_deliver_just_submits(tmp_path: Path) -> None:
    report, log = recorder(tmp_path)
    run_all(f"You ended without a submission.\nRound: 1\nReport command: {report}\n", tmp_path)
    assert [call.split("|")[2] for call in log.read_text().splitlines()] == ["progress", "submit", "submit"]


def test_feedback_after_directives_delivers_what_the_service_says_is_missing(tmp_path: Path) -> None:
    report, log = recorder(tmp_path)
    tool = tmp_path / "report tool"
    words = "ccp: not delivered yet: a.md, no such.md, b c.md. Run \\`deliver PATH\\` for each, then submit (gate: x)"
    tool.write_text(
        f'{tool.read_text()}test "$*" != "--token ccp_x submit" || {{ echo "{words}" >&2; exit 4; }}\n'
    )
    for name in ("a.md", "b c.md"):
        (tmp_path / name).write_text("as directed")
    feedback = "--- reason ---\nlonger\n--- end of reason ---\n"
    run_all(f"Sent back.\nRound: 2\n{feedback}Report command: {report}\n", tmp_path)
    calls = [call.split("|")[2:-1] for call in log.read_text().splitlines()]
    assert calls[1:] == [
        ["submit"], ["deliver", "a.md"], ["deliver", "b c.md"], ["submit", "--summary", "Mended: longer"],
    ]  # fmt: skip
    assert (tmp_path / "a.md").read_text() == "as directed\nRound 2: revised after: longer\n"


def test_small_talk_quotes_the_person_and_uses_markdown() -> None:
    (answer,) = script("[Mon 2026-11-23 04:59 UTC] What is the state of the launch, my dear friend, today?")
    assert isinstance(answer, Say)
    assert "“What is the state of the launch, my…”" in answer.text
    assert "**" in answer.text


def test_a_broken_spec_does_not_break_the_agent() -> None:
    assert script(task_prompt("deliverables: [}\n"))


def test_the_last_prompt_is_the_persons_not_the_gateways() -> None:
    texts = [
        "first",
        "[Mon 2026-11-23 04:59 UTC] !say hi",
        "[System] Your previous turn was interrupted by a gateway restart. Go on.",
        "<<<BEGIN_OPENCLAW_INTERNAL_CONTEXT>>>\nstuff",
    ]
    assert last_prompt(texts) == "!say hi"
    assert last_prompt([]) == ""


@pytest.mark.parametrize(
    "kind", ["png", "pdf", "svg", "sh", "yaml", "toml", "sql", "css", "js", "xml", "unheard-of"]
)
def test_every_kind_of_file_gets_content(kind: str, tmp_path: Path) -> None:
    spec = f"deliverables: [{{path: out/a.{kind}}}]\nsuccess_criteria: [done]\n"
    report, _ = recorder(tmp_path)
    run_all(task_prompt(spec, report), tmp_path)
    assert (tmp_path / f"out/a.{kind}").stat().st_size > 15
