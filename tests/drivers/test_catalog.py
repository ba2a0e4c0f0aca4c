"""What every driver has in common, found by walking the catalogue."""

from __future__ import annotations

import inspect
import tomllib
from importlib import resources
from pathlib import Path

import pytest
from pydantic import BaseModel

from drivers import roles
from drivers.catalog import CATALOG, PLACES, create
from drivers.errors import DeviceUnreachable
from evidence.errors import EvidenceError

ROLES = {
    "washer": roles.WashLine,
    "tester": roles.FlashTester,
    "camera": roles.ELCamera,
    "source": roles.CurrentSource,
    "insulation": roles.InsulationTester,
    "intake_scanner": roles.Scanner,
    "cabinet_scanner": roles.Scanner,
    "printer": roles.LabelPrinter,
}
# Where nobody answers.
NOWHERE = {
    "url": {"wash_modbus": "tcp://127.0.0.1:1", "label_zpl": "tcp://127.0.0.1:1"},
    "path": "/does-not-exist",
    "source": "/does-not-exist.avi",
}
EACH = [(place, kind) for place, kinds in PLACES.items() for kind in kinds]


def table(kind: str) -> dict[str, object]:
    fields = CATALOG[kind].settings.model_fields
    where: dict[str, object] = {"kind": kind}
    if "url" in fields:
        where["url"] = NOWHERE["url"].get(kind, "/dev/does-not-exist")
    where |= {key: NOWHERE[key] for key in ("path", "source") if key in fields}
    return where


def verbs(role: type) -> list[str]:
    return [name for name, verb in vars(role).items() if callable(verb) and name[0] != "_"]


@pytest.mark.parametrize(("place", "kind"), EACH)
def test_driver_fills_its_role(place, kind):
    device = create(place, table(kind))
    assert device.name == place
    for verb in ("connect", "close", *verbs(ROLES[place])):
        ours, theirs = getattr(type(device), verb), getattr(ROLES[place], verb)
        wanted, given = inspect.signature(theirs), inspect.signature(ours)
        assert list(given.parameters) == list(wanted.parameters)
        assert inspect.iscoroutinefunction(ours) or inspect.isasyncgenfunction(ours)
        assert ours.__doc__


@pytest.mark.parametrize("kind", CATALOG)
def test_settings_are_strict_and_frozen(kind):
    settings = CATALOG[kind].settings
    assert issubclass(settings, BaseModel)
    assert settings.model_config["extra"] == "forbid"
    assert settings.model_config["frozen"]
    assert settings.model_fields["kind"].default == kind
    assert settings.__doc__


@pytest.mark.parametrize(("place", "kind"), EACH)
async def test_nobody_there_is_said_so_and_can_be_closed(place, kind):
    if kind == "scanner_keyboard":
        return  # it has no link
    device = create(place, table(kind))
    await device.close()
    with pytest.raises(DeviceUnreachable) as caught:
        await device.connect()
    assert caught.value.device == place
    assert caught.value.detail.endswith(".")
    assert caught.value.remedy.endswith(".")
    await device.close()
    await device.close()


@pytest.mark.parametrize(
    ("place", "settings", "says"),
    [
        ("washer", {}, "kind None is none of wash_modbus"),
        ("washer", {"kind": "flash_scpi", "url": "x"}, "none of wash_modbus"),
        ("oven", {"kind": "flash_scpi"}, "no such device"),
        ("tester", {"kind": "flash_scpi"}, "url: Field required"),
        ("tester", {"kind": "flash_scpi", "url": "x", "boud": 1}, "boud: Extra inputs"),
        ("tester", {"kind": "flash_scpi", "url": "x", "timeout": -1}, "timeout"),
    ],
)
def test_wrong_configuration_is_told_in_words(place, settings, says):
    with pytest.raises(EvidenceError, match=says) as caught:
        create(place, settings)
    assert caught.value.remedy


def test_the_shipped_station_names_only_what_there_is():
    shipped = tomllib.loads((resources.files("config") / "station.toml").read_text("utf-8"))
    for place, settings in shipped["devices"].items():
        assert create(place, settings).name == place


def test_every_kind_is_documented():
    text = (Path(__file__).parents[2] / "docs" / "devices.md").read_text("utf-8")
    for kind, entry in CATALOG.items():
        assert f"`{kind}`" in text
        for field in entry.settings.model_fields:
            assert f"`{field}`" in text, f"{kind}.{field}"
