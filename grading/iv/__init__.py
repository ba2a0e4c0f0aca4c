"""I-V analysis: fit, key figures, translation and diagnosis of many curves at a time."""

from grading.iv.analyse import analyse
from grading.iv.coefficients import Determined, Sample, determine
from grading.iv.diode import Diodes, model_key_figures, single_diode_current
from grading.iv.fit import Fits, fit_single_diode
from grading.iv.hysteresis import Combined, hysteresis
from grading.iv.keyfigures import Figures, key_figures
from grading.iv.module import ModuleModel
from grading.iv.standard import Measured, standard_figures, translate_diodes
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
    "Combined",
    "Conditions",
    "Determined",
    "Diodes",
    "Figures",
    "Fits",
    "Measured",
    "ModuleModel",
    "Sample",
    "analyse",
    "determine",
    "fit_single_diode",
    "hysteresis",
    "key_figures",
    "model_key_figures",
    "single_diode_current",
    "standard_figures",
    "translate_diodes",
    "translate_procedure_1",
    "translate_procedure_2",
    "translate_procedure_3",
    "translate_procedure_4",
]
