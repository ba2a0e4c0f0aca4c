"""Every code that can reach a screen has words in both languages."""

import inspect
import re
import tomllib
from importlib import resources
from pathlib import Path

import httpx
import pytest

from api.app import create_app
from api.screens import views
from api.screens.language import LANGUAGES, number, texts, translator
from config.load import load_grading
from drivers import errors
from evidence import store
from grading.values import CellClass, Outcome
from station import visit
from station.alarms import KINDS, Priority
from station.ports import LineCommand, LineState, Phase
from station.visit import DEFECTS, SOUND

WASHER = tomllib.loads(
    resources.files("config").joinpath("devices", "washer.toml").read_text(encoding="utf-8")
)
DEVICE_ERRORS = {
    name
    for name, kind in vars(errors).items()
    if inspect.isclass(kind)
    and issubclass(kind, errors.DeviceError)
    and kind is not errors.DeviceError
}
ALARM_BITS = {
    bit
    for register in WASHER["registers"]
    if register["name"].startswith("alarms")
    for bit in register["bits"]
}


@pytest.mark.parametrize(
    ("section", "codes"),
    [
        ("state", set(LineState)),
        ("command", set(LineCommand)),
        ("phase", {*Phase, "cabinet"}),
        ("verdict", set(Outcome)),
        ("destination", set(load_grading().rules.destinations.values())),
        ("choice", {SOUND, *DEFECTS, "scan_again", "hold_panel", "retry", "give_up"}),
        ("cell", set(CellClass) - {CellClass.SOUND}),
        ("rule", {rule.id for rule in load_grading().rules.rules}),
        ("alarm", set(KINDS)),
        ("alarm_cause", set(KINDS)),
        ("alarm_effect", set(KINDS)),
        ("alarm_remedy", set(KINDS)),
        ("priority", set(Priority)),
        ("source", {"graded", "regrade", "override"}),
    ],
)
def test_every_code_has_words(section, codes):
    assert codes - set(texts()[section]) == set()


def test_every_alarm_that_the_code_can_raise_is_in_the_table():
    station = Path(visit.__file__).parent
    source = "".join(path.read_text() for path in station.glob("*.py"))
    named = set(re.findall(r'raise_alarm\(\s*"(\w+)"', source))
    writing = inspect.getsource(store.seal) + inspect.getsource(store._storage_error)
    stored = set(re.findall(r'(?:StorageFull|EvidenceError)\(\s*"(\w+)"', writing))
    assert {"station_fault", "grading_failed"} <= named
    assert {"disk_full", "write", "sealed"} <= stored
    assert DEVICE_ERRORS | ALARM_BITS | named | stored == set(KINDS)


def test_every_question_has_a_hint():
    assert set(texts()["question"]) == set(texts()["question_hint"])


def test_every_text_is_in_both_languages():
    lacking = [
        (section, code)
        for section, entries in texts().items()
        for code, text in entries.items()
        if set(text) != set(LANGUAGES) or not all(words.strip() for words in text.values())
    ]
    assert lacking == []


def test_no_button_of_a_program_calls_itself_an_emergency_stop():
    """That one is a red mushroom, hard-wired (ISO 13850); a screen must not pose as it."""
    words = [text for command in texts()["command"].values() for text in command.values()]
    assert not [text for text in words if "nood" in text.lower() or "emergency" in text.lower()]


def test_a_code_without_words_shows_as_itself():
    assert translator("nl")("alarm", "lamp_fell_off") == "lamp fell off"


def test_numbers_have_the_sign_and_the_uncertainty_of_the_reader():
    assert number(1234.5, 1, "nl") == "1234,5"
    assert views.with_u(151.53, 1.7, "W", "nl") == "151,5 ± 3,4 W"
    assert views.with_u(0.8, None, "", "en") == "0.800"
    assert views.with_u(6.0, None, "", "en") == "6"


@pytest.fixture
async def screen(records, tmp_path):
    app = create_app(records=records, station=None, evidence_dir=tmp_path, build_id="b", demo=True)
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
        yield client


@pytest.mark.parametrize(
    ("accepted", "chosen"),
    [
        ("", "nl"),
        ("de-DE,fr", "nl"),
        ("en-GB,en;q=0.9,nl;q=0.8", "en"),
        ("fr, nl-BE;q=0.7, en;q=0.5", "nl"),
    ],
)
async def test_the_language_is_that_of_the_browser_else_dutch(screen, accepted, chosen):
    page = await screen.get("/", headers={"Accept-Language": accepted})
    assert f'<html lang="{chosen}"' in page.text


async def test_the_choice_of_a_language_leads_back_but_never_to_another_host(screen):
    away = await screen.get("/language/en", headers={"Referer": "http://evil.example/x"})
    assert away.headers["location"] == "/"
    back = await screen.get("/language/en", headers={"Referer": "http://here/history"})
    assert back.headers["location"] == "http://here/history"
    unknown = await screen.get("/language/xx")
    assert "set-cookie" not in unknown.headers


@pytest.mark.parametrize("path", ["/", "/history"])
async def test_pages_run_nothing_that_is_not_ours_and_stand_in_no_frame(screen, path):
    headers = (await screen.get(path)).headers
    policy = headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"


async def test_what_people_write_is_never_markup(screen, records, report):
    plain = report()
    records.record(plain, ())
    records.override(
        plain.inspection_id,
        outcome=Outcome.HOLD,
        grade=None,
        destination="hold",
        by='"><b>Eve',
        reason="<script>alert(1)</script>",
        version=1,
    )
    for path in ("/", f"/inspections/{plain.inspection_id}"):
        page = (await screen.get(path)).text
        assert "<script>alert" not in page
        assert "<b>Eve" not in page
        assert "&lt;script&gt;alert(1)" in page
