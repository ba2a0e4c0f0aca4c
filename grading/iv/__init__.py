"""I-V analysis: fit, key figures, translation and diagnosis of many curves at a time."""

from grading.iv.analyse import analyse
from grading.iv.diode import Diodes, model_key_figures, single_diode_current
from grading.iv.fit import Fits, fit_single_diode
from grading.iv.keyfigures import Figures, key_figures
from grading.iv.translate import (
    STC,
    Conditions,
    translate_procedure_1,
    translate_procedure_2,
    translate_procedure_3,
    translate_procedure_4,
)

__all__ = [
    "STC",
    "Conditions",
    "Diodes",
    "Figures",
    "Fits",
    "analyse",
    "fit_single_diode",
    "key_figures",
    "model_key_figures",
    "single_diode_current",
    "translate_procedure_1",
    "translate_procedure_2",
    "translate_procedure_3",
    "translate_procedure_4",
]
