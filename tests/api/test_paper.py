import io
from dataclasses import replace

import numpy as np
import pytest
from pypdf import PdfReader

from evidence.store import seal
from grading.rules import Text
from grading.values import Outcome, RuleFinding


@pytest.fixture
def sealed(service, graded):
    """A really graded panel with its evidence; its report."""
    seal(service.evidence / graded.report.inspection_id, graded.files)
    service.records.record(graded.report, ())
    return graded.report


async def paper(service, inspection_id, language="en"):
    """Fetch a report, and return its bytes and its text in one line."""
    path = f"/inspections/{inspection_id}/report.pdf"
    answer = await service.client.get(path, params={"language": language})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/pdf"
    pages = PdfReader(io.BytesIO(answer.content)).pages
    return answer.content, " ".join(" ".join(page.extract_text() for page in pages).split())


async def test_a_report_has_all_that_the_standards_ask(service, sealed):
    _, text = await paper(service, sealed.inspection_id)
    plate, stc = sealed.panel.nameplate, sealed.iv.stc
    for wanted in (
        sealed.inspection_id,  # ISO/IEC 17025, 7.8.2.1 d: identification on each page
        "page 1 of 2",
        "Zonkeur demo station",  # b: who tested
        f"{plate.maker} {plate.model}",  # g: the item
        sealed.panel.serial,
        str(plate.year),  # WEEE, Annex VI: year of production
        sealed.panel.panel_id,
        "2026-11-23 10:15 UTC",  # h: the date of the test
        "IEC 60904-1",  # f: the methods
        f"± {2 * stc.u_p_mp:.1f} W",  # 7.8.3.1 c: uncertainty
        "ILAC-G8",  # 7.8.6: the decision rule
        "this item only",  # l
        sealed.rules.sha256,
        *(file.sha256 for file in sealed.evidence),
    ):
        assert wanted in text, wanted
    assert text.count(sealed.inspection_id) == 2


async def test_a_report_tells_which_safety_tests_were_made(service, sealed):
    """The panel was tested wet and dry; its bypass diodes were not."""
    wet = RuleFinding(
        rule="wet_leakage", feature="wet_leakage_area_product", value=61.0,
        expanded_uncertainty=None, unit="MΩ·m²", limit="≥ 40", outcome=Outcome.PASS,
        reason="wet_leakage_low",
    )  # fmt: skip
    number = "20261123T101500123-ZK000123-station-9"
    service.records.record(
        replace(sealed, inspection_id=number, findings=(*sealed.findings, wet)), ()
    )
    _, text = await paper(service, number)
    assert "MQT 15" in text
    assert "MQT 15 – not carried out" not in text
    assert "MQT 18.2 – not carried out" in text


async def test_a_report_is_in_dutch_with_decimal_commas(service, sealed):
    _, text = await paper(service, sealed.inspection_id, "nl")
    assert "Testrapport" in text
    assert f"{sealed.iv.stc.p_mp:.1f}".replace(".", ",") in text


async def test_the_same_record_gives_the_same_paper(service, sealed):
    first, _ = await paper(service, sealed.inspection_id)
    again, _ = await paper(service, sealed.inspection_id)
    assert first == again


async def test_a_report_shows_curve_picture_and_code(service, sealed):
    content, _ = await paper(service, sealed.inspection_id)
    sizes = [np.shape(image.image) for image in PdfReader(io.BytesIO(content)).pages[0].images]
    assert len(sizes) == 3


async def test_the_report_is_of_the_verdict_that_stands(service, sealed):
    service.records.override(
        sealed.inspection_id,
        outcome=Outcome.HOLD,
        grade=None,
        destination="hold",
        by="Ann",
        reason="Frame bent in transport",
        version=1,
    )
    _, text = await paper(service, sealed.inspection_id)
    assert "HOLD" in text
    assert "Frame bent in transport (Ann)" in text
    assert f"{sealed.inspection_id}/2" in text


async def test_a_panel_that_was_not_measured_has_a_report_too(service, report):
    service.records.record(report(), ())
    _, text = await paper(service, report().inspection_id)
    assert "No I-V curve measured" in text
    assert "I-V curve, IEC 60904-1, translated to STC by IEC 60891:2021 – not carried out" in text


async def test_a_reason_of_the_sites_own_rules_is_in_words(service, report):
    own = {"shade_of_green": Text(nl="Te groen", en="Too green")}
    service.app.state.rules = replace(service.app.state.rules, reasons=own)
    service.records.record(report(verdict=Outcome.REJECT, reasons=("shade_of_green",)), ())
    _, text = await paper(service, report().inspection_id)
    assert "Too green" in text
    page = await service.client.get(f"/inspections/{report().inspection_id}")
    assert "Te groen" in page.text


async def test_there_is_no_report_of_what_was_never_measured(service):
    answer = await service.client.get("/inspections/nothing/report.pdf")
    assert answer.status_code == 404
