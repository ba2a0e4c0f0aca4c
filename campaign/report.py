"""What a campaign did and found, as a table that people read and a record that adds up."""

from __future__ import annotations

import statistics
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path

from campaign.oracle import Findings

BEGIN, END = "<!-- campaign -->", "<!-- /campaign -->"


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One run. ``recoveries`` [s] from the start of the process to its first answer."""

    seed: int
    panels: int
    seconds: float
    findings: Findings
    verdicts: Counter[str] = field(default_factory=Counter)
    done: Counter[str] = field(default_factory=Counter)
    faults: int = 0
    recoveries: tuple[float, ...] = ()


def table(results: list[Result]) -> str:
    """Return the runs' sum in Markdown."""
    done = sum((result.done for result in results), Counter[str]())
    verdicts = sum((result.verdicts for result in results), Counter[str]())
    times = [seconds for result in results for seconds in result.recoveries]
    kills = sum(done[act] for act in ("kill", "kill_at_work", "exchange_while_down"))
    found = Counter[str]()
    for result in results:
        found.update(asdict(result.findings))
    lines = [
        "| done | times |\n|---|---|",
        f"| panels brought to the line | {sum(r.panels for r in results):,} |",
        f"| `kill -9` of the station | {kills:,} |",
        f"| power cuts (files torn: {done['files_torn']:,}) | {done['power_cut']:,} |",
        f"| damaged, lost, late or broken answers | {sum(r.faults for r in results):,} |",
        *(
            f"| {text} | {done[name]:,} |"
            for name, text in (
                ("door", "door opened at any moment"),
                ("stranger", "another panel put into the cabinet"),
                ("exchanged", "panel exchanged while the station was dead"),
                ("barcode", "wrong, missing or late barcode"),
                ("old_sweep", "sweep of before returned"),
                ("controller_hangs", "washer's controller hung"),
                ("emergency_stop", "emergency stop"),
                ("disk_full", "disk full"),
                ("station_fault", "station started again because it said so"),
                ("rests", "left in peace, since faults came faster than panels"),
                ("watchdog_looked_at", "belt looked at with the station dead beyond the watchdog"),
            )
        ),
        "",
        "| must never be | seen |\n|---|---|",
        *(f"| {name.replace('_', ' ')} | {times:,} |" for name, times in found.items()),
        "",
        "Verdicts: " + ", ".join(f"{name} {count:,}" for name, count in sorted(verdicts.items())),
    ]
    if times:
        lines += [
            "",
            f"Time to recover, from the start of the process to its first answer: median "
            f"{statistics.median(times):.1f} s, worst {max(times):.1f} s. "
            f"Seeds: {', '.join(str(r.seed) for r in results)}. "
            f"{sum(r.seconds for r in results) / 60:.0f} minutes.",
        ]
    return "\n".join(lines)


def write(path: Path, text: str) -> None:
    """Put a table between the marks of a document."""
    document = path.read_text(encoding="utf-8")
    before, rest = document.split(BEGIN)
    _, after = rest.split(END)
    path.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}", encoding="utf-8")
