"""``zonkeur user`` and ``zonkeur token``, and the first start of the service."""

import json
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request

import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from api.access import AccessStore, Scope
from api.main import app
from api.records import Records

START = 60.0  # s, for the service to listen


@pytest.fixture
def zonkeur(tmp_path):
    def call(*words, code=0):
        answer = CliRunner().invoke(app, [*words, "--data", str(tmp_path), "--json"])
        assert answer.exit_code == code, answer.output
        return json.loads(answer.stdout) if code == 0 else answer.stderr

    return call


@pytest.fixture
def store(tmp_path, zonkeur):
    zonkeur("db", "upgrade")
    records = Records(f"sqlite:///{tmp_path / 'records.sqlite'}")
    yield AccessStore(records.engine)
    records.close()


def test_people_are_made_listed_and_disabled(zonkeur, store):
    made = zonkeur("user", "create", "Ann", "--role", "quality")
    cookie = store.sign_in("Ann", made["pin"])
    assert store.of_cookie(cookie, by_hand=True).may(Scope.RECORDS_OVERRIDE)
    again = zonkeur("user", "pin", "Ann")
    assert store.of_cookie(cookie, by_hand=True) is None
    assert store.sign_in("Ann", again["pin"])
    assert store.sign_in_by_badge(zonkeur("user", "badge", "Ann")["badge"])
    zonkeur("user", "disable", "Ann")
    (listed,) = zonkeur("user", "list")["users"]
    assert (listed["name"], listed["role"], listed["disabled"]) == ("Ann", "quality", True)
    assert "pin" not in listed


def test_a_token_is_shown_once_and_revoked(zonkeur, store):
    made = zonkeur("token", "create", "mes", "--scope", "records:read", "--scope", "metrics:read")
    assert store.of_token(made["token"]).scopes == {Scope.RECORDS_READ, Scope.METRICS}
    (listed,) = zonkeur("token", "list")["tokens"]
    assert listed["token_id"] == made["token_id"]
    assert made["token"] not in json.dumps(listed)
    zonkeur("token", "revoke", made["token_id"])
    assert store.of_token(made["token"]) is None


@pytest.mark.parametrize(
    "words",
    [
        ("user", "pin", "Nobody"),
        ("user", "create", "mes", "--role", "service"),
        ("user", "create", "Ann", "--role", "king"),
        ("token", "create", "mes"),
        ("token", "create", "mes", "--scope", "people:manage"),
        ("token", "revoke", "nothing"),
    ],
)
def test_what_cannot_be_done_is_a_bad_call(zonkeur, words):
    assert zonkeur(*words, code=2)


def test_what_is_done_at_the_command_line_is_in_the_trail(zonkeur, store):
    zonkeur("user", "create", "Ann")
    with store._reading() as session:
        (row,) = session.execute(text("SELECT * FROM audit")).all()
    assert row.by.endswith("(command line)")
    assert (row.action, row.subject, row.detail) == ("create account", "Ann", "operator")


def started(data):
    """Start ``zonkeur serve`` and stop it; what it said, and how it answered a stranger."""
    process = subprocess.Popen(
        [sys.executable, "-m", "api.main", "serve", "--data", str(data), "--port", "0"],
        text=True,
        stdout=subprocess.PIPE,
    )
    try:
        said = []
        while not said or "Zonkeur is at" not in said[-1]:
            said.append(process.stdout.readline())
            assert said[-1], "it ended"
        said = "".join(said)
        address = re.search(r"http://[0-9.:]+", said)[0]
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(f"{address}/api/inspections", timeout=START)
        refused.value.close()
        return said, refused.value.code
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(START)
        process.stdout.close()


def test_the_first_start_prints_a_pin_once_and_nobody_gets_in_without(tmp_path, store):
    said, code = started(tmp_path)
    pin = re.search(r"sign in as manager with PIN (\d{8})", said)[1]
    assert code == 401
    assert store.sign_in("manager", pin)
    again, code = started(tmp_path)
    assert "PIN" not in again
    assert code == 401
