"""Over HTTP: who gets in, who may what, and what other sites cannot make a browser do."""

import asyncio
from pathlib import Path

import httpx
import pytest
from sqlalchemy import text

from api.access import Scope
from api.app import create_app
from evidence.reports import report_to_json

INSPECTION = "20261123T101500123-ZK000001-station-1"
COMMAND = "/api/station/command"
ENGLISH = {"Accept-Language": "en"}
START = {"command": "start", "by": "Somebody Else"}


async def signed_in(plant, client, name):
    plant.hire(name)
    answer = await client.post("/api/sign-in", json={"name": name, "pin": plant.pins[name]})
    assert answer.status_code == 200, answer.text
    page = await client.get("/figures")
    client.headers["X-CSRF-Token"] = page.text.partition('csrf-token" content="')[2][:64]
    return answer


@pytest.mark.parametrize(
    "path", ["/api/station", "/api/inspections", "/api/summary", "/api/events", "/metrics"]
)
async def test_nobody_reads_without_signing_in(plant, path):
    async with plant.browser() as client:
        answer = await client.get(path)
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["www-authenticate"] == "Bearer"
    assert "Sign in" in answer.json()["remedy"]


async def test_a_page_leads_to_the_pin_pad_and_back(plant):
    async with plant.browser() as client:
        answer = await client.get("/history?maker=Solarwatt")
        assert answer.status_code == 303
        assert answer.headers["location"] == "/sign-in?to=%2Fhistory%3Fmaker%3DSolarwatt"
        fragment = await client.get("/fragments/line", headers={"HX-Request": "true"})
        assert (fragment.status_code, fragment.headers["hx-redirect"]) == (401, "/sign-in")
        assert (await client.get("/sign-in")).status_code == 200
        assert (await client.get("/api/health")).status_code == 200


async def test_what_a_person_does_is_recorded_under_their_own_name(plant):
    async with plant.browser() as client:
        await signed_in(plant, client, "Ann")
        assert (await client.post(COMMAND, json=START)).status_code == 200
    assert plant.station.calls == [("command", "start", "Ann")]


async def test_an_override_needs_the_quality_role_and_bears_the_name(plant):
    path = f"/api/inspections/{INSPECTION}/override"
    body = {"outcome": "hold", "reason": "Frame bent", "by": "Somebody Else"}
    seen = {"If-Match": '"1"'}
    async with plant.browser() as client:
        await signed_in(plant, client, "Ann")
        refused = await client.post(path, json=body, headers=seen)
        assert (refused.status_code, refused.json()["type"]) == (403, "urn:zonkeur:may_not")
        assert "records:override" in refused.json()["detail"]
    async with plant.browser() as client:
        await signed_in(plant, client, "Quinn")
        answer = await client.post(path, json=body, headers=seen)
    assert answer.json()["verdicts"][-1]["by"] == "Quinn"


async def test_a_partner_sees_counts_and_nothing_else(plant):
    async with plant.browser() as client:
        assert (await signed_in(plant, client, "Pat")).json()["home"] == "/figures"
        page = await client.get("/figures")
        assert "Solarwatt" in page.text
        assert "ZK000001" not in page.text
        assert 'href="/"' not in page.text  # nothing leads where there is no leave
        assert (await client.get("/api/summary")).status_code == 200
        for path in ("/", "/history", "/api/inspections", f"/api/inspections/{INSPECTION}"):
            assert (await client.get(path)).status_code == 403


