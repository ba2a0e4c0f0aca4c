import json
import signal
import subprocess
import sys
from dataclasses import replace

import fsspec
import pytest
from typer.testing import CliRunner

from api.commands.grade import load_criteria
from api.main import app
from api.records import Filters
from api.records.regrades import add_regraded, standing_reports
from api.regrade import ledger
from api.regrade.judge import Depth, Fault, judge_again
from api.regrade.ledger import Ledger, change, run_name
from api.regrade.run import Plan, here, judge_all, on_dask
from evidence.reports import report_to_json
from grading.values import Outcome


def regrade(data, *arguments):
    words = ["regrade", "--data", str(data), *map(str, arguments), "--json"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code in (0, 3), result.stderr
    return json.loads(result.stdout), result.exit_code


def override(records, inspection_id, version=1):
    records.override(
        inspection_id,
        outcome=Outcome.HOLD,
        grade=None,
        destination="hold",
        by="Ann",
        reason="Frame bent",
        version=version,
    )


# --- the same again ------------------------------------------------------------------------------


def test_an_old_verdict_is_reproduced_to_the_last_bit(site, criteria):
    data, reports = site
    again = judge_again(reports, str(data / "evidence"), criteria, Depth.ALL)
    assert [report_to_json(r) for r in again] == [report_to_json(r) for r in reports]


@pytest.mark.parametrize("depth", list(Depth))
def test_nothing_changes_under_the_same_rules(site, depth):
    found, code = regrade(site[0], "--depth", depth.value)
    assert (found["judged"], found["changed"], found["faults"], code) == (3, [], [], 0)


@pytest.mark.parametrize("depth", [Depth.CURVES, Depth.RULES])
def test_a_shallower_re_grading_gives_the_same_verdict_as_the_whole(site, stricter, depth):
    data, reports = site
    criteria = load_criteria(None, {"rules.toml": stricter})
    criteria = replace(criteria, cell_model=None)
    whole = judge_again(reports, str(data / "evidence"), criteria, Depth.ALL)
    quick = judge_again(reports, str(data / "evidence"), criteria, depth)
    for one, other in zip(whole, quick, strict=True):
        assert change(one, other, version=1, overridden=False) is None


# --- other rules ---------------------------------------------------------------------------------


def test_what_would_change_is_shown_and_nothing_is_written(site, records, stricter):
    data, reports = site
    found, _ = regrade(data, "--depth", "rules", "--rules", stricter)
    assert {c["inspection_id"] for c in found["changed"]} == {"i-2", "i-3", "i-5"} - {
        r.inspection_id for r in reports if "power_low" in r.reasons
    }
    assert all("power_low" in c["came"] for c in found["changed"])
    assert sum(move["panels"] for move in found["summary"]) == len(found["changed"])
    for report in reports:
        assert len(records.inspection(report.inspection_id).verdicts) == 1


def test_applied_verdicts_stand_beside_the_old(site, records, stricter):
    data, reports = site
    found, _ = regrade(data, "--depth", "rules", "--rules", stricter, "--apply")
    name = found["changed"][0]["inspection_id"]
    (old,) = (report for report in reports if report.inspection_id == name)
    record = records.inspection(name)
    assert [(v.source, v.current) for v in record.verdicts] == [
        ("graded", False),
        ("regrade", True),
    ]
    assert record.current.outcome is not old.verdict or record.report.reasons != old.reasons
    assert name in {item.inspection_id for item in records.page(Filters(reason="power_low")).items}
    assert records.trail_faults()[0] == []
    assert sum(count.count for count in records.counts()) == len(reports)
    again, _ = regrade(data, "--depth", "rules", "--rules", stricter, "--apply")
    assert len(records.inspection(name).verdicts) == 2
    assert again["left_alone"] == []


@pytest.mark.parametrize("overridden", [False, True])
def test_rules_that_come_back_after_others_are_written_again(site, records, stricter, overridden):
    data, _ = site
    words = ("--depth", "rules", "--apply")
    name = regrade(data, "--depth", "rules", "--rules", stricter)[0]["changed"][0]["inspection_id"]
    runs = [regrade(data, *words, "--rules", stricter)[0]["run"], regrade(data, *words)[0]["run"]]
    if overridden:
        version = records.inspection(name).version
        override(records, name, version)
    for _ in range(2):
        regrade(data, *words, "--rules", stricter)
    record = records.inspection(name)
    assert [v.by for v in record.verdicts if v.source == "regrade"] == [*runs, runs[0]]
    assert record.verdicts[-1].outcome is Outcome.REJECT
    assert record.current.source == ("override" if overridden else "regrade")


def test_another_network_is_another_run(criteria, monkeypatch):
    runs = {depth: run_name(criteria, depth, Filters()) for depth in Depth}
    monkeypatch.setattr(ledger, "shipped_net", lambda: b"other weights")
    assert {d: run_name(criteria, d, Filters()) == runs[d] for d in Depth} == {
        Depth.ALL: False,
        Depth.CURVES: True,
        Depth.RULES: True,
    }


def test_a_persons_verdict_stays_and_the_new_one_waits_beside_it(site, records, stricter):
    data, _ = site
    name = regrade(data, "--depth", "rules", "--rules", stricter)[0]["changed"][0]["inspection_id"]
    override(records, name)
    found, _ = regrade(data, "--depth", "rules", "--rules", stricter, "--apply")
    (mine,) = (c for c in found["changed"] if c["inspection_id"] == name)
    assert mine["overridden"]
    record = records.inspection(name)
    assert (record.current.source, record.current.by) == ("override", "Ann")
    assert [v.source for v in record.verdicts] == ["graded", "override", "regrade"]
    assert records.trail_faults()[0] == []


def test_a_verdict_given_meanwhile_is_not_overtaken(site, records):
    _, (report, *_) = site
    override(records, report.inspection_id)
    left = add_regraded(records.engine, "regrade x", [(report, 1)], "2026-12-01T00:00:00+00:00")
    assert left == [report.inspection_id]
    assert len(records.inspection(report.inspection_id).verdicts) == 2


def test_filters_narrow_what_is_judged(site):
    assert regrade(site[0], "--since", "2027-01-01", "--depth", "rules")[0]["judged"] == 0
    refused = CliRunner().invoke(app, ["regrade", "--data", str(site[0]), "--since", "soon"])
    assert refused.exit_code == 2


# --- evidence that is not what it was ------------------------------------------------------------


def test_damaged_evidence_is_told_and_tried_again_once_it_is_restored(site):
    data, _ = site
    path = data / "evidence" / "i-3" / "iv.csv"
    sound = path.read_bytes()
    path.write_bytes(sound.replace(b"1", b"2", 1))
    found, code = regrade(data, "--depth", "curves")
    assert (code, found["judged"]) == (3, 2)
    assert [(f["inspection_id"], f["code"]) for f in found["faults"]] == [("i-3", "changed")]
    path.write_bytes(sound)
    found, code = regrade(data, "--depth", "curves")
    assert (code, found["judged"], found["faults"]) == (0, 3, [])


def test_evidence_that_was_sealed_anew_is_not_the_verdicts(site, criteria):
    data, (report, *_) = site
    other = replace(report, evidence=report.evidence[1:])
    (fault,) = judge_again([other], str(data / "evidence"), criteria, Depth.RULES)
    assert isinstance(fault, Fault)
    assert fault.code == "changed"


def test_evidence_may_lie_in_any_store_that_fsspec_knows(site, criteria):
    data, reports = site
    store = fsspec.filesystem("memory")
    store.put(str(data / "evidence"), "/bucket/evidence", recursive=True)
    again = judge_again(reports, "memory://bucket/evidence", criteria, Depth.CURVES)
    assert [r.verdict for r in again] == [r.verdict for r in reports]
    (fault,) = judge_again(
        [replace(reports[0], inspection_id="gone")], "memory://bucket", criteria, Depth.CURVES
    )
    assert fault.code == "unreachable"


# --- broken off, and on other hosts --------------------------------------------------------------


def test_it_goes_on_where_it_was_killed(site, tmp_path, stricter):
    data, _ = site
    script = tmp_path / "killed.py"
    script.write_text(
        "import os, signal, sys\n"
        "from api.regrade.ledger import Ledger\n"
        "from api.main import app\n"
        "add = Ledger.add\n"
        "def once(self, lines):\n"
        "    add(self, list(lines))\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "Ledger.add = once\n"
        "import api.regrade.run as run\n"
        "run.BATCH = dict.fromkeys(run.BATCH, 1)\n"
        "app(sys.argv[1:])\n"
    )
    words = ["regrade", "--data", str(data), "--rules", str(stricter), "--depth", "rules"]
    killed = subprocess.run(
        [sys.executable, str(script), *words], check=False, capture_output=True, timeout=120
    )
    assert killed.returncode == -signal.SIGKILL
    (path,) = (data / "regrade").glob("*.jsonl")
    assert len(Ledger(path).done) == 1
    with path.open("ab") as torn:
        torn.write(b'{"inspection_id": "i-2", "ver')
    found, _ = regrade(data, "--rules", stricter, "--depth", "rules")
    assert found["judged"] == 3
    assert len(path.read_text().splitlines()) == 3, "what was judged was not judged again"


def ledger_of(records, plan, path, where):
    found = Ledger(path)
    with where as spread:
        judge_all(records.engine, plan, found, spread, lambda _: None)
    return found


def test_more_cores_find_the_same(site, records, criteria, tmp_path):
    plan = Plan(
        filters=Filters(),
        criteria=replace(criteria, rules=replace(criteria.rules, false_accept=0.4)),
        depth=Depth.CURVES,
        evidence_url=str(site[0] / "evidence"),
    )
    alone = ledger_of(records, plan, tmp_path / "1.jsonl", here(1))
    shared = ledger_of(records, plan, tmp_path / "2.jsonl", here(2))
    assert list(shared.changes()) == list(alone.changes())
    assert shared.done == alone.done


def test_a_dask_cluster_finds_the_same(site, records, criteria, tmp_path):
    distributed = pytest.importorskip("distributed", reason="the extra `dask` is not installed")
    plan = Plan(
        filters=Filters(),
        criteria=criteria,
        depth=Depth.CURVES,
        evidence_url=f"file://{site[0] / 'evidence'}",
    )
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
    ) as cluster:
        found = ledger_of(records, plan, tmp_path / "d.jsonl", on_dask(cluster.scheduler_address))
    assert set(found.done) == {"i-2", "i-3", "i-5"}
    assert list(found.faults()) == []


def test_pages_lose_and_double_nothing(records, report):
    for number in range(7):
        records.record(report(inspection_id=f"x-{number}"), ())
    pages = list(standing_reports(records.engine, Filters(maker="Solarwatt"), 3))
    assert [len(page) for page in pages] == [3, 3, 1]
    assert {one.report.inspection_id for page in pages for one in page} == {
        f"x-{number}" for number in range(7)
    }
