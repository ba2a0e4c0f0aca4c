"""The documentation of a register map, made from the map itself.

``python -m drivers.register_docs docs/devices.md`` writes it between its two marks; a test
checks that it was done.
"""

from __future__ import annotations

import sys
from pathlib import Path

from drivers.registers import Register, RegisterMap, load_map

BEGIN, END = "<!-- register map: begin -->", "<!-- register map: end -->"
COLUMNS = (
    "address",
    "4xxxx",
    "name",
    "type",
    "scale",
    "unit",
    "range",
    "access",
    "period",
    "after a restart",
    "meaning",
)


def markdown(registers: RegisterMap) -> str:
    """Return a map as Markdown: its blocks, and a table with a row per register."""
    order = "first" if registers.word_order == "big" else "last"
    lines = [
        f"Map version {registers.map_version}, device {registers.device_id}. All are holding "
        "registers of 16 bits, high byte first; of values that span two, the high word comes "
        f"{order}. Heartbeats change every {registers.heartbeat.period:g} s and count as lost "
        f"after {registers.heartbeat.timeout:g} s.",
        "",
        *(_block_line(registers, name) for name in registers.blocks),
        "",
        _row(COLUMNS),
        _row(("---",) * len(COLUMNS)),
        *(_row(_cells(register)) for register in registers.registers),
    ]
    return "\n".join(lines)


def update(text: str, registers: RegisterMap) -> str:
    """Return a document with the map between its marks; raises ValueError without marks."""
    before, _, rest = text.partition(BEGIN)
    _, mark, after = rest.partition(END)
    if not mark:
        raise ValueError(f"the document has no {BEGIN} … {END}")
    return f"{before}{BEGIN}\n{markdown(registers)}\n{END}{after}"


def _block_line(registers: RegisterMap, name: str) -> str:
    block = registers.block(name)
    last = block.address + block.count - 1
    return f"- **{name}**, {block.address} to {last}: {block.text}"


def _cells(register: Register) -> tuple[str, ...]:
    kind = register.type.value
    return (
        str(register.address),
        str(40001 + register.address),
        f"`{register.name}`",
        kind if register.length is None else f"{kind}, {register.length} registers",
        f"{register.scale:g}" if register.scale != 1 else "",
        register.unit or "",
        _range(register),
        "read" if register.access == "read" else "read, write",
        "" if register.period is None else f"{register.period:g} s",
        register.restart,
        _meaning(register),
    )


def _range(register: Register) -> str:
    if register.low is None or register.high is None:
        return ""
    if register.low == register.high:
        return f"{register.low:g}"
    return f"{register.low:g} … {register.high:g}"


def _meaning(register: Register) -> str:
    bits = ", ".join(f"{bit} {name}" for bit, name in enumerate(register.bits))
    return register.text + (f". Bits: {bits}" if bits else "")


def _row(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(cells)} |"


def main(path: Path) -> None:
    """Write the washer's map into the document at ``path``."""
    path.write_text(update(path.read_text("utf-8"), load_map("washer")), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
