"""Each row of the table of formats names code that is there, and is found by name and suffix."""

from __future__ import annotations

import inspect
import subprocess
import sys
from dataclasses import replace
from enum import Enum
from pathlib import Path

import pytest

from edgernn.devices.runners import runner_for
from edgernn.devices.runners.runner import Runner
from edgernn.export import backend_named
from edgernn.export.backend import Backend
from edgernn.export.onnx import options as onnx
from edgernn.export.tflite import options as tflite
from edgernn.formats import FORMATS, format_named, format_of, options_by_format, suffixes


@pytest.mark.parametrize("name", FORMATS)
def test_the_back_end_and_the_runner_of_a_row_can_be_loaded(name):
    assert isinstance(backend_named(name), Backend)
    assert FORMATS[name].runner is None or isinstance(runner_for(name), Runner)


def test_no_two_formats_share_a_suffix_and_names_are_the_keys():
    assert len(set(suffixes())) == len(FORMATS)
    assert {".onnx", ".tflite", ".ernn"} <= set(suffixes())
    assert all(row.name == name and row.schemes for name, row in FORMATS.items())


def test_a_format_is_found_by_the_suffix_of_a_file():
    assert format_of(Path("out/gru.step.int8.ernn")) is FORMATS["native"]
    assert format_of("gru.onnx") is FORMATS["onnx"]
    assert format_of("gru.keras") is None
    assert format_of("onnx") is None


def test_a_name_that_no_format_has_is_refused_with_the_nearest():
    assert format_named("tflite") is FORMATS["tflite"]
    with pytest.raises(ValueError, match=r"no format 'tflit'. Did you mean 'tflite'\?"):
        format_named("tflit")
    with pytest.raises(ValueError, match="The formats are onnx, tflite"):
        format_named("coreml")


def test_every_option_is_a_keyword_of_its_back_end_with_a_default():
    for row in FORMATS.values():
        keywords = inspect.signature(backend_named(row.name).lower).parameters
        for option in row.options:
            assert keywords[option.name].default == option.choices[0]


def test_the_choices_of_an_option_are_those_that_the_back_end_knows():
    known: dict[str, type[Enum]] = {
        "--onnx-gru": onnx.GruForm,
        "--onnx-lstm": onnx.LstmForm,
        "--onnx-profile": onnx.Profile,
        "--tflite-profile": tflite.Profile,
        "--runtime-min": tflite.Runtime,
        "--io": tflite.Io,
    }
    offered = {one.flag: one.choices for row in FORMATS.values() for one in row.options}
    for flag, kind in known.items():
        assert offered[flag] == tuple(one.value for one in kind)


def test_options_go_to_their_format_and_those_not_given_nowhere():
    given = {"onnx_profile": "qnn", "tflite_profile": "micro", "onnx_gru": None}
    assert options_by_format(given) == {
        "onnx": {"profile": "qnn"},
        "tflite": {"profile": "micro"},
    }


def test_a_row_that_names_something_else_is_refused(monkeypatch):
    wrong = replace(FORMATS["onnx"], backend="edgernn.export.onnx:lower", runner="math:pi")
    monkeypatch.setitem(FORMATS, "onnx", wrong)
    with pytest.raises(TypeError, match="not a Backend"):
        backend_named("onnx")
    with pytest.raises(TypeError, match="not a Runner"):
        runner_for("onnx")


def test_the_table_imports_nothing_of_what_it_names():
    script = "import sys, edgernn.formats; print(*sorted(sys.modules))"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, text=True)
    loaded = {name for name in ran.stdout.split() if name.startswith("edgernn")}
    assert loaded <= {"edgernn", "edgernn.formats", "edgernn.scheme", "edgernn.version"}
    assert "numpy" not in ran.stdout.split()
