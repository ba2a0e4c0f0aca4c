import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import event, insert, text

import api.database
from api.database import open_database
from api.orm import Base, Inspection, Panel, Reason
from api.records import Filters, Records
from evidence.reports import report_to_json
from grading.values import Outcome

ROWS = 20_000


@pytest.fixture
def engine(database_url):
    engine = open_database(database_url)
    yield engine
    engine.dispose()


def test_the_migrations_lead_to_the_tables_that_the_code_expects(engine):
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []


def test_opening_twice_changes_nothing(database_url, report):
    with closing(Records(database_url)) as records:
        records.record(report(), ())
    with closing(Records(database_url)) as records:
        assert records.latest() == report().inspection_id


def test_services_that_start_at_once_find_one_schema(database_url):
    with ThreadPoolExecutor(3) as pool:
        stores = list(pool.map(Records, [database_url] * 3))
    assert [store.counts() for store in stores] == [()] * 3
    for store in stores:
        store.close()


def test_records_of_the_first_schema_are_kept(database_url, report, monkeypatch):
    fill_first_schema(database_url, report(), monkeypatch)
    with closing(Records(database_url)) as records:
        record = records.inspection(report().inspection_id)
        assert record.report == report()
        assert [(v.source, v.current) for v in record.verdicts] == [
            ("graded", False),
            ("override", True),
        ]
        assert [(c.verdict, c.maker, c.count) for c in records.counts()] == [
            (Outcome.HOLD, "Solarwatt", 1)
        ]
        assert len(records.page(Filters(reason="power_ok")).items) == 1
        assert records.trail_faults()[0] == []


def fill_first_schema(url, report, monkeypatch):
    """Make a database as the first schema had it, with an inspection that was overridden."""

    def first_only(config: Config, _: str) -> None:
        upgrade(config, "0001")

    upgrade = command.upgrade
    monkeypatch.setattr(api.database.command, "upgrade", first_only)
    old = open_database(url)
    monkeypatch.undo()
    values = {
        "id": report.inspection_id,
        "panel": report.panel.panel_id,
        "at": report.measured_at,
        "maker": report.panel.nameplate.maker,
        "report": json.dumps(report_to_json(report)),
    }
    with old.begin() as connection:
        for statement in FIRST_ROWS:
            connection.execute(text(statement), values)
    old.dispose()


FIRST_ROWS = (
    "INSERT INTO panel (panel_id) VALUES (:panel)",
    "INSERT INTO inspection (inspection_id, panel_id, measured_at, recorded_at, maker, verdict,"
    " destination, rules, software, version)"
    " VALUES (:id, :panel, :at, :at, :maker, 'hold', 'hold', 'second_life 1.0', '0.1.0', 2)",
    "INSERT INTO grade_count (verdict, grade, count) VALUES ('hold', '', 1)",
    "INSERT INTO verdict (inspection_id, outcome, grade, destination, source, created_at, schema,"
    " report) VALUES (:id, 'pass', 'B', 'stock', 'graded', :at, 1, :report)",
    "INSERT INTO verdict (inspection_id, outcome, destination, source, created_at)"
    " VALUES (:id, 'hold', 'hold', 'override', :at)",
)


