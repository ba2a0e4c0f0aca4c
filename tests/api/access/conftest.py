from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from api.access import AccessStore, Role
from api.app import create_app
from api.records import Records

PINS = {"Ann": "73105946", "Quinn": "20481975", "Max": "91736402", "Pat": "58203917"}
ROLES = {"Ann": Role.OPERATOR, "Quinn": Role.QUALITY, "Max": Role.MANAGER, "Pat": Role.PARTNER}


class Clock:
    """A clock that a test sets."""

    def __init__(self):
        self.now = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)

    def __call__(self):
        return self.now

    def pass_by(self, **span):
        self.now += timedelta(**span)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def store(database_url, clock):
    """Accounts and tokens on both kinds of database, by a clock that the test sets."""
    with closing(Records(database_url)) as records:
        yield AccessStore(records.engine, clock)


@dataclass
class Plant:
    """A service that asks people to sign in, with one of each role."""

    app: object
    address: str
    store: AccessStore
    pins: dict
    station: object

    def hire(self, name):
        """Give somebody an account; hashing a PIN takes its time, so only whom a test needs."""
        if name not in {person.name for person in self.store.people()}:
            self.store.create(name, ROLES[name], by="test", pin=PINS[name])

    def browser(self, **headers):
        return httpx.AsyncClient(base_url=self.address, timeout=10, headers=headers)


@pytest.fixture
async def plant(records, station, report, tmp_path, serve):
    records.record(report(), ())
    app = create_app(records=records, station=station, evidence_dir=tmp_path, build_id="b")
    async with serve(app) as (_, address):
        store = app.state.guard.store
        plant = Plant(app=app, address=address, store=store, pins=PINS, station=station)
        plant.hire("Ann")
        yield plant
