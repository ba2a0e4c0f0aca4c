"""The page docs/states.md, made from the transition table that the line obeys."""

from __future__ import annotations

from station import alarms
from station.packml import DONE, TRANSITIONS
from station.ports import LineCommand, LineState
from station.washing import WASHER_STEPS

HEAD = """# States of the line

States and commands after PackML (ISA-TR88.00.02). This page is made from the one table that the
line obeys (`station/packml.py`), from what the washer is told (`station/washing.py`) and from the
alarms (`station/alarms.py`): do not edit it. `python -m station.states_doc > docs/states.md`
writes it; a test compares.
"""


def _name(state: LineState) -> str:
    return f"`{state.value}`"


def _commands() -> list[str]:
    lines = ["| state | " + " | ".join(LineCommand) + " | by itself |"]
    lines.append("|---" * (len(LineCommand) + 2) + "|")
    for state in LineState:
        cells = [TRANSITIONS.get((state, command)) for command in LineCommand]
        cells.append(DONE.get(state))
        shown = " | ".join("" if cell is None else _name(cell) for cell in cells)
        lines.append(f"| {_name(state)} | {shown} |")
    return lines


def _washer() -> list[str]:
    lines = ["| command to the line | the washer, by the state that it is in |", "|---|---|"]
    for command in LineCommand:
        steps = (
            f"{state.name.lower()}: {step.name.lower()}"
            for state, step in WASHER_STEPS[command].items()
        )
        lines.append(f"| {command} | {', '.join(steps)} |")
    return lines


def _diagram() -> list[str]:
    lines = ["```mermaid", "stateDiagram-v2"]
    lines += [
        f"  {state} --> {target}: {command}"
        for (state, command), target in TRANSITIONS.items()
        if command not in (LineCommand.ABORT, LineCommand.STOP)
    ]
    lines += [f"  {state} --> {target}" for state, target in DONE.items()]
    return [*lines, "```"]


def _alarms() -> list[str]:
    lines = ["| alarm | " + " | ".join(alarms.AlarmEvent) + " |"]
    lines.append("|---" * (len(alarms.AlarmEvent) + 1) + "|")
    for state in alarms.AlarmState:
        cells = [alarms.TRANSITIONS.get((state, event)) for event in alarms.AlarmEvent]
        shown = " | ".join("" if cell is None else f"`{cell}`" for cell in cells)
        lines.append(f"| `{state}` | {shown} |")
    return lines


def _kinds() -> list[str]:
    lines = ["| alarm | priority | guards people |", "|---|---|---|"]
    for code, kind in alarms.KINDS.items():
        lines.append(f"| `{code}` | {kind.priority} | {'yes' if kind.safety else ''} |")
    return lines


def page() -> str:
    """Return the page, in Markdown."""
    return "\n".join(
        [
            HEAD,
            "An empty cell: the command is refused, and the screen does not offer it.",
            "",
            *_commands(),
            "",
            "## What the washer is told",
            "",
            "One command after the other, until its state asks for none.",
            "",
            *_washer(),
            "",
            "## As a picture",
            "",
            "Without *stop* and *abort*, which nearly every state takes (see the table).",
            "",
            *_diagram(),
            "",
            "## Alarms",
            "",
            "After ISA-18.2 (IEC 62682); the table is `station/alarms.py`. An alarm that guards",
            "people is never shelved. The shelf ends by time (480 minutes at most) or a restart.",
            "",
            *_alarms(),
            "",
            *_kinds(),
            "",
        ]
    )


if __name__ == "__main__":
    print(page(), end="")
