import json

import pytest
from typer.testing import CliRunner

from api.main import app

REGISTER = """
[required]
tester = ["monitor_cell"]

[[calibrations]]
id = "c-2025"
kind = "monitor_cell"
instrument = "T1"
certificate = "K-1"
issued_by = "lab"
valid_from = 2025-01-01
valid_until = 2026-01-01

[[calibrations]]
id = "c-2026"
kind = "monitor_cell"
instrument = "T1"
certificate = "K-2"
issued_by = "lab"
valid_from = 2026-01-01
valid_until = 2027-01-01
"""


@pytest.fixture
def site(tmp_path):
    (tmp_path / "calibration.toml").write_text(REGISTER)
    return tmp_path


@pytest.mark.parametrize(
    ("at", "states", "code"),
    [
        ("2025-06-01", ["valid", "not_yet"], 0),
        ("2025-12-20", ["valid", "not_yet"], 0),
        ("2026-06-01", ["superseded", "valid"], 0),
        ("2026-12-20", ["superseded", "due"], 0),
        ("2027-06-01", ["superseded", "expired"], 3),
    ],
)
def test_the_register_says_what_is_valid_due_and_expired(site, at, states, code):
    arguments = ["calibrations", "--config", str(site), "--at", at]
    result = CliRunner().invoke(app, [*arguments, "--json"])
    assert [c["state"] for c in json.loads(result.stdout)["calibrations"]] == states
    assert result.exit_code == code
    assert "K-2" in CliRunner().invoke(app, arguments).stdout


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('[[calibrations]]\nid = "a"\n', "calibration.toml"),
        (REGISTER.replace("2027-01-01", "2024-01-01"), "ends before it begins"),
        (REGISTER.replace('"K-2"', '"K-2"\nframe = "flat.png"\nsha256 = "0"'), "flat.png"),
    ],
)
def test_a_register_that_is_wrong_is_refused(site, text, says):
    (site / "calibration.toml").write_text(text)
    result = CliRunner().invoke(app, ["calibrations", "--config", str(site)])
    assert result.exit_code == 2
    assert says in result.stderr.replace("\n", " ")
