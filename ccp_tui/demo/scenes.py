"""The play: the first mission, where each step is asked for, its three agents, and what happens to its tasks.

The second mission, whose tasks are planned and run by themselves, is in ``planned``.
"""

from __future__ import annotations

from dataclasses import dataclass

MISSION = {
    "title": "Website relaunch",
    "slug": "website",
    "icon": "🌐",
    "prefix": "WEB",
    "policy": {"auto": "off", "review": "person"},
}


@dataclass(frozen=True)
class Cast:
    """An agent of the demo."""

    name: str
    role: str
    emoji: str
    soul: str

    @property
    def id(self) -> str:
        return self.name.lower()


CAST = (
    Cast(
        "Nova",
        "Builder",
        "🚀",
        "# Nova\n\nYou build small things well. You finish what you begin, and show it.\n",
    ),
    Cast("Juno", "Writer", "🖋", "# Juno\n\nYou write plainly and shortly. Every sentence earns its place.\n"),
    Cast(
        "Iris",
        "Analyst",
        "🔎",
        "# Iris\n\nYou measure before you judge. When something is unclear, you ask.\n",
    ),
)


@dataclass(frozen=True)
class Plan:
    """How a line becomes a plan.

    ``answers``: the option and the words with which each question is answered, in their order. ``given``: how many of
    them are given while somebody watches; the rest, and the approval, are left to the person at the keyboard. None:
    nothing is left. ``auto``: no questions, but assumptions. ``second_look``: the key of the sub-task to which a
    criterion is added before the plan is approved, one for which the reviewer sends the first round back.
    """

    answers: tuple[tuple[str, str], ...] = ()
    given: int | None = None
    auto: bool = False
    second_look: str = ""


@dataclass(frozen=True)
class Scene:
    """A task and how far it goes by itself.

    ``way``: inbox, assigned, cancelled, run; planned, with a ``plan``; or part, a sub-task of a plan.
    ``verdicts``: the reasons it is rejected with, one after the other, and "" for an approval; when there is no verdict
    left it stays in Review, for the person at the keyboard, or for the reviewer where the mission has one.
    ``held``: it stops with a question, so nobody waits for its end.
    """

    title: str
    agent: str = ""
    way: str = "run"
    spec: str = ""
    description: str = ""
    priority: str = "normal"
    verdicts: tuple[str, ...] = ()
    held: bool = False
    plan: Plan | None = None
    mission: str = str(MISSION["slug"])

    @property
    def goes_on(self) -> bool:
        """Whether it is to end in Done."""
        return self.way in ("run", "planned", "part") and not self.held


REAL_GATEWAY = """\
Everything here is a demo: the gateway is a small one of our own, the agents follow a script, there is no AI in them, \
and nothing of it remains when you quit.

Take part: ! shows what needs you, and enter answers it: a question of the planner, a plan to approve, reviews. \
n captures a task, P plans it, A approves the plan, and what it asks for is made and done. \
In Website relaunch each step is asked for: a assigns a task, d dispatches it, its review is yours (A or R). \
In Open day plans start by themselves when they are approved, and an agent reviews. m goes from one to the other, \
and every agent answers in its chat (c).

For the real thing: install OpenClaw, start its gateway (openclaw gateway run), then run ccp. \
CCP_GATEWAY_URL and CCP_GATEWAY_TOKEN name another gateway.
"""

