"""Whatever bytes come from outside, a reader returns what they say or its own error."""

import gzip
from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from evidence.curves import read_curves
from evidence.errors import EvidenceError
from evidence.folder import PanelFile
from evidence.images import decode_image, encode_tiff
from evidence.reports import report_from_json
from evidence.store import MANIFEST, read_manifest
from evidence.toml import parse, parse_text
from grading.errors import CurveError, GradingError, ImageError
from grading.rules import RuleBook

PIXELS = np.arange(64 * 48, dtype=np.uint16).reshape(48, 64)
PICTURE = cv2.imencode(".png", PIXELS)[1].tobytes()
TIFF = encode_tiff(PIXELS)
CURVE = b"# maker: Acme\n# cells_in_series: 60\nvoltage,current,irradiance\n" + b"".join(
    f"{v},{9 - v / 10},1000\n".encode() for v in range(40)
)
RULES = Path("config/rules/second_life.toml").read_text(encoding="utf-8")


@st.composite
def damaged(draw, whole):
    """Bytes that were cut, turned, doubled or mixed with others."""
    raw = bytearray(whole)
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, max(len(raw) - 1, 0)))
        act = draw(st.sampled_from(("turn", "cut", "double", "put")))
        if act == "turn" and raw:
            raw[at] ^= draw(st.integers(1, 255))
        elif act == "cut":
            del raw[at : at + draw(st.integers(1, 200))]
        elif act == "double":
            raw[at:at] = raw[at : at + draw(st.integers(1, 200))]
        else:
            raw[at:at] = draw(st.binary(max_size=20))
    return bytes(raw)


@settings(max_examples=400, deadline=None)
@given(raw=st.binary(max_size=300) | damaged(PICTURE) | damaged(TIFF))
@example(raw=b"")
@example(raw=PICTURE[:-8])
def test_pictures(raw):
    with suppress(ImageError):
        pixels = decode_image(raw, "x.png")
        assert pixels.dtype == np.uint16
        assert pixels.ndim == 2


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(raw=st.binary(max_size=300) | damaged(CURVE) | damaged(gzip.compress(CURVE)))
def test_curves(raw, tmp_path):
    path = tmp_path / ("x.csv.gz" if raw[:2] == b"\x1f\x8b" else "x.csv")
    path.write_bytes(raw)
    with suppress(CurveError):
        for one in read_curves(path):
            assert one.curve.voltage.shape == one.curve.current.shape


@settings(max_examples=200, deadline=None)
@given(raw=damaged(RULES.encode()))
def test_rule_files(raw):
    with suppress(EvidenceError, GradingError):
        book = parse(RuleBook, parse_text(raw.decode("utf-8", "replace"), "rules.toml"), "x")
        assert book.rules


@settings(max_examples=200, deadline=None)
@given(text=st.text(max_size=200))
def test_panel_files(text):
    with suppress(EvidenceError):
        panel = parse(PanelFile, parse_text(text, "panel.toml"), "panel.toml")
        assert isinstance(panel, PanelFile)


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(raw=damaged(b'[{"name": "iv.csv", "sha256": "00", "size": 3}]'))
def test_manifests(raw, tmp_path):
    (tmp_path / MANIFEST).write_bytes(raw)
    with suppress(EvidenceError):
        assert isinstance(read_manifest(tmp_path), tuple)


@pytest.mark.parametrize("document", [{}, {"schema": 1}, {"schema": 1, "verdict": 3}])
def test_a_report_that_is_none_is_refused(document):
    with pytest.raises(EvidenceError):
        report_from_json(document)