def test_sqlite_survives_a_power_cut(tmp_path):
    engine = open_database(f"sqlite:///{tmp_path / 'records.sqlite'}")
    with engine.connect() as connection:
        pragmas = {
            name: connection.execute(text(f"PRAGMA {name}")).scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    engine.dispose()
    assert pragmas == {
        "journal_mode": "wal",
        "synchronous": 2,  # FULL
        "foreign_keys": 1,
        "busy_timeout": 10_000,
    }


# --- many rows -----------------------------------------------------------------------------------


def seed(url):
    engine = open_database(url)
    rows = [
        {
            "inspection_id": f"i{number:06}",
            "panel_id": f"ZK{number % 5000:06}",
            "measured_at": f"2026-01-{1 + number % 28:02}T10:00:00.000+00:00",
            "recorded_at": "2026-02-01T00:00:00.000+00:00",
            "maker": f"maker {number % 7}",
            "model": f"model {number % 50}",
            "lot": f"lot {number % 200}",
            "verdict": ("pass", "reject", "hold", "retest")[number % 4],
            "grade": ("A", None, None, None)[number % 4],
            "destination": "stock",
            "rules": "r 1",
            "software": "0.1.0",
            "version": 1,
        }
        for number in range(ROWS)
    ]
    reasons = [
        {
            "code": f"reason_{n % 3}",
            "measured_at": r["measured_at"],
            "inspection_id": r["inspection_id"],
        }
        for n, r in enumerate(rows)
    ]
    with engine.begin() as connection:
        connection.execute(insert(Panel), [{"panel_id": f"ZK{n:06}"} for n in range(5000)])
        connection.execute(insert(Inspection), rows)
        connection.execute(insert(Reason), reasons)
    with engine.begin() as connection:
        connection.execute(text("ANALYZE"))
    engine.dispose()


@pytest.fixture(scope="module")
def seeded_sqlite(tmp_path_factory):
    url = f"sqlite:///{tmp_path_factory.mktemp('seeded') / 'records.sqlite'}"
    seed(url)
    with closing(Records(url)) as records:
        yield records


@pytest.fixture(scope="module")
def seeded_postgres(postgres_server):
    postgres_server.psql('CREATE DATABASE "seeded";')
    url = postgres_server.get_uri(database="seeded")
    seed(url)
    with closing(Records(url)) as records:
        yield records


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def seeded(request):
    return request.getfixturevalue(f"seeded_{request.param}")


def plan(records, act):
    """Return the databases's plan of every query that ``act`` makes."""
    engine = records._engine
    asked = []

    def keep(_connection, _cursor, statement, parameters, *_):
        asked.append((statement, parameters))

    event.listen(engine, "before_cursor_execute", keep)
    act()
    event.remove(engine, "before_cursor_execute", keep)
    explain = "EXPLAIN QUERY PLAN " if engine.dialect.name == "sqlite" else "EXPLAIN "
    with engine.connect() as connection:
        lines = [
            row[-1]
            for statement, parameters in asked
            if statement.startswith("SELECT")
            for row in connection.exec_driver_sql(explain + statement, parameters)
        ]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("filters", "index"),
    [
        (Filters(), "inspection_by_time"),
        (Filters(verdict=Outcome.RETEST), "inspection_by_verdict"),
        (Filters(lot="lot 3"), "inspection_by_lot"),
        (Filters(model="model 3"), "inspection_by_model"),
        (Filters(panel="ZK000003"), "inspection_by_panel"),
        (Filters(panel_id="ZK00012"), "inspection_by_panel"),
        (Filters(reason="reason_2"), "reason"),
    ],
    ids=str,
)
def test_a_page_deep_in_the_list_is_found_by_index(seeded, filters, index):
    cursor = seeded.page(filters, limit=20).next_cursor
    found = plan(seeded, lambda: seeded.page(filters, cursor, limit=20))
    assert index in found
    assert "SCAN inspection\n" not in found + "\n"
    assert "Seq Scan on inspection" not in found


def test_the_pages_together_are_the_whole_list_once_in_order(seeded):
    keys, cursor = [], None
    while True:
        page = seeded.page(Filters(verdict=Outcome.HOLD), cursor, limit=500)
        keys += [(row.measured_at, row.inspection_id) for row in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert len(keys) == ROWS // 4
    assert keys == sorted(set(keys), reverse=True)


def test_a_page_stays_where_it_is_when_newer_records_come(tmp_path, report):
    with closing(Records(f"sqlite:///{tmp_path / 'records.sqlite'}")) as records:
        for day in range(1, 5):
            records.record(report(f"i{day}", measured_at=f"2026-11-0{day}"), ())
        first = records.page(Filters(), limit=2)
        records.record(report("i9", measured_at="2026-11-09"), ())
        second = records.page(Filters(), first.next_cursor, limit=2)
    assert [row.inspection_id for row in second.items] == ["i2", "i1"]


def test_counts_are_not_counted_row_by_row(seeded):
    assert "inspection" not in plan(seeded, seeded.counts)


@pytest.mark.parametrize("cursor", ["", "x", "bm90IGpzb24=", "WzEsMl0=", "WyJhIiwiYiJd", "\u00e9"])
def test_a_cursor_that_is_not_ours_is_refused(seeded_sqlite, cursor):
    with pytest.raises(ValueError, match="cursor"):
        seeded_sqlite.page(Filters(), cursor)
