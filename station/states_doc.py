"""The page docs/states.md, made from the transition table that the line obeys."""

from __future__ import annotations

from station.packml import DONE, TRANSITIONS
from station.ports import LineCommand, LineState
from station.washing import WASHER_STEPS

HEAD = """# States of the line

States and commands after PackML (ISA-TR88.00.02). This page is made from the one table that the
line obeys (`station/packml.py`) and from what the washer is told (`station/washing.py`): do not
edit it. `python -m station.states_doc > docs/states.md` writes it; a test compares.
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
        ]
    )


if __name__ == "__main__":
    print(page(), end="")
