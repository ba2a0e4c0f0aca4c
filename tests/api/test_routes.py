import json
import sqlite3
from contextlib import closing

import httpx
import pytest

from api.app import create_app
from evidence.reports import report_to_json
from station.ports import LineState

INSPECTION = "20261123T101500123-ZK000001-station-1"
OVERRIDE = {"outcome": "hold", "grade": None, "reason": "Frame bent", "by": "Ann"}


def problem(response, status, code):
    """Check that an answer is a problem document, and return what it says."""
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    assert (body["type"], body["status"]) == (f"urn:zonkeur:{code}", status)
    assert body["title"]
    return body["detail"]


# --- the line ------------------------------------------------------------------------------------


async def test_the_line_obeys_and_who_told_it_is_written_down(service):
    body = {"command": "start", "by": "Ann"}
    answer = await service.client.post("/api/station/command", json=body)
    assert answer.json() == {"done": True}
    assert service.station.calls == [("command", "start", "Ann")]
    state = (await service.client.get("/api/station")).json()["state"]
    assert state == LineState.EXECUTE


async def test_what_the_line_cannot_do_is_a_problem_that_says_why(service):
    body = {"command": "unhold", "by": "Ann"}
    answer = await service.client.post("/api/station/command", json=body)
    assert "idle" in problem(answer, 409, "refused")


async def test_the_line_stops_also_when_the_audit_cannot_be_written(service, tmp_path, caplog):
    with service.records._engine.connect() as patient:
        patient.exec_driver_sql("PRAGMA busy_timeout=1")  # the pool's one connection
    with closing(sqlite3.connect(tmp_path / "records.sqlite")) as other:
        other.execute("BEGIN IMMEDIATE")
        body = {"command": "stop", "by": "Ann"}
        answer = await service.client.post("/api/station/command", json=body)
    assert answer.status_code == 200
    assert service.station.calls == [("command", "stop", "Ann")]
    assert "stop" in caplog.text
    assert "not in the audit" in caplog.text


async def test_an_intake_under_one_key_is_one_intake(service):
    body = {"panel_id": "ZK000003", "by": "Ann", "nameplate": {"maker": "Solarwatt"}}
    key = {"Idempotency-Key": "scan-1"}
    first = await service.client.post("/api/station/intake", json=body, headers=key)
    again = await service.client.post("/api/station/intake", json=body, headers=key)
    assert first.json() == again.json()
    assert [call[0] for call in service.station.calls] == ["intake"]
    other = await service.client.post(
        "/api/station/intake", json=body | {"panel_id": "ZK000004"}, headers=key
    )
    problem(other, 422, "key_reused")


async def test_an_intake_without_a_key_asks_the_line(service):
    body = {"panel_id": "ZK000001", "by": "Ann"}
    answer = await service.client.post("/api/station/intake", json=body)
    assert "ZK000001" in problem(answer, 409, "refused")


async def test_questions_and_alarms_are_answered(service):
    answer = await service.client.post(
        "/api/station/questions/q1/answer", json={"choices": ["sound"], "by": "Ann"}
    )
    assert answer.status_code == 200
    answer = await service.client.post("/api/station/alarms/a1/acknowledge", json={"by": "Ann"})
    assert answer.status_code == 200
    assert service.station.calls == [
        ("answer", "q1", ("sound",), "Ann", None),
        ("acknowledge", "a1", "Ann"),
    ]
    gone = await service.client.post("/api/station/alarms/a1/acknowledge", json={"by": "Ann"})
    problem(gone, 409, "refused")


async def test_who_took_a_panel_away_is_recorded(service, report):
    service.records.record(report(), ())
    path = f"/api/station/routes/{INSPECTION}"
    assert (await service.client.post(path, json={"by": "Ann"})).status_code == 200
    problem(await service.client.post(path, json={"by": "Bob"}), 409, "refused")
    record = (await service.client.get(f"/api/inspections/{INSPECTION}")).json()
    assert record["routed"]["by"] == "Ann"


async def test_a_panel_that_is_not_at_its_destination_is_not_recorded_there(service, report):
    other = "20261123T101600000-ZK000002-station-1"
    service.records.record(report(other), ())
    answer = await service.client.post(f"/api/station/routes/{other}", json={"by": "Ann"})
    problem(answer, 409, "refused")
    assert service.records.inspection(other).routed is None


async def test_a_records_service_alone_has_no_line(records, tmp_path, serve):
    app = create_app(records=records, station=None, evidence_dir=tmp_path, build_id="b", demo=True)
    async with serve(app) as (_, address), httpx.AsyncClient(base_url=address) as client:
        problem(await client.get("/api/station"), 503, "no_station")
        assert (await client.get("/api/health")).json() == {"records": True, "station": False}
        assert "station_state" not in (await client.get("/metrics")).text


