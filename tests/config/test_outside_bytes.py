"""Whatever a site's file holds, it is loaded or refused with an error of ours."""

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from config.load import SHIPPED, load_grading, load_site, load_station
from evidence.errors import EvidenceError
from grading.errors import GradingError

LOADERS = {
    "rules.toml": load_grading,
    "prices.toml": load_grading,
    "uncertainty.toml": load_grading,
    "calibration.toml": load_grading,
    "site.toml": load_site,
    "station.toml": load_station,
}


@st.composite
def damaged(draw, whole):
    """Bytes that were cut or turned, or hold something else."""
    raw = bytearray(whole)
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, max(len(raw) - 1, 0)))
        if draw(st.booleans()):
            raw[at : at + draw(st.integers(0, 30))] = draw(st.binary(max_size=10))
        else:
            raw[at : at + 1] = draw(st.sampled_from((b"0", b"9", b"-", b"nan", b'"', b"\n", b"=")))
    return bytes(raw)


@pytest.mark.parametrize("name", LOADERS)
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_a_sites_file(name, data, tmp_path):
    shipped = Path("config", SHIPPED[name]).read_bytes()
    (tmp_path / name).write_bytes(data.draw(damaged(shipped)))
    with suppress(EvidenceError, GradingError):
        assert LOADERS[name](tmp_path) is not None


def test_a_file_that_is_not_utf_8_is_named(tmp_path):
    (tmp_path / "site.toml").write_bytes('name = "Gebrüder"\n'.encode("latin-1"))
    with pytest.raises(EvidenceError, match=r"site\.toml is not UTF-8"):
        load_site(tmp_path)
