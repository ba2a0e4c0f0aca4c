import json
from importlib import resources

import cv2
import pytest
from typer.testing import CliRunner

from api.main import app

RULES = resources.files("config").joinpath("rules", "second_life.toml").read_text()


def zonkeur(*arguments):
    return CliRunner().invoke(app, ["rules", *map(str, arguments)])


@pytest.fixture
def file(tmp_path):
    def write(text):
        path = tmp_path / "rules.toml"
        path.write_text(text)
        return path

    return write


def test_the_shipped_rules_are_sound():
    assert json.loads(zonkeur("check", "--json").stdout)["sound"]


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('"nameplate_ratio", at_least = 0.70', '"moon", at_least = 1', "'moon'"),
        ("at_most = 1.10", "at_most = 0.60", "contradict"),
        ('name = "B"\nconditions', 'name = "B"\nkonditions', "konditions"),
        ("{ feature = \"nameplate_ratio\", at_least = 0.90 }", '{ feature = "nameplate_ratio" }',
         "exactly one of"),
        ('power_low = { nl = "Vermogen te laag", en', 'power_low = { en', "power_low"),
        ('hold = "hold"', "", "no destination is given for hold"),
        ("false_accept = 0.05", "false_accept = 0.5", "must lie between"),
        ('otherwise = "reject"\nreason = "visual_defect"',
         'otherwise = "pass"\nreason = "visual_defect"', "passes a panel"),
        ('reason = "dark_cell"', 'reason = "gloomy"', "has no text"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_in_words(file, old, new, says):
    assert old in RULES
    found = zonkeur("check", file(RULES.replace(old, new)), "--json")
    assert found.exit_code == 3
    assert says in json.loads(found.stdout)["detail"]


def test_the_curve_of_a_rule_is_drawn(tmp_path):
    out = tmp_path / "oc.png"
    told = zonkeur("curve", "--rule", "power", "--out", out, "--json")
    found = json.loads(told.stdout)
    assert found["limit"] == 0.7
    assert 0.01 < found["guard"] < 0.03
    picture = cv2.imread(str(out))
    for bgr in ((57, 111, 23), (28, 34, 178)):
        assert (abs(picture.astype(int) - bgr).max(axis=2) < 60).mean() > 0.1


@pytest.mark.parametrize(
    ("rule", "says"), [("moon", "There is no rule"), ("curve_sound", "no numeric limit"),
                       ("insulation", "--u")]
)  # fmt: skip
def test_what_has_no_curve_is_said(tmp_path, rule, says):
    refused = zonkeur("curve", "--rule", rule, "--out", tmp_path / "x.png")
    assert refused.exit_code == 2
    assert says in refused.stderr


def test_an_uncertainty_can_be_given(tmp_path):
    told = zonkeur(
        "curve", "--rule", "insulation", "--u", "2", "--out", tmp_path / "x.png", "--json"
    )
    assert json.loads(told.stdout)["guard"] == pytest.approx(3.29, abs=0.01)
