"""The Python interface.  `edgernn.NAME` is the NAME of this module, imported when it is used.

    model = edgernn.load("gru.keras")
    made = model.export("out/", scheme="int8", calibrate=x[:200])
    report = made.profile(device="cpu", data=(x_test, y_test))

`edgernn.export` and `edgernn.profile` are packages, so exporting and measuring are methods.
"""

from edgernn.aware.model import quantization_aware
from edgernn.front.budgets import Checked
from edgernn.front.comparing import Compared, compare
from edgernn.front.comparing_files import ComparedModels, compare_models
from edgernn.front.known import KnownDevice, KnownTask, known_devices, known_tasks
from edgernn.front.loaded import Loaded, load
from edgernn.front.made import Made, MadeFile
from edgernn.front.measuring import measure
from edgernn.front.reports import Report
from edgernn.front.searching import Found, search
from edgernn.kits import Packaged, package

__all__ = [
    "Checked",
    "Compared",
    "ComparedModels",
    "Found",
    "KnownDevice",
    "KnownTask",
    "Loaded",
    "Made",
    "MadeFile",
    "Packaged",
    "Report",
    "compare",
    "compare_models",
    "known_devices",
    "known_tasks",
    "load",
    "measure",
    "package",
    "quantization_aware",
    "search",
]
