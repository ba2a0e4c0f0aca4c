import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from api.database import open_database
from api.main import app
from api.records import Records
from grading.values import Outcome


@pytest.fixture
def store(database_url, report):
    """Five verdicts, one of them overruled, and two notes."""
    with closing(Records(database_url)) as records:
        for number in range(5):
            records.record(report(inspection_id=f"i-{number}"), ())
        records.note("Ann", "command", None, "start")
        records.override(
            "i-2",
            outcome=Outcome.HOLD,
            grade=None,
            destination="hold",
            by="Ann",
            reason="Frame bent",
            version=1,
        )
        records.note("Bo", "answer", "q-1", "sound")
        yield records


def tamper(database_url, *statements):
    engine = open_database(database_url)
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()


def test_what_was_written_by_the_service_is_sound(store):
    faults, head = store.trail_faults()
    assert faults == []
    assert len(head) == 64
    store.note("Ann", "command", None, "stop")
    assert store.trail_faults()[1] != head


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        ("UPDATE audit SET detail = 'abort' WHERE action = 'command'", "entry 6"),
        ("UPDATE audit SET \"by\" = 'Zoe' WHERE action = 'answer'", "entry 8"),
        ("DELETE FROM audit WHERE audit_id = 6", "entry 7"),
        ("DELETE FROM audit WHERE audit_id = 1", "entry 2"),
        ("UPDATE verdict SET grade = 'A' WHERE verdict_id = 3", "verdict 3 on i-2 was changed"),
        ("UPDATE verdict SET \"by\" = 'Zoe' WHERE verdict_id = 6", "verdict 6 on i-2 was changed"),
        ("DELETE FROM verdict WHERE verdict_id = 4", "verdict 4 was taken out"),
        (
            "INSERT INTO verdict (inspection_id, outcome, destination, current, source, created_at)"
            " VALUES ('i-4', 'pass', 'stock', FALSE, 'override', 'now')",
            "on i-4 was put in",
        ),
        ("UPDATE inspection SET grade = 'A' WHERE inspection_id = 'i-1'", "inspection i-1"),
        ("UPDATE inspection SET verdict = 'reject' WHERE inspection_id = 'i-0'", "inspection i-0"),
    ],
)
def test_tampering_with_any_row_is_found_and_named(store, database_url, statement, named):
    tamper(database_url, statement)
    faults, _ = store.trail_faults()
    assert any(named in fault for fault in faults), faults


def test_a_changed_report_is_found(store, database_url):
    cast = "report = replace(report{0}, '250.0', '251.0'){1}"
    kind = ("::text", "::json") if database_url.startswith("postgres") else ("", "")
    tamper(database_url, f"UPDATE verdict SET {cast.format(*kind)} WHERE verdict_id = 1")
    assert store.trail_faults()[0] == ["verdict 1 on i-0 was changed after it was given"]


def test_writers_at_once_make_one_chain(database_url, report):
    with closing(Records(database_url)) as records:

        def work(number):
            records.record(report(inspection_id=f"i-{number}"), ())
            records.note("Ann", "command", None, str(number))

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(work, range(40)))
        assert records.trail_faults()[0] == []


def test_verify_tells_and_ends_with_3(store, database_url, tmp_path):
    arguments = ["verify", "--data", str(tmp_path / "var"), "--database", database_url, "--json"]
    sound = CliRunner().invoke(app, arguments)
    assert sound.exit_code == 0
    assert json.loads(sound.stdout)["trail"]["head"] == store.trail_faults()[1]
    tamper(database_url, "UPDATE verdict SET outcome = 'pass' WHERE verdict_id = 6")
    found = CliRunner().invoke(app, arguments)
    assert found.exit_code == 3
    assert "verdict 6 on i-2" in json.loads(found.stdout)["trail"]["faults"][0]