SCENES = (
    Scene(
        "Landing page that greets people",
        "nova",
        priority="high",
        verdicts=("",),
        spec="""\
title: Landing page that greets people
summary: The first thing that visitors see. It says hello and what we do, and is done in a second.
deliverables:
  - path: site/index.html
    description: the page
  - path: site/style.css
    description: its looks
success_criteria:
  - It greets the visitor and says in one line what we do
  - It needs no script
checks:
  - name: greets
    command: grep -q "Hello, World" site/index.html
    timeout_s: 10
  - name: has a title
    command: grep -q "<title>" site/index.html
    timeout_s: 10
""",
    ),
    Scene(
        "Write the launch announcement",
        "juno",
        priority="high",
        verdicts=("Too dry: say in the first line what people get out of it.", ""),
        spec="""\
title: Write the launch announcement
summary: Half a page for the newsletter and the front page.
deliverables:
  - path: texts/announcement.md
    description: the announcement
success_criteria:
  - The first line says what is new
  - No jargon
checks:
  - name: there is a heading
    command: grep -q "^# " texts/announcement.md
    timeout_s: 10
""",
    ),
    Scene(
        "Measure how fast the pages load",
        "iris",
        spec="""\
title: Measure how fast the pages load
summary: Figures before we change anything, so that we know what we gained.
deliverables:
  - path: speed/figures.json
    description: the figures
  - path: speed/report.md
    description: what they mean
success_criteria:
  - Each figure says how it was measured
checks:
  - name: the figures can be read
    command: python3 -m json.tool speed/figures.json
    timeout_s: 20
  - name: the figures hold still
    command: sleep 4 && test -s speed/report.md
    timeout_s: 20
""",
    ),
    Scene(
        "Answer the questions people ask most",
        "juno",
        spec="""\
title: Answer the questions people ask most
summary: The page that saves us letters.
deliverables:
  - path: texts/faq.md
    description: questions and answers
success_criteria:
  - Every answer fits on a phone's screen
  - It says where to ask what is not there
checks:
  - name: long enough (8 lines)
    command: test "$(wc -l < texts/faq.md)" -ge 8 || { echo "it has only $(wc -l < texts/faq.md) lines"; exit 1; }
    timeout_s: 10
""",
    ),
    Scene(
        "Contact form that keeps spam out",
        "nova",
        spec="""\
title: Contact form that keeps spam out
summary: People reach us, machines do not.
deliverables:
  - path: form/form.html
    description: the form
  - path: form/check.py
    description: what judges a message
success_criteria:
  - It works without a picture puzzle
checks:
  - name: it compiles
    command: python3 -m py_compile form/check.py
    timeout_s: 20
  - name: it runs
    command: python3 form/check.py
    timeout_s: 20
""",
    ),
    Scene(
        "Choose the picture for the front page",
        "iris",
        held=True,
        spec="""\
title: Choose the picture for the front page
summary: One picture, in two sizes.
deliverables:
  - path: pictures/choice.md
    description: which one, and why
success_criteria:
  - The choice is explained
constraints:
  - '!say I looked at the pictures. Two of them would do; I had better ask.'
  - '!exec {report} progress "Looked at twelve pictures, two are left"'
  - '!exec {report} block "Which one: the harbour in the morning, or the people at the table?"'
""",
    ),
    Scene(
        "Price table for three plans",
        "nova",
        verdicts=("",),
        spec="""\
title: Price table for three plans
summary: What it costs, without small print.
deliverables:
  - path: prices/plans.csv
    description: the plans
  - path: prices/table.html
    description: the table
success_criteria:
  - A visitor can tell the three plans apart
checks:
  - name: both are there
    command: test -s prices/plans.csv && test -s prices/table.html
    timeout_s: 10
""",
    ),
    Scene(
        "Move the old articles",
        "iris",
        way="assigned",
        priority="low",
        spec="""\
title: Move the old articles
summary: Forty articles keep their addresses.
deliverables:
  - path: articles/moved.csv
    description: old address, new address
success_criteria:
  - No address is lost
""",
    ),
    Scene(
        "Imprint and privacy page",
        way="inbox",
        priority="high",
        description="Its spec is written; read it and approve it.",
        spec="""\
title: Imprint and privacy page
summary: What the law wants to read, in words that people can read too.
deliverables:
  - path: legal/imprint.md
success_criteria:
  - It names who is responsible
""",
    ),
    Scene("Rename the newsletter", way="inbox", description="Three ideas, one winner."),
    Scene("Search of the site", way="inbox", description="P plans it: the planner asks what it must know."),
    Scene("Animated banner", way="cancelled", priority="low"),
    Scene("This is a demo: read me", way="inbox", priority="urgent", description=REAL_GATEWAY),
)


def _more(title: str, agent: str, path: str, summary: str) -> Scene:
    spec = (
        f"title: {title}\nsummary: {summary}\ndeliverables:\n  - path: {path}\n"
        "success_criteria:\n  - It is done and it is short\n"
        f"checks:\n  - name: it is there\n    command: test -s {path}\n"
    )
    return Scene(title, agent, spec=spec, verdicts=("",))


# What is captured one by one later on, so that the board goes on moving for some minutes.
LATER = (
    _more("A page for what is not found", "nova", "site/404.html", "A kind word and a way home."),
    _more("Words for the buttons", "juno", "texts/buttons.yaml", "A button says what it does."),
    _more("Which pages nobody reads", "iris", "speed/unread.csv", "A list, the least read first."),
    _more("Icons in one style", "nova", "site/icons.svg", "Six icons, one pen."),
    _more("Letter to the old customers", "juno", "texts/letter.md", "They hear it first."),
    _more("Map of the site", "iris", "site/map.xml", "For machines that look for us."),
)
