"""EL pictures: modules found without hints, cells judged, and how fast.

    python benchmarks/el.py [--modules 126] [--pictures DIR] [--shared DIR] [--elpv DIR]

One processor thread. Rows marked † need the ELPV data set (PyPI ``elpv-dataset``, evaluation only).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2

from benchmarks._el_cells import cells
from benchmarks._el_module import accuracy, pictures, speed
from benchmarks._el_voltage import voltages


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--modules", type=int, default=42, help="rendered modules to find")
    parser.add_argument("--pictures", type=Path, help="folder for a right and a wrong answer")
    parser.add_argument("--shared", type=Path, default=Path("../shared/data/el"))
    parser.add_argument("--elpv", type=Path, help="folder elpv_dataset/data")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    accuracy(options.modules)
    voltages(options.modules // 4)
    speed()
    if options.pictures is not None:
        pictures(options.pictures)
    cells(options.shared, options.elpv)


if __name__ == "__main__":
    main()
