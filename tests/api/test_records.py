import threading
from dataclasses import replace

import pytest

from api.records import Conflict, Filters, NotFound, Records
from grading.values import (
    BypassSteps,
    FileHash,
    IVResult,
    KeyFigures,
    Nameplate,
    Outcome,
    PanelIdentity,
    STCFigures,
)
from station.ports import RecordRefused, VisitEvent

HISTORY = (
    VisitEvent(phase="intake", at="2026-11-23T10:14:00.000+00:00"),
    VisitEvent(phase="grade", at="2026-11-23T10:15:02.000+00:00", detail="B"),
)


@pytest.fixture
def store(database_url):
    records = Records(database_url)
    yield records
    records.close()


def overrule(store, inspection_id, **changes):
    wanted = {
        "outcome": Outcome.REJECT,
        "grade": None,
        "destination": "recycler",
        "by": "Ann",
        "reason": "Frame bent",
        "version": 1,
    }
    return store.override(inspection_id, **(wanted | changes))


def test_a_report_comes_back_as_it_was_recorded(store, report):
    given = report()
    store.record(given, HISTORY)
    record = store.inspection(given.inspection_id)
    assert record.report == given
    assert record.history == HISTORY
    assert record.current.source == "graded"
    assert (record.version, record.routed) == (1, None)


def test_the_same_report_twice_is_one_record(store, report):
    store.record(report(), HISTORY)
    store.record(report(), HISTORY)
    assert len(store.page(Filters()).items) == 1
    assert [count.count for count in store.counts()] == [1]
    assert store.inspection(report().inspection_id).history == HISTORY


def test_another_report_by_the_same_id_is_refused_and_changes_nothing(store, report):
    store.record(report(), HISTORY)
    with pytest.raises(RecordRefused, match="with another report"):
        store.record(report(grade="A"), HISTORY)
    assert store.inspection(report().inspection_id).report.grade == "B"


def test_the_same_report_after_an_override_is_still_the_same(store, report):
    store.record(report(), HISTORY)
    overrule(store, report().inspection_id)
    store.record(report(), HISTORY)
    assert store.inspection(report().inspection_id).current.source == "override"


@pytest.mark.parametrize(
    "change",
    [
        {"measured_at": "yesterday"},
        {"destination": "\ud800"},
    ],
)
def test_a_report_that_no_database_keeps_is_refused(store, report, change):
    with pytest.raises(RecordRefused):
        store.record(report(**change), ())
    assert store.counts() == ()


def test_moments_of_other_zones_are_ordered_by_time(store, report):
    store.record(report("early", measured_at="2026-11-23T11:00:00+02:00"), ())
    store.record(report("late", measured_at="2026-11-23T09:30:00Z"), ())
    assert [row.inspection_id for row in store.page(Filters()).items] == ["late", "early"]
    assert store.latest() == "late"
    since = store.page(Filters(measured_from="2026-11-23T10:15:00+01:00"))
    assert [row.inspection_id for row in since.items] == ["late"]


def test_an_override_stands_beside_the_first_verdict(store, report):
    store.record(report(), HISTORY)
    record = overrule(store, report().inspection_id)
    assert [(v.source, v.outcome, v.current) for v in record.verdicts] == [
        ("graded", Outcome.PASS, False),
        ("override", Outcome.REJECT, True),
    ]
    assert record.report.verdict is Outcome.PASS
    assert record.version == 2
    row = store.page(Filters(verdict=Outcome.REJECT)).items[0]
    assert (row.grade, row.destination) == (None, "recycler")
    assert store.inspection(report().inspection_id) == record


def test_an_override_of_what_nobody_saw_is_a_conflict(store, report):
    store.record(report(), HISTORY)
    overrule(store, report().inspection_id)
    with pytest.raises(Conflict):
        overrule(store, report().inspection_id, outcome=Outcome.HOLD)
    assert store.inspection(report().inspection_id).current.outcome is Outcome.REJECT
    with pytest.raises(NotFound):
        overrule(store, "nothing")


