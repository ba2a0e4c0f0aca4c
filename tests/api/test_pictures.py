"""Curves, pictures and files of a panel that was really graded."""

import json

import cv2
import numpy as np
import pytest

from api.records import Records
from evidence.reports import report_to_json
from evidence.store import seal


@pytest.fixture
def recorded(service, graded):
    """The address of an inspection that is recorded, with its evidence."""
    seal(service.evidence / graded.report.inspection_id, graded.files)
    service.records.record(graded.report, ())
    return f"/api/inspections/{graded.report.inspection_id}"


def test_a_rich_report_comes_back_to_the_last_bit(database_url, graded):
    records = Records(database_url)
    records.record(graded.report, ())
    back = records.inspection(graded.report.inspection_id).report
    row = records.latest()
    records.close()
    assert graded.report.iv is not None
    assert graded.report.el is not None
    assert back == graded.report
    assert row == graded.report.inspection_id


async def test_a_rich_report_travels_by_http(service, graded):
    body = {"report": json.loads(json.dumps(report_to_json(graded.report)))}
    assert (await service.client.post("/api/records", json=body)).status_code == 201
    assert service.records.inspection(graded.report.inspection_id).report == graded.report


async def test_the_curve_has_the_measured_points_and_the_fit(service, recorded):
    curve = (await service.client.get(f"{recorded}/curve")).json()
    assert len(curve["voltage"]) == len(curve["current"]) == 120
    fit = np.interp(curve["voltage"], curve["fit"]["voltage"], curve["fit"]["current"])
    assert np.abs(fit - curve["current"]).max() < 0.05 * max(curve["current"])


async def test_the_picture_is_drawn_small_and_kept(service, recorded, graded):
    answer = await service.client.get(f"{recorded}/el.png")
    assert answer.headers["content-type"] == "image/png"
    picture = cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_COLOR)
    assert picture.shape[1] <= 1600
    kept = list((service.evidence.parent / "overlays").iterdir())
    assert [path.read_bytes() for path in kept] == [answer.content]
    assert (await service.client.get(f"{recorded}/el.png")).content == answer.content


async def test_a_file_of_the_evidence_is_as_it_was_sealed(service, recorded, graded):
    answer = await service.client.get(f"{recorded}/evidence/iv.csv")
    assert answer.content == graded.files["iv.csv"]


@pytest.mark.parametrize("name", ["manifest.json", "other.txt", "%2e%2e%2fsecret"])
async def test_only_what_was_sealed_is_given_out(service, recorded, name):
    (service.evidence / recorded.rpartition("/")[2] / "other.txt").write_text("not sealed")
    (service.evidence / "secret").write_text("secret")
    answer = await service.client.get(f"{recorded}/evidence/{name}")
    assert answer.status_code in (404, 422)


async def test_without_evidence_here_the_record_still_answers(service, report):
    service.records.record(report(), ())
    path = f"/api/inspections/{report().inspection_id}"
    for name in ("curve", "el.png", "evidence/iv.csv"):
        answer = await service.client.get(f"{path}/{name}")
        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("name", ["el.png", "curve", "evidence/iv.csv"])
async def test_changed_evidence_is_not_shown(service, recorded, name):
    folder = service.evidence / recorded.rpartition("/")[2]
    (folder / "iv.csv").write_text("voltage,current\n0,9\n")
    answer = await service.client.get(f"{recorded}/{name}")
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:zonkeur:changed")
