import json
import sqlite3
import threading
from contextlib import closing

import pytest
from typer.testing import CliRunner

from api.database import open_database
from api.main import app
from api.records import Filters, Records
from api.records.transfer import digests
from evidence.store import MANIFEST, seal
from grading.values import Outcome
from station.ports import VisitEvent

HISTORY = (VisitEvent(phase="intake", at="2026-11-23T10:14:00.000+00:00"),)


def zonkeur(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def fill(database, report, panels=5):
    """Some panels, one of them overruled."""
    with closing(Records(database)) as records:
        for number in range(panels):
            records.record(report(inspection_id=f"i-{number}"), HISTORY)
        records.override(
            "i-0",
            outcome=Outcome.HOLD,
            grade=None,
            destination="hold",
            by="Ann",
            reason="Frame",
            version=1,
        )


def all_digests(database):
    engine = open_database(database)
    try:
        return digests(engine)
    finally:
        engine.dispose()


@pytest.fixture
def evidence(tmp_path):
    folder = tmp_path / "var" / "evidence"
    for number in range(3):
        seal(folder / f"i-{number}", {"iv.csv": b"voltage,current\n%d,0" % number})
    return folder


@pytest.fixture
def fresh_database(request, database_url, tmp_path):
    """An empty database of the kind that ``database_url`` is not."""
    if not database_url.startswith("sqlite"):
        return f"sqlite:///{tmp_path / 'fresh.sqlite'}"
    server = request.getfixturevalue("postgres_server")
    name = f"f{abs(hash(request.node.nodeid)):x}"
    server.psql(f'CREATE DATABASE "{name}";')
    return server.get_uri(database=name)


@pytest.fixture
def site(tmp_path, database_url, report, evidence):
    """Records of either kind, and evidence; ``--data`` and ``--database`` name them."""
    fill(database_url, report)
    return ("--data", tmp_path / "var", "--database", database_url)


def test_a_backup_restores_every_row_and_file_whatever_the_database(
    site, database_url, fresh_database, tmp_path, evidence
):
    assert zonkeur("backup", tmp_path / "backup", *site).exit_code == 0
    done = zonkeur(
        "restore",
        tmp_path / "backup",
        *("--data", tmp_path / "new", "--database", fresh_database, "--json"),
    )
    assert done.exit_code == 0, done.stderr
    assert json.loads(done.stdout)["rows"]["inspection"] == 5
    assert all_digests(fresh_database) == all_digests(database_url)
    with closing(Records(fresh_database)) as records:
        assert records.inspection("i-0").current.by == "Ann"
    for path in evidence.rglob("*.*"):
        copy = tmp_path / "new" / "evidence" / path.relative_to(evidence)
        assert copy.read_bytes() == path.read_bytes()


def test_a_restored_database_goes_on(site, database_url, tmp_path, report, fresh_database):
    zonkeur("backup", tmp_path / "backup", *site)
    restored = zonkeur(
        "restore", tmp_path / "backup", "--data", tmp_path / "new", "--database", fresh_database
    )
    assert restored.exit_code == 0, restored.stderr
    with closing(Records(fresh_database)) as records:
        records.record(report(inspection_id="i-9"), HISTORY)
        records.override(
            "i-1",
            outcome=Outcome.REJECT,
            grade=None,
            destination="recycler",
            by="Bo",
            reason="Glass",
            version=1,
        )
        assert len(records.page(Filters()).items) == 6


def test_only_new_evidence_is_copied_the_second_time(site, tmp_path, evidence):
    zonkeur("backup", tmp_path / "backup", *site)
    seal(evidence / "i-9", {"iv.csv": b"voltage,current\n"})
    again = zonkeur("backup", tmp_path / "backup", *site, "--json")
    assert [entry["file"] for entry in json.loads(again.stdout)["evidence"]] == ["i-9"]


def test_damaged_evidence_is_named_and_the_rest_is_copied(site, tmp_path, evidence):
    (evidence / "i-1" / "iv.csv").write_text("voltage,current\n9,9\n")
    done = zonkeur("backup", tmp_path / "backup", *site, "--json")
    assert done.exit_code == 3
    errors = [entry for entry in json.loads(done.stdout)["evidence"] if "error" in entry]
    assert [entry["file"] for entry in errors] == ["i-1"]
    kept = sorted(path.parent.name for path in (tmp_path / "backup").rglob(MANIFEST))
    assert kept == ["i-0", "i-2"]


def test_a_backup_is_one_moment_while_a_station_writes(site, database_url, tmp_path, report):
    ready, stop = threading.Event(), threading.Event()

    def write():
        with closing(Records(database_url)) as records:
            for number in range(1000, 4000):
                records.record(report(inspection_id=f"i-{number}"), HISTORY)
                ready.set()
                if stop.is_set():
                    return

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert ready.wait(20)
        assert zonkeur("backup", tmp_path / "backup", *site).exit_code == 0
    finally:
        stop.set()
        writer.join()
    with closing(sqlite3.connect(tmp_path / "backup" / "records.sqlite")) as kept:
        ((inspections,),) = kept.execute("SELECT count(*) FROM inspection")
        ((verdicts,),) = kept.execute("SELECT count(*) FROM verdict")
        ((counted,),) = kept.execute("SELECT sum(count) FROM grade_count")
    assert (verdicts, counted) == (inspections + 1, inspections)


def test_nothing_is_restored_over_other_records(site, tmp_path, database_url):
    zonkeur("backup", tmp_path / "backup", *site)
    before = all_digests(database_url)
    refused = zonkeur("restore", tmp_path / "backup", *site)
    assert refused.exit_code == 2
    assert "empty database" in refused.stderr.replace("\n", " ")
    assert all_digests(database_url) == before


def test_a_backup_that_was_changed_is_refused(site, tmp_path):
    zonkeur("backup", tmp_path / "backup", *site)
    with closing(sqlite3.connect(tmp_path / "backup" / "records.sqlite")) as kept:
        kept.execute("UPDATE inspection SET grade = 'A'")
        kept.commit()
    refused = zonkeur("restore", tmp_path / "backup", "--data", tmp_path / "new")
    assert refused.exit_code == 2
    assert "not what was backed up" in refused.stderr.replace("\n", " ")


def test_what_is_no_backup_is_refused(tmp_path):
    refused = zonkeur("restore", tmp_path, "--data", tmp_path / "new")
    assert refused.exit_code == 2
    assert not (tmp_path / "new" / "records.sqlite").exists()
