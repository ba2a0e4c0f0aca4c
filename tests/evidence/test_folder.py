import dataclasses
import math

import cv2
import numpy as np
import pytest

from evidence.errors import EvidenceError
from evidence.folder import evidence_files, read_evidence
from evidence.images import decode_image, is_companion, read_el_image
from evidence.store import seal
from grading.errors import ImageError
from grading.values import (
    ELImage,
    Evidence,
    Instrument,
    IVCurve,
    Nameplate,
    PanelIdentity,
    SafetyRecord,
    VisualRecord,
)


def picture(seed=0):
    return np.random.default_rng(seed).integers(0, 65536, (40, 60), dtype=np.uint16)


@pytest.fixture
def evidence():
    return Evidence(
        inspection_id="i-1",
        panel=PanelIdentity(
            panel_id="ZK-1", serial="S1", lot="L", nameplate=Nameplate(maker="M", p_mp=250.0)
        ),
        curves=(IVCurve(voltage=np.array([0.0, 0.1 + 0.2]), current=np.array([1.0, 1 / 3])),),
        image=ELImage(pixels=picture(), dark=picture(1), exposure=2.0, current=8.1),
        safety=SafetyRecord(
            insulation_resistance=500.0,
            wet_leakage_resistance=300.0,
            ground_continuity=math.inf,
            bypass_voltage=1.47,
            bypass_current=8.49,
            bypass_test_current=8.5,
        ),
        visual=VisualRecord(defects=("frame_bent",), inspector="ann"),
        instruments=(Instrument(role="tester", maker="a", model="b", serial="c", firmware="d"),),
        measured_at="2026-11-23T10:00:00.000+00:00",
        identity_confirmed=True,
    )


def test_a_sealed_panel_reads_back_as_it_was_measured(tmp_path, evidence):
    hashes = seal(tmp_path / "i-1", evidence_files(evidence))
    read = read_evidence(tmp_path / "i-1")
    assert read.files == hashes
    for field in dataclasses.fields(Evidence):
        if field.name not in ("curves", "image", "files"):
            assert getattr(read, field.name) == getattr(evidence, field.name), field.name
    np.testing.assert_array_equal(read.curves[0].voltage, evidence.curves[0].voltage)
    np.testing.assert_array_equal(read.curves[0].current, evidence.curves[0].current)
    np.testing.assert_array_equal(read.image.pixels, evidence.image.pixels)
    np.testing.assert_array_equal(read.image.dark, evidence.image.dark)
    assert (read.image.exposure, read.image.current) == (2.0, 8.1)


def test_a_folder_made_by_hand_needs_only_a_panel(tmp_path):
    (tmp_path / "panel.toml").write_text('panel_id = "ZK-7"\n')
    read = read_evidence(tmp_path)
    assert read.panel.panel_id == "ZK-7"
    assert (read.curves, read.image, read.safety, read.visual) == ((), None, None, None)
    assert [f.name for f in read.files] == ["panel.toml"]


@pytest.mark.parametrize(
    ("name", "text", "code", "names"),
    [
        ("panel.toml", "panel_id = ", "not_toml", "panel.toml"),
        ("panel.toml", "serial = 'x'", "bad_value", "panel_id"),
        ("panel.toml", "panel_id = 'x'\n[nameplate]\npmp = 3", "unknown_key", "nameplate.pmp"),
        ("safety.toml", "insulation_resistance = 'high'", "bad_value", "insulation_resistance"),
    ],
)
def test_what_is_wrong_in_a_file_is_named(tmp_path, name, text, code, names):
    (tmp_path / "panel.toml").write_text('panel_id = "ZK-7"\n')
    (tmp_path / name).write_text(text)
    with pytest.raises(EvidenceError) as caught:
        read_evidence(tmp_path)
    assert caught.value.code == code
    assert names in caught.value.detail


def test_changed_evidence_is_not_read(tmp_path, evidence):
    seal(tmp_path / "i-1", evidence_files(evidence))
    (tmp_path / "i-1" / "safety.toml").write_text("insulation_resistance = 900.0\n")
    with pytest.raises(EvidenceError) as caught:
        read_evidence(tmp_path / "i-1")
    assert caught.value.code == "changed"


def test_8_bit_and_colour_pictures_become_16_bit_grey():
    grey = np.array([[0, 1, 255]], dtype=np.uint8)
    encoded = cv2.imencode(".png", grey)[1].tobytes()
    np.testing.assert_array_equal(decode_image(encoded, "g"), [[0, 257, 65535]])
    colour = cv2.imencode(".png", np.dstack([grey] * 3))[1].tobytes()
    np.testing.assert_array_equal(decode_image(colour, "c"), [[0, 257, 65535]])


@pytest.mark.parametrize("suffix", [".png", ".tif", ".jpg"])
def test_a_picture_cut_short_is_refused(suffix):
    pixels = picture() if suffix != ".jpg" else (picture() >> 8).astype(np.uint8)
    encoded = cv2.imencode(suffix, pixels)[1].tobytes()
    assert decode_image(encoded, "whole").shape == pixels.shape
    with pytest.raises(ImageError):
        decode_image(encoded[: len(encoded) * 2 // 3], "cut")


@pytest.mark.parametrize("raw", [b"", b"voltage,current\n0,1\n", b"\x89PNG\r\n\x1a\n"])
def test_what_is_no_picture_is_refused(raw):
    with pytest.raises(ImageError) as caught:
        decode_image(raw, "x.png")
    assert "x.png" in caught.value.detail


def test_frames_beside_a_picture_are_taken_with_it(tmp_path):
    for name, seed in (("a", 0), ("a_dark", 1), ("a_flat", 2)):
        cv2.imwrite(str(tmp_path / f"{name}.png"), picture(seed))
    image = read_el_image(tmp_path / "a.png")
    np.testing.assert_array_equal(image.dark, picture(1))
    np.testing.assert_array_equal(image.flat, picture(2))
    assert is_companion(tmp_path / "a_dark.png")
    assert not is_companion(tmp_path / "a.png")
    cv2.imwrite(str(tmp_path / "a_dark.png"), picture(1)[:20])
    with pytest.raises(ImageError) as caught:
        read_el_image(tmp_path / "a.png")
    assert caught.value.code == "frame_size"
