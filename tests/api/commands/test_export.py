import csv
import io
import json
from contextlib import closing

import pytest
from typer.testing import CliRunner

from api.main import app
from api.records import Records
from evidence.reports import report_from_json, report_to_json
from grading.values import Outcome

ROWS = 1203  # more than two pages


@pytest.fixture
def data(tmp_path, report):
    with closing(Records(f"sqlite:///{tmp_path / 'records.sqlite'}")) as records:
        for number in range(ROWS):
            outcome = Outcome.PASS if number % 3 else Outcome.REJECT
            records.record(report(inspection_id=f"i-{number:04d}", verdict=outcome), ())
    return tmp_path


def export(data, *arguments):
    return CliRunner().invoke(app, ["export", *map(str, arguments), "--data", str(data)])


def test_every_inspection_is_a_line_of_the_table(data):
    table = list(csv.DictReader(io.StringIO(export(data).stdout)))
    assert sorted(row["inspection_id"] for row in table) == [f"i-{n:04d}" for n in range(ROWS)]
    assert table[0]["maker"] == "Solarwatt"
    assert {row["verdict"] for row in table} == {"pass", "reject"}


def test_filters_narrow(data):
    table = list(csv.DictReader(io.StringIO(export(data, "--verdict", "reject").stdout)))
    assert len(table) == ROWS // 3
    assert {row["verdict"] for row in table} == {"reject"}
    assert export(data, "--since", "2026-11-24").stdout.count("\n") == 1


def test_whole_records_hold_the_report_as_it_was_recorded(data, tmp_path, report):
    out = tmp_path / "all.jsonl"
    done = export(data, out, "--verdict", "reject", "--json")
    assert json.loads(done.stdout) == {"file": str(out), "rows": ROWS // 3}
    first = json.loads(out.read_text().splitlines()[0])
    given = report(inspection_id=first["report"]["inspection_id"], verdict=Outcome.REJECT)
    assert report_from_json({"schema": 1, **first["report"]}) == given
    assert report_to_json(given)["panel"] == first["report"]["panel"]


def test_what_cannot_be_done_leaves_no_file(data, tmp_path):
    out = tmp_path / "all.csv"
    refused = export(data, out, "--since", "yesterday")
    assert refused.exit_code == 2
    assert "yesterday" in refused.stderr
    assert not out.exists()
    assert list(tmp_path.glob(".*draft")) == []


def test_an_empty_history_is_a_table_without_lines(tmp_path):
    assert export(tmp_path).stdout.startswith("inspection_id,")
    assert export(tmp_path).stdout.count("\n") == 1
