import gzip

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from evidence.curves import merge_nameplates, read_curves, write_curves
from grading.errors import CurveError
from grading.values import IVCurve, Nameplate, Sweep

finite = st.floats(-1e6, 1e6, allow_nan=False)


def write(folder, text, name="iv.csv"):
    path = folder / name
    path.write_text(text)
    return path


def test_columns_in_any_order_and_metadata(tmp_path):
    path = write(
        tmp_path,
        "# device: a module: with colons\n# cells_in_series: 60\n# temperature_C: 25.5\n"
        "# irradiance_W_m2: 998\n# alpha_sc_A_per_K: 0.004\n"
        "current,voltage\n5.0,0.0\n4.9,10\n\n0,37\n",
    )
    (measured,) = read_curves(path)
    np.testing.assert_array_equal(measured.curve.voltage, [0, 10, 37])
    np.testing.assert_array_equal(measured.curve.current, [5, 4.9, 0])
    np.testing.assert_array_equal(measured.curve.irradiance, [998] * 3)
    assert measured.curve.temperature == 25.5
    assert measured.nameplate == Nameplate(cells_in_series=60, alpha_sc=0.004)


def test_curves_and_sweeps_are_kept_apart_in_order(tmp_path):
    path = write(
        tmp_path,
        "curve_id,sweep,voltage,current\nb,up,0,1\na,up,0,2\nb,down,1,3\nb,up,1,4\n",
    )
    curves = [m.curve for m in read_curves(path)]
    assert [(c.curve_id, c.sweep) for c in curves] == [
        ("b", Sweep.UP),
        ("a", Sweep.UP),
        ("b", Sweep.DOWN),
    ]
    np.testing.assert_array_equal(curves[0].current, [1, 4])


def test_rows_may_leave_the_last_fields_away_and_numbers_out(tmp_path):
    path = write(tmp_path, "voltage,current,irradiance,temperature\n0,5,63.7,\n1,,63.8\n")
    curve = read_curves(path)[0].curve
    assert np.isnan(curve.current[1])
    assert curve.temperature is None
    np.testing.assert_array_equal(curve.irradiance, [63.7, 63.8])


@pytest.mark.parametrize(
    ("text", "code", "names"),
    [
        ("", "empty", "iv.csv"),
        ("voltage;current\n0;1\n", "columns", "voltage or current"),
        ("volt,current\n0,1\n", "columns", "voltage"),
        ("voltage,current\n0,1\n1,two\n", "row", "Line 3"),
        ("voltage,current\n0,1,2\n", "row", "Line 2"),
        ("# cells_in_series: sixty\nvoltage,current\n0,1\n", "metadata", "cells_in_series"),
        ("voltage,current,sweep\n0,1,sideways\n", "sweep", "sideways"),
    ],
)
def test_what_is_no_curve_names_the_place(tmp_path, text, code, names):
    with pytest.raises(CurveError) as caught:
        read_curves(write(tmp_path, text))
    assert caught.value.code == code
    assert names in caught.value.detail
    assert caught.value.remedy


def test_binary_and_truncated_gzip_are_told(tmp_path):
    binary = tmp_path / "iv.csv"
    binary.write_bytes(b"\x89PNG\xff\xfe")
    with pytest.raises(CurveError, match="not a text file"):
        read_curves(binary)
    cut = tmp_path / "iv.csv.gz"
    cut.write_bytes(gzip.compress(b"voltage,current\n" + b"0,1\n" * 1000)[:-20])
    with pytest.raises(CurveError, match="cannot be read"):
        read_curves(cut)
    with pytest.raises(CurveError, match="cannot be read"):
        read_curves(tmp_path / "absent.csv")


@given(
    voltage=arrays(np.float64, st.integers(1, 30), elements=finite),
    sweep=st.sampled_from([None, Sweep.UP, Sweep.DOWN]),
    temperature=st.none() | finite,
    data=st.data(),
)
def test_what_was_written_reads_back_to_the_last_bit(
    tmp_path_factory, voltage, sweep, temperature, data
):
    like = arrays(np.float64, voltage.size, elements=finite)
    curve = IVCurve(
        voltage=voltage,
        current=data.draw(like),
        irradiance=data.draw(st.none() | like),
        time=data.draw(st.none() | like),
        temperature=temperature,
        sweep=sweep,
        curve_id="x",
    )
    path = tmp_path_factory.mktemp("curves") / "iv.csv"
    path.write_bytes(write_curves([curve]))
    (read,) = [m.curve for m in read_curves(path)]
    for name in ("voltage", "current", "irradiance", "time"):
        np.testing.assert_array_equal(getattr(read, name), getattr(curve, name))
    assert (read.sweep, read.curve_id) == (sweep, "x")
    assert read.temperature == (None if temperature is None else pytest.approx(temperature))


def test_the_first_known_value_of_a_nameplate_wins():
    merged = merge_nameplates([Nameplate(p_mp=250), None, Nameplate(p_mp=1, v_oc=38)])
    assert merged == Nameplate(p_mp=250, v_oc=38)
