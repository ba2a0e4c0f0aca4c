import json
from contextlib import closing

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from api.main import app
from api.records import Filters, Records
from api.records.register import BadRow, read_register
from grading.values import Outcome, RuleSource

HEAD = "panel_id,measured_at,verdict,maker,rated_p_mp,p_mp,i_sc,v_oc,i_mp,v_mp,grade\n"
GOOD = "ZK1,2024-05-01T10:00:00+02:00,pass,Yingli,250,236,8.9,37.6,8.0,29.5,B\n"
LESS = "ZK2,2024-05-02,reject,Yingli,250,120,,,,,\n"
SOURCE = RuleSource(name="old.csv", version="register", sha256="0" * 64)


def run(file, *arguments, data):
    command = ["import", str(file), "--data", str(data), "--json", *arguments]
    done = CliRunner().invoke(app, command)
    return done.exit_code, json.loads(done.stdout)


def stored(data):
    with closing(Records(f"sqlite:///{data / 'records.sqlite'}")) as records:
        rows = records.page(Filters()).items
        return {row.panel_id: records.inspection(row.inspection_id) for row in rows}


@pytest.fixture
def register(tmp_path):
    def write(text, name="old.csv"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_a_dry_run_stores_nothing(register, tmp_path):
    code, told = run(register(HEAD + GOOD + LESS), data=tmp_path)
    assert (code, told["good"], told["bad"], told["applied"]) == (0, 2, [], False)
    assert not (tmp_path / "records.sqlite").exists()


def test_what_is_imported_says_so_and_comes_once(register, tmp_path):
    file = register(HEAD + GOOD + LESS)
    for _ in range(2):
        assert run(file, "--apply", data=tmp_path)[0] == 0
    found = stored(tmp_path)
    assert set(found) == {"ZK1", "ZK2"}
    whole, less = found["ZK1"].report, found["ZK2"].report
    assert whole.verdict is Outcome.PASS
    assert whole.measured_at == "2024-05-01T08:00:00+00:00"
    assert whole.iv.stc.p_mp == 236
    assert whole.iv.stc.fill_factor == pytest.approx(236 / (8.9 * 37.6))
    assert whole.reasons == less.reasons == ("imported",)
    assert whole.evidence == ()
    assert less.iv is None
    assert less.findings[0].value == 120


@pytest.mark.parametrize(
    ("row", "says"),
    [
        (",2024-05-01,pass,,,,,,,,\n", "panel_id"),
        ("ZK3,yesterday,pass,,,,,,,,\n", "'yesterday'"),
        ("ZK3,2024-05-01,fine,,,,,,,,\n", "'fine'"),
        ("ZK3,2024-05-01,pass,,-250,,,,,,\n", "'-250'"),
        ("ZK3,2024-05-01,pass,,,300,8.9,37.6,8.0,29.5,\n", "not i_mp times v_mp"),
        (GOOD, "line 2"),
    ],
)
def test_each_bad_row_is_told_and_the_others_go_in(register, tmp_path, row, says):
    code, told = run(register(HEAD + GOOD + row), "--apply", data=tmp_path)
    assert (code, told["good"]) == (3, 1)
    ((line, reasons),) = [(bad["line"], bad["reasons"]) for bad in told["bad"]]
    assert line == 3
    assert says in " ".join(reasons)
    assert set(stored(tmp_path)) == {"ZK1"}


def test_a_spreadsheet_of_a_dutch_office(tmp_path, register):
    book = openpyxl.Workbook()
    book.active.append(["panel_id", "measured_at", "verdict", "p_mp"])
    book.active.append(["ZK9", "2023-01-02", "hold", 201.5])
    book.save(tmp_path / "old.xlsx")
    assert run(tmp_path / "old.xlsx", "--apply", data=tmp_path)[0] == 0
    comma = "panel_id;measured_at;verdict;p_mp\nZK8;2023-01-03;retest;198,25\n"
    assert run(register(comma), "--apply", data=tmp_path)[0] == 0
    powers = {name: record.report.findings[0].value for name, record in stored(tmp_path).items()}
    assert powers == {"ZK9": 201.5, "ZK8": 198.25}


def test_what_was_exported_can_be_imported(register, tmp_path):
    run(register(HEAD + GOOD + LESS), "--apply", data=tmp_path)
    out = tmp_path / "out.csv"
    CliRunner().invoke(app, ["export", str(out), "--data", str(tmp_path)])
    other = tmp_path / "other"
    other.mkdir()
    assert run(out, "--apply", data=other)[0] == 0
    names = [{r.report.inspection_id for r in stored(d).values()} for d in (tmp_path, other)]
    assert names[0] == names[1]


@pytest.mark.parametrize("name", ["absent.csv", "not.xlsx", "binary.csv"])
def test_what_is_no_register_is_a_bad_call(tmp_path, name):
    if not name.startswith("absent"):
        (tmp_path / name).write_bytes(b"\xff\xfe\x00nothing")
    done = CliRunner().invoke(app, ["import", str(tmp_path / name), "--data", str(tmp_path)])
    assert done.exit_code == 2
    assert "cannot be read" in " ".join(done.stderr.split())


@given(st.dictionaries(st.sampled_from(HEAD.strip().split(",")), st.text(max_size=12)))
def test_any_row_is_a_report_or_told(columns):
    (found,) = read_register([(2, columns)], SOURCE)
    assert isinstance(found, BadRow) == (not getattr(found, "inspection_id", None))
    if isinstance(found, BadRow):
        assert found.reasons