@pytest.mark.parametrize(
    "forged",
    [
        {"X-CSRF-Token": ""},
        {"X-CSRF-Token": "0" * 64},
        {"Origin": "https://evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
async def test_another_sites_page_presses_no_button(plant, forged):
    async with plant.browser() as client:
        await signed_in(plant, client, "Ann")
        answer = await client.post(COMMAND, json=START, headers=forged)
    assert answer.status_code == 403
    assert plant.station.calls == []


async def test_another_sites_page_signs_nobody_in(plant):
    body = {"name": "Ann", "pin": plant.pins["Ann"]}
    async with plant.browser(origin="https://evil.example") as client:
        answer = await client.post("/api/sign-in", json=body)
        assert answer.status_code == 403
        assert "set-cookie" not in answer.headers
    async with plant.browser() as client:
        form = await client.post("/api/sign-in", data=body)  # a form needs no leave of CORS
        assert form.status_code == 422


async def test_the_cookie_is_for_this_service_alone(plant):
    async with plant.browser() as client:
        cookie = (await signed_in(plant, client, "Ann")).headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert "domain" not in cookie


async def test_signing_out_ends_the_session_at_the_service(plant):
    async with plant.browser() as client:
        await signed_in(plant, client, "Ann")
        stolen = dict(client.cookies)
        await client.post("/api/sign-out")
        assert (await client.get("/api/station")).status_code == 401
    async with plant.browser() as client:
        client.cookies.update(stolen)
        assert (await client.get("/api/station")).status_code == 401


async def test_wrong_too_often_is_told_with_how_long_to_wait(plant):
    async with plant.browser() as client:
        wrong = {"name": "Ann", "pin": "00000000"}
        answers = await asyncio.gather(
            *(client.post("/api/sign-in", json=wrong) for _ in range(10))
        )
        codes = [answer.status_code for answer in answers]
        assert sorted(codes) == [401] * 5 + [429] * 5  # also when all come at once
        right = {"name": "Ann", "pin": plant.pins["Ann"]}
        answer = await client.post("/api/sign-in", json=right)
    assert answer.status_code == 429
    assert 1 <= int(answer.headers["retry-after"]) <= 31


async def test_one_address_does_not_try_name_after_name(plant):
    async with plant.browser() as client:
        for number in range(20):
            body = {"badge": f"ZKB-{'A' * number}B"}
            assert (await client.post("/api/sign-in", json=body)).status_code == 401
        answer = await client.post("/api/sign-in", json={"badge": "ZKB-C"})
    assert answer.status_code == 429


async def test_a_token_does_what_its_scopes_say(plant):
    token_id, secret = plant.store.create_token("mes", [Scope.RECORDS_READ], by="test")
    async with plant.browser(authorization=f"Bearer {secret}") as client:
        assert (await client.get("/api/inspections")).status_code == 200
        assert (await client.post(COMMAND, json=START)).status_code == 403
        plant.store.revoke_token(token_id, by="test")
        assert (await client.get("/api/inspections")).status_code == 401


async def test_a_station_delivers_by_its_token(plant, report, records):
    other = report("20261123T111500123-ZK000001-station-2")
    _, secret = plant.store.create_token("station-2", [Scope.RECORDS_DELIVER], by="test")
    body = {"report": report_to_json(other), "history": []}
    async with plant.browser() as client:
        assert (await client.post("/api/records", json=body)).status_code == 401
        client.headers["Authorization"] = f"Bearer {secret}"
        assert (await client.post("/api/records", json=body)).status_code == 201
    assert records.inspection(other.inspection_id).report == other


async def test_whoever_was_let_in_works_on_while_the_database_is_away(plant):
    async with plant.browser() as client, plant.browser() as stranger:
        await signed_in(plant, client, "Ann")
        with plant.store._engine.begin() as connection:
            connection.execute(text("ALTER TABLE sign_in RENAME TO away"))
        assert (await client.post(COMMAND, json=START)).status_code == 200
        stranger.cookies.set("zonkeur_session", "guess")
        assert (await stranger.get("/api/station")).status_code == 503


async def test_a_badge_is_no_panel(plant):
    badge = plant.store.issue_badge("Ann", by="test")
    async with plant.browser() as client:
        await signed_in(plant, client, "Ann")
        answer = await client.post("/api/station/intake", json={"panel_id": badge})
    assert (answer.status_code, answer.json()["type"]) == (422, "urn:zonkeur:a_badge")
    assert plant.station.calls == []


async def test_a_paper_that_leaves_the_house_is_in_the_trail(plant, records):
    async with plant.browser() as client:
        await signed_in(plant, client, "Quinn")
        answer = await client.get(f"/inspections/{INSPECTION}/report.pdf")
        assert answer.status_code == 200
    with records.engine.connect() as connection:
        row = connection.execute(text("SELECT * FROM audit ORDER BY audit_id DESC LIMIT 1")).one()
    assert (row.by, row.action, row.subject) == ("Quinn", "export", INSPECTION)
    assert records.trail_faults()[0] == []


@pytest.mark.parametrize(
    "path", ["/sign-in", "/", "/api/station", "/static/zonkeur.css", "/nothing"]
)
async def test_every_answer_carries_the_headers(plant, path):
    async with plant.browser() as client:
        headers = (await client.get(path)).headers
    assert "default-src 'self'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert ("cache-control" in headers) == (not path.startswith("/static"))


@pytest.mark.parametrize("to", ["//evil.example", "https://evil.example", "/\\evil.example"])
async def test_the_pin_pad_leads_to_no_other_site(plant, to):
    async with plant.browser() as client:
        page = await client.get("/sign-in", params={"to": to})
    assert 'data-to=""' in page.text


async def test_the_demonstration_asks_nobody_and_says_so(records, station, tmp_path, serve):
    parts = {"records": records, "station": station, "evidence_dir": tmp_path, "build_id": "b"}
    app = create_app(**parts, demo=True)
    async with serve(app) as (_, address), httpx.AsyncClient(base_url=address) as client:
        assert "nobody has to sign in" in (await client.get("/", headers=ENGLISH)).text
        assert (await client.post(COMMAND, json=START)).status_code == 200
    assert station.calls == [("command", "start", "Somebody Else")]


async def test_no_demonstration_opens_records_of_a_plant_with_people(plant, records, serve):
    app = create_app(
        records=records, station=plant.station, evidence_dir=Path(), build_id="b", demo=True
    )
    async with serve(app) as (_, address), httpx.AsyncClient(base_url=address) as client:
        assert (await client.get("/api/station")).status_code == 401
