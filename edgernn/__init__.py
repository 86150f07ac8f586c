"""edgernn puts quantized GRU and LSTM models on small devices.

>>> model = edgernn.load("gru.keras")
>>> made = model.export("out/", scheme="int8", calibrate=x[:200])
>>> report = made.profile(device="cpu", data=(x_test, y_test))
>>> native = edgernn.Model(made["native"].path)

Each name is imported when it is used: `edgernn.Model` alone loads in milliseconds.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from edgernn.version import __version__ as __version__

if TYPE_CHECKING:
    from edgernn import errors as errors
    from edgernn.api import Checked as Checked
    from edgernn.api import Compared as Compared
    from edgernn.api import ComparedModels as ComparedModels
    from edgernn.api import Found as Found
    from edgernn.api import KnownDevice as KnownDevice
    from edgernn.api import KnownTask as KnownTask
    from edgernn.api import Loaded as Loaded
    from edgernn.api import Made as Made
    from edgernn.api import MadeFile as MadeFile
    from edgernn.api import Packaged as Packaged
    from edgernn.api import Report as Report
    from edgernn.api import compare as compare
    from edgernn.api import compare_models as compare_models
    from edgernn.api import known_devices as known_devices
    from edgernn.api import known_tasks as known_tasks
    from edgernn.api import load as load
    from edgernn.api import measure as measure
    from edgernn.api import package as package
    from edgernn.api import quantization_aware as quantization_aware
    from edgernn.api import search as search
    from edgernn.runtime import Model as Model
    from edgernn.runtime import Session as Session

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
    "Model",
    "Packaged",
    "Report",
    "Session",
    "compare",
    "compare_models",
    "errors",
    "known_devices",
    "known_tasks",
    "load",
    "measure",
    "package",
    "quantization_aware",
    "search",
]


def __getattr__(name: str) -> object:
    """The names of `__all__`, imported when they are used."""
    if name == "errors":
        return import_module("edgernn.errors")
    if name in ("Model", "Session"):
        return getattr(import_module("edgernn.runtime"), name)
    if name in __all__:
        return getattr(import_module("edgernn.api"), name)
    raise AttributeError(f"module 'edgernn' has no attribute '{name}'")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
