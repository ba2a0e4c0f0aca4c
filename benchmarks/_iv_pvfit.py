"""pvfit's orthogonal fit, timed by an interpreter that has it: ``PYTHON _iv_pvfit.py CURVES.npz``.

pvfit (0.0.1) wants NumPy 1, so it lives in an environment of its own and no part of this product
is imported here. Prints one JSON document: seconds a curve, and the parameters of each fit in
the order photocurrent, saturation current, series and shunt resistance, nNsVth.
"""

from __future__ import annotations

import json
import logging
import sys
import time
import warnings

import numpy as np


def main(path: str) -> None:
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    from pvfit.common import k_B_J_per_K, q_C  # type: ignore[import-not-found]
    from pvfit.measurement.iv.types import IVCurve  # type: ignore[import-not-found]
    from pvfit.modeling.dc.single_diode.equation.simple import (  # type: ignore[import-not-found]
        inference_iv_curve,
    )

    curves = np.load(path)
    cells, celsius = int(curves["cells"]), float(curves["celsius"])
    thermal = cells * k_B_J_per_K / q_C * (celsius + 273.15)
    fits: list[list[float]] = []
    begin = time.perf_counter()
    for voltage, current in zip(curves["voltage"], curves["current"], strict=True):
        found = inference_iv_curve.fit(
            iv_curve=IVCurve(V_V=voltage, I_A=current),
            model_parameters_unfittable={"N_s": cells, "T_degC": celsius},
        )["model_parameters"]
        fits.append(
            [
                float(found["I_ph_A"]),
                float(found["I_rs_A"]),
                float(found["R_s_Ohm"]),
                float(1.0 / max(found["G_p_S"], 1e-12)),
                float(found["n"]) * thermal,
            ]
        )
    seconds = (time.perf_counter() - begin) / len(fits)
    print(json.dumps({"seconds": seconds, "fits": fits}))


if __name__ == "__main__":
    main(sys.argv[1])
