from contextlib import closing
from dataclasses import replace
from importlib import resources

import pytest

from api.commands.grade import load_criteria
from api.records import Records
from evidence.folder import evidence_files, read_evidence
from evidence.store import seal
from grading.values import ELImage, Evidence, PanelIdentity, Sweep, VisualRecord
from grading.verdict import grade
from simulators.population import make_panel

T0 = "2026-11-23T10:15:00.000+00:00"
RULES = resources.files("config").joinpath("rules", "second_life.toml").read_text()


@pytest.fixture(scope="session")
def judged(tmp_path_factory):
    """Really judged panels: sealed evidence and the report of each."""
    folder = tmp_path_factory.mktemp("judged")
    criteria = load_criteria()
    reports = []
    for number in (2, 3, 5):
        panel = make_panel(number)
        name = f"i-{number}"
        evidence = Evidence(
            inspection_id=name,
            panel=PanelIdentity(
                panel_id=panel.panel_id, serial=panel.serial, nameplate=panel.nameplate
            ),
            curves=tuple(panel.sweep(s, irradiance=1000.0, points=120) for s in Sweep),
            image=ELImage(pixels=panel.photograph(current=panel.nameplate.i_sc), exposure=0.2),
            safety=panel.safety,
            visual=VisualRecord(defects=(), inspector="Ann"),
            measured_at=T0,
            identity_confirmed=True,
        )
        seal(folder / name, evidence_files(evidence))
        reports.append(grade(read_evidence(folder / name), criteria))
    return folder, tuple(reports)


@pytest.fixture
def site(tmp_path, judged):
    """A station's data folder with these panels recorded; returns folder and reports."""
    folder, reports = judged
    data = tmp_path / "var"
    (data / "evidence").mkdir(parents=True)
    for source in folder.iterdir():
        files = {path.name: path.read_bytes() for path in source.iterdir()}
        files.pop("manifest.json")
        seal(data / "evidence" / source.name, files)
    with closing(Records(f"sqlite:///{data / 'records.sqlite'}")) as records:
        for report in reports:
            records.record(report, ())
    return data, reports


@pytest.fixture
def stricter(tmp_path):
    """Rules that want 99.9% of the nameplate."""
    path = tmp_path / "stricter.toml"
    path.write_text(RULES.replace("at_least = 0.70", "at_least = 0.999"))
    return path


@pytest.fixture
def records(site):
    with closing(Records(f"sqlite:///{site[0] / 'records.sqlite'}")) as records:
        yield records


@pytest.fixture
def criteria():
    return replace(load_criteria(), cell_model=None)