# --- the records ---------------------------------------------------------------------------------


async def test_an_inspection_with_its_etag(service, report):
    service.records.record(report(), ())
    answer = await service.client.get(f"/api/inspections/{INSPECTION}")
    assert answer.headers["etag"] == '"1"'
    assert answer.json()["report"]["panel"]["panel_id"] == "ZK000001"
    assert answer.json()["verdicts"][0]["current"] is True
    problem(await service.client.get("/api/inspections/nothing"), 404, "not_found")


async def test_an_override_needs_the_etag_of_what_was_seen(service, report):
    service.records.record(report(), ())
    path = f"/api/inspections/{INSPECTION}/override"
    problem(await service.client.post(path, json=OVERRIDE), 428, "if_match")
    for odd in ("*", "1", b'"\xb2"', '"99999999999"'):
        answer = await service.client.post(path, json=OVERRIDE, headers={"If-Match": odd})
        problem(answer, 428, "if_match")
    seen = {"If-Match": '"1"'}
    first = await service.client.post(path, json=OVERRIDE, headers=seen)
    assert first.status_code == 200
    assert first.headers["etag"] == '"2"'
    assert [verdict["outcome"] for verdict in first.json()["verdicts"]] == ["pass", "hold"]
    problem(await service.client.post(path, json=OVERRIDE, headers=seen), 412, "conflict")