def test_of_many_overrides_at_once_one_wins_and_the_counts_stay_right(store, report):
    store.record(report(), HISTORY)
    outcomes, start = [], threading.Barrier(4)

    def attempt(number):
        start.wait()
        try:
            overrule(store, report().inspection_id, by=f"person {number}")
            outcomes.append("won")
        except Conflict:
            outcomes.append("lost")

    threads = [threading.Thread(target=attempt, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["lost", "lost", "lost", "won"]
    assert len(store.inspection(report().inspection_id).verdicts) == 2
    assert [(c.verdict, c.count) for c in store.counts()] == [(Outcome.REJECT, 1)]


def test_many_records_at_once_are_each_kept_and_counted(store, report):
    def deliver(worker):
        for number in range(5):
            panel = PanelIdentity(panel_id=f"P{number}", nameplate=Nameplate(maker="Solarwatt"))
            made = report(f"{worker}-{number}", panel=panel)
            store.record(made, HISTORY)

    threads = [threading.Thread(target=deliver, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [(c.verdict, c.grade, c.maker, c.count) for c in store.counts()] == [
        (Outcome.PASS, "B", "Solarwatt", 20)
    ]
    assert len(store.page(Filters(), limit=100).items) == 20


def test_an_override_that_keeps_verdict_and_grade_keeps_the_count(store, report):
    store.record(report(), HISTORY)
    overrule(store, report().inspection_id, outcome=Outcome.PASS, grade="B", destination="stock")
    assert [(c.verdict, c.grade, c.count) for c in store.counts()] == [(Outcome.PASS, "B", 1)]


def test_who_took_a_panel_away_may_be_known_before_its_record(store, report):
    store.confirm_route(report().inspection_id, "Ann")
    store.confirm_route(report().inspection_id, "Bob")
    store.record(report(), HISTORY)
    assert store.inspection(report().inspection_id).routed.by == "Ann"


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        (Filters(), {"a", "b", "c"}),
        (Filters(verdict=Outcome.REJECT), {"b"}),
        (Filters(grade="B"), {"a", "c"}),
        (Filters(maker="Other"), {"c"}),
        (Filters(model="P 250"), {"a", "b"}),
        (Filters(lot="lot 8"), {"c"}),
        (Filters(reason="power_low"), {"b"}),
        (Filters(reason="power_low", verdict=Outcome.PASS), set()),
        (Filters(panel_id="ZK_"), {"c"}),
        (Filters(panel_id="ZK"), {"a", "b", "c"}),
        (Filters(panel_id="zk"), set()),
        (Filters(panel="ZK000001"), {"a", "b"}),
        (Filters(measured_from="2026-11-24"), {"b", "c"}),
        (Filters(measured_to="2026-11-24"), {"a"}),
    ],
)
def test_filters(store, report, filters, found):
    plain = report()
    other = replace(
        plain.panel, panel_id="ZK_3", lot="lot 8", nameplate=Nameplate(maker="Other", model="X")
    )
    low = ("power_low", "power_low")
    store.record(report("a"), ())
    store.record(
        report("b", verdict=Outcome.REJECT, grade=None, reasons=low, measured_at="2026-11-24"), ()
    )
    store.record(report("c", panel=other, measured_at="2026-11-25"), ())
    assert {row.inspection_id for row in store.page(filters).items} == found


def test_evidence_is_named_once(store, report):
    twice = (FileHash(name="iv.csv", sha256="1" * 64, size=1),) * 2
    with pytest.raises(RecordRefused):
        store.record(report(evidence=twice), ())
    assert store.latest() is None


def measured(report, number, p_mp, *, panel=None, day=1):
    """A report on a panel of one model that measured ``p_mp``."""
    given = report(
        inspection_id=f"i-{number}",
        measured_at=f"2026-11-{day:02d}T10:00:00+00:00",
        panel=PanelIdentity(
            panel_id=panel or f"P{number}", nameplate=Nameplate(maker="M", model="X-245", p_mp=245)
        ),
    )
    figures = STCFigures(i_sc=8.6, v_oc=37.5, i_mp=8.1, v_mp=30, p_mp=p_mp, fill_factor=0.75)
    seen = KeyFigures(i_sc=8.6, v_oc=37.5, i_mp=8.1, v_mp=30, p_mp=p_mp, fill_factor=0.75)
    iv = IVResult(measured=seen, model=None, steps=BypassSteps(), stc=figures)
    return replace(given, iv=iv)


def test_what_is_typical_of_a_model_is_learnt_from_its_panels(store, report):
    for number in range(21):
        store.record(measured(report, number, 220.0 + number), ())
    typical = store.typical("M", "X-245")
    assert (typical.panels, typical.p_mp) == (21, 230.0)
    assert (typical.low, typical.high) == (221.0, 239.0)
    assert store.typical("M", "X-250") is None


def test_a_panel_counts_once_with_its_newest_measurement(store, report):
    for number in range(5):
        store.record(measured(report, number, 230.0), ())
    for number in range(5, 25):
        store.record(measured(report, number, 100.0, panel="P4", day=2), ())
    store.record(measured(report, 99, 231.0, panel="P4", day=3), ())
    assert store.typical("M", "X-245").high == pytest.approx(230.8)
    assert store.typical("M", "X-245").panels == 5


def test_few_panels_teach_nothing(store, report):
    for number in range(4):
        store.record(measured(report, number, 230.0), ())
    assert store.typical("M", "X-245") is None
