"""What leaves the house and what changes the judging is in the trail, with who did it."""

from contextlib import closing

import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from api.access import AccessStore, Role
from api.main import app
from api.records import Records
from grading.values import RuleSource

FIRST = RuleSource(name="second_life", version="1.0", sha256="1" * 64)
OTHER = RuleSource(name="second_life", version="1.0", sha256="2" * 64)


@pytest.fixture
def entries(records):
    def read(action):
        with records.engine.connect() as connection:
            query = text('SELECT "by", subject, detail FROM audit WHERE action = :action')
            found = [tuple(row) for row in connection.execute(query, {"action": action})]
        assert records.trail_faults()[0] == []
        return found

    return read


def test_other_rules_are_noted_once_each_time_they_change(records, entries):
    for rules in (FIRST, FIRST, OTHER, OTHER, FIRST):
        records.note_rules(rules)
    assert entries("rules in use") == [
        ("station", "second_life 1.0", rules.sha256) for rules in (FIRST, OTHER, FIRST)
    ]


def test_an_export_at_the_command_line_is_noted(records, report, entries, tmp_path):
    records.record(report(), ())
    out = tmp_path / "all.csv"
    answer = CliRunner().invoke(app, ["export", str(out), "--data", str(tmp_path)])
    assert answer.exit_code == 0
    ((by, _, detail),) = entries("export")
    assert by.endswith("(command line)")
    assert detail == "1 inspections as csv"


def test_a_removed_entry_of_signing_in_is_found(records):
    store = AccessStore(records.engine)
    store.sign_in("Ann", store.create("Ann", Role.OPERATOR, by="test"))
    store.issue_badge("Ann", by="test")
    with closing(Records(str(records.engine.url))) as other, other.engine.begin() as connection:
        connection.execute(text("DELETE FROM audit WHERE action = 'sign in'"))
    faults, _ = records.trail_faults()
    assert len(faults) == 1
    assert "issue badge" in faults[0]