async def test_lists_go_on_where_they_stopped(service, report):
    for day in range(1, 6):
        service.records.record(report(f"i{day}", measured_at=f"2026-11-0{day}"), ())
    seen, cursor = [], None
    while True:
        query = {"limit": 2, "maker": "Solarwatt"} | ({"cursor": cursor} if cursor else {})
        page = (await service.client.get("/api/inspections", params=query)).json()
        seen += [item["inspection_id"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == ["i5", "i4", "i3", "i2", "i1"]
    odd = await service.client.get("/api/inspections", params={"cursor": "x"})
    problem(odd, 422, "invalid")
    odd = await service.client.get("/api/inspections", params={"measured_from": "2026-99-99"})
    problem(odd, 422, "invalid")


async def test_a_panel_is_exactly_that_panel(service, report):
    service.records.record(report(), ())
    page = (await service.client.get("/api/panels/ZK000001")).json()
    assert [item["inspection_id"] for item in page["items"]] == [INSPECTION]
    problem(await service.client.get("/api/panels/ZK00000"), 404, "not_found")


async def test_summary_and_metrics_follow_an_override(service, report):
    service.records.record(report(), ())
    await service.client.post(
        f"/api/inspections/{INSPECTION}/override", json=OVERRIDE, headers={"If-Match": '"1"'}
    )
    assert (await service.client.get("/api/summary")).json() == [
        {"verdict": "hold", "grade": None, "maker": "Solarwatt", "count": 1}
    ]
    lines = (await service.client.get("/metrics")).text.splitlines()
    assert 'panels_graded_total{verdict="hold"} 1' in lines
    assert 'panels_graded_total{verdict="pass"} 0' in lines
    assert "outbox_depth 3" in lines
    assert 'station_state{state="idle"} 1' in lines


async def test_another_hosts_record_is_taken_once(service, report):
    event = {"phase": "grade", "at": "2026-11-23T10:15:02.000+00:00", "detail": None}
    body = {"report": report_to_json(report()), "history": [event]}
    for _ in range(2):
        answer = await service.client.post("/api/records", json=body)
        assert (answer.status_code, answer.json()) == (201, {"inspection_id": INSPECTION})
    assert service.records.inspection(INSPECTION).report == report()
    assert len(service.records.inspection(INSPECTION).history) == 1
    changed = body | {"report": report_to_json(report(grade="A"))}
    problem(await service.client.post("/api/records", json=changed), 409, "record_refused")


@pytest.mark.parametrize("inspection_id", ["../../etc", "", "a" * 201, "a/b"])
async def test_a_record_under_an_odd_name_is_refused(service, report, inspection_id):
    body = {"report": report_to_json(report(inspection_id))}
    problem(await service.client.post("/api/records", json=body), 422, "not_a_report")
    assert service.records.latest() is None


@pytest.mark.parametrize("document", [{}, {"schema": 99}, {"schema": 1, "verdict": "fine"}])
async def test_what_is_no_report_is_refused(service, document):
    answer = await service.client.post("/api/records", json={"report": document})
    problem(answer, 422, "not_a_report")


async def test_a_database_out_of_reach_is_a_503_and_comes_back(service, report, tmp_path):
    service.records.record(report(), ())
    path = tmp_path / "records.sqlite"
    service.records.close()  # so that its connections are opened anew
    hidden = [
        p.rename(p.with_suffix(f".away{i}")) for i, p in enumerate(tmp_path.glob(f"{path.name}*"))
    ]
    path.mkdir()
    health = await service.client.get("/api/health")
    assert (health.status_code, health.json()["records"]) == (503, False)
    problem(await service.client.get("/api/inspections"), 503, "unavailable")
    body = {"report": report_to_json(report())}
    problem(await service.client.post("/api/records", json=body), 503, "unavailable")
    path.rmdir()
    hidden[0].rename(path)
    assert (await service.client.get("/api/health")).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/api/nothing", 404), ("DELETE", "/api/inspections", 405)],
)
async def test_what_is_not_there_is_a_problem_too(service, method, path, status):
    problem(await service.client.request(method, path), status, "http")


@pytest.mark.parametrize("odd", ["\\ud800", "\\u0000"])
async def test_text_that_no_database_keeps_is_never_a_defect(service, report, odd):
    document = json.dumps({"report": report_to_json(report(destination="ODD"))})
    answer = await service.client.post(
        "/api/records",
        content=document.replace("ODD", odd),
        headers={"Content-Type": "application/json"},
    )
    assert answer.status_code in (201, 400, 409, 422)
    answer = await service.client.post(
        "/api/station/questions/q1/answer",
        content='{"choices": ["sound"], "by": "ODD", "note": "ODD"}'.replace("ODD", odd),
        headers={"Content-Type": "application/json"},
    )
    assert answer.status_code in (200, 400, 422)


# --- modules -------------------------------------------------------------------------------------


async def test_a_module_is_found_as_people_type_it(service):
    answer = await service.client.get("/api/modules", params={"name": "suntech stp280 24/vd"})
    found = answer.json()
    assert found["nameplate"]["cells_in_series"] == 72
    assert found["typical"] is None


async def test_an_unknown_module_is_a_problem_with_suggestions(service):
    answer = await service.client.get("/api/modules", params={"name": "Trina TSM-24"})
    assert "Trina TSM-24" in problem(answer, 404, "unknown_module")


async def test_a_site_s_own_module_is_taken_in_by_its_name(service, tmp_path):
    own = tmp_path / "nameplates.csv"
    own.write_text(
        "name,p_mp,cells_in_series,area,i_sc,v_oc,i_mp,v_mp,alpha_sc,beta_voc,gamma_pmp\n"
        "Zonnefabriek ZF60-P245,245,60,1.6,8.6,37.5,8.1,30.2,0.004,-0.12,-0.0045\n"
    )
    service.app.state.nameplates = own
    body = {"panel_id": "ZK000009", "by": "Ann", "module": "zonnefabriek ZF60-P245"}
    answer = await service.client.post("/api/station/intake", json=body)
    assert answer.status_code == 200
    ((_, _, _, plate, _),) = [call for call in service.station.calls if call[0] == "intake"]
    assert plate.p_mp == 245


async def test_alarm_is_shelved_with_name_time_and_reason(service):
    url = "/api/station/alarms/a1"
    body = {"by": "Ann", "minutes": 30, "reason": "Water truck comes."}
    assert (await service.client.post(f"{url}/shelve", json=body)).status_code == 200
    for wrong in ({"minutes": 0}, {"minutes": 481}, {"reason": " "}):
        assert (await service.client.post(f"{url}/shelve", json=body | wrong)).status_code == 422
    assert (await service.client.post(f"{url}/unshelve", json={"by": "Bo"})).status_code == 200
    assert ("shelve", "a1", 30, "Ann", "Water truck comes.") in service.station.calls
    assert ("unshelve", "a1", "Bo") in service.station.calls


async def test_alarms_of_a_minute_are_asked_for_in_any_time_zone(service):
    asked = {"since": "2026-11-24T15:03:00+01:00", "until": "2026-11-24T15:04:00+01:00"}
    answer = await service.client.get("/api/station/alarms", params=asked)
    assert (answer.status_code, answer.json()) == (200, [])
    utc = ("alarm_history", "2026-11-24T14:03:00.000+00:00", "2026-11-24T14:04:00.000+00:00")
    assert utc in service.station.calls
    naive = {"since": "2026-11-24T15:03:00", "until": "2026-11-24T15:04:00"}
    assert (await service.client.get("/api/station/alarms", params=naive)).status_code == 422
