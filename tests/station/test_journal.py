import os
import signal
import subprocess
import sys

import pytest

from station.journal import Journal

WRITER = """
import sys
from pathlib import Path
from station.journal import Journal
journal = Journal(Path(sys.argv[1]))
for n in range(100000):
    journal.save_visit(f"i{n}", {"n": n})
    journal.post(f"i{n}", {"n": n}, defective=False)
    print(n, flush=True)
"""


@pytest.fixture
def journal(tmp_path):
    opened = Journal(tmp_path / "journal.sqlite")
    yield opened
    opened.close()


def test_open_visits_survive_in_order(journal, tmp_path):
    for name in ("b", "a", "c"):
        journal.save_visit(name, {"name": name})
    journal.save_visit("b", {"name": "b", "later": True})
    journal.close_visit("a")
    again = Journal(tmp_path / "journal.sqlite")
    assert again.open_visits() == [{"name": "b", "later": True}, {"name": "c"}]
    assert again.knows("a")
    assert not again.knows("d")
    again.close()


def test_a_record_is_posted_once_however_often_it_is_tried(journal):
    journal.save_visit("a", {})
    journal.post("a", {"first": True}, defective=True)
    journal.post("a", {"first": False}, defective=True)
    (entry,) = journal.pending()
    assert entry.record == {"first": True}
    assert journal.counters() == {"processed": 1, "defective": 1}
    journal.acknowledge("a")
    journal.post("a", {"first": False}, defective=True)
    assert journal.pending() == []
    assert journal.counters()["processed"] == 1


def test_a_refused_record_is_kept_and_counted_but_not_tried_again(journal):
    journal.save_visit("a", {})
    journal.post("a", {}, defective=False)
    journal.quarantine("a", "unknown rule file")
    assert journal.pending() == []
    assert journal.outbox_depth() == 1
    assert not journal.is_pending("a")


@pytest.mark.parametrize("stop_after", [3, 17, 40])
def test_killed_at_any_moment_no_visit_is_without_its_record(tmp_path, stop_after):
    """What the process said was posted is there, and nothing is there twice."""
    path = tmp_path / "journal.sqlite"
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    said = [int(process.stdout.readline()) for _ in range(stop_after)]
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    journal = Journal(path)
    depth = journal.outbox_depth()
    posted = {entry.inspection_id for entry in journal.pending()}
    assert {f"i{n}" for n in said} <= posted
    assert depth == len(posted) == journal.counters()["processed"]
    journal.close()
