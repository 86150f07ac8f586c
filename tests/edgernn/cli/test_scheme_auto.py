"""Scheme auto: all schemes are made and measured, the best file of each format is kept."""

from __future__ import annotations

import json
import subprocess

import numpy as np
import pytest

import edgernn
from edgernn.artefact import read_manifest
from edgernn.errors import VerificationError, WrongOption
from edgernn.export.verify import verified
from edgernn.formats import FORMATS
from edgernn.interrupts import INTERRUPTED
from edgernn.scheme import Scheme
from tests.edgernn.cli.exported import SMALL, names
from tests.golden import GOLDEN

MODEL = GOLDEN / "trained" / "digits_gru.keras"


@pytest.fixture(scope="module", autouse=True)
def quick():
    """Times that only have to be there."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("edgernn.front.automatic._ROUNDS", 1)
        patch.setattr("edgernn.front.automatic._MIN_TIME_S", 0.001)
        yield


@pytest.fixture(scope="module")
def rows():
    """Random sequences with the float model's own answers as labels."""
    x = np.random.default_rng(0).normal(size=(64, 40, 13)).astype(np.float32)
    from edgernn.export.in_scheme import float_graph
    from edgernn.export.keras.file import read_model
    from edgernn.reference import run

    graph = float_graph(read_model(MODEL).graph)
    (answers,) = run(graph, {graph.inputs[0].name: x}).values()
    return x, answers.argmax(axis=-1)


@pytest.fixture(scope="module")
def made(rows, tmp_path_factory):
    out = tmp_path_factory.mktemp("auto") / "out"
    return edgernn.load(MODEL).export(
        out, to=["native", "tflite"], scheme="auto", calibrate=rows[0], data=rows, max_drop=5
    )


def test_one_file_of_each_format_is_kept_and_nothing_else_is_written(made) -> None:
    assert sorted(one.backend for one in made.artefacts) == ["native", "tflite"]
    assert names(made.folder) == {"model.json", *made}
    assert {one.name for one in read_manifest(made.folder)} == set(made)


def test_the_smallest_that_loses_no_more_than_allowed_is_kept(made) -> None:
    for format_ in ("native", "tflite"):
        mine = [one for one in made.candidates if one.format == format_]
        able = [scheme.value for scheme in Scheme if scheme in FORMATS[format_].schemes]
        assert [one.scheme for one in mine] == able
        (kept,) = (one for one in mine if one.chosen)
        able = [one for one in mine if not one.problem]
        assert kept.bytes <= 1.05 * min(one.bytes for one in able)
        assert kept.cost <= 5
        assert all(one.p50_ms["cpu"] > 0 for one in mine)
        assert made[format_].bytes == kept.bytes


def test_the_table_and_the_manifest_list_every_candidate(made) -> None:
    text = str(made)
    assert "candidate" in text
    assert "p50 on cpu" in text
    for one in made.candidates:
        assert one.file in text
    for artefact in read_manifest(made.folder):
        able = [scheme for scheme in Scheme if scheme in FORMATS[artefact.backend].schemes]
        said = [artefact.details[f"candidate {scheme.value}"] for scheme in able]
        assert sum("(kept)" in line for line in said) == 1
        assert all("bytes, loss" in line for line in said)


def test_a_loss_that_nobody_allows_leaves_the_exact_file(rows, tmp_path, monkeypatch) -> None:
    """Float32 loses nothing; a scheme that fails its check is a line of the table."""

    def failing(artefact, check, workspace):
        if artefact.scheme in {Scheme.INT4, Scheme.INT8, Scheme.DYNAMIC}:
            raise VerificationError(f"{artefact.name} is off", remedy="none")
        return verified(artefact, check, workspace)

    monkeypatch.setattr("edgernn.export.one_format.verified", failing)
    made = edgernn.load(MODEL).export(
        tmp_path, to="native", scheme="auto", calibrate=rows[0], data=rows, max_drop=0
    )
    problems = {one.scheme: one.problem for one in made.candidates}
    assert problems["int8"] == problems["dynamic"] == "failed its check"
    assert made["native"].scheme in {"float16", "float32"}
    assert any("is the better file for native" in line for line in str(made).splitlines())


def test_without_data_the_check_decides_and_int8_needs_calibration(tmp_path) -> None:
    made = edgernn.load(SMALL).export(tmp_path, to="native", scheme="auto")
    assert {one.scheme for one in made.candidates} == {"float32", "float16", "dynamic"}
    assert all(one.cost is not None for one in made.candidates)


def test_each_runtime_has_one_process_and_progress_names_each_candidate(
    tmp_path, monkeypatch
) -> None:
    started = []

    class Counted(subprocess.Popen[bytes]):
        def __init__(self, *arguments, **options) -> None:
            super().__init__(*arguments, **options)
            started.append(self)

    monkeypatch.setattr(subprocess, "Popen", Counted)
    phases: list[str] = []
    made = edgernn.load(SMALL).export(
        tmp_path, to=["native", "onnx"], scheme="auto", progress=phases.append
    )
    assert len(made.candidates) == 6
    assert len(started) == 2
    assert all(one.poll() is not None for one in started)
    for one in made.candidates:
        assert f"{one.scheme}: checking {one.format}" in phases
        assert any(phase.startswith(f"measuring {one.file}: process 1") for phase in phases)


def test_ctrl_c_while_candidates_are_measured_leaves_nothing(
    edgernn, tmp_path, monkeypatch
) -> None:
    def interrupted(*_paths, **_options):
        raise KeyboardInterrupt

    monkeypatch.setattr("edgernn.front.automatic.report_of", interrupted)
    ran = edgernn("export", SMALL, "--to", "native", "--scheme", "auto", "-o", tmp_path / "out")
    assert ran.code == INTERRUPTED
    assert not (tmp_path / "out").exists()


def test_the_command_prints_candidates_as_json(edgernn, tmp_path) -> None:
    ran = edgernn(
        *("export", SMALL, "--to", "native", "--scheme", "auto", "--json", "-o", tmp_path / "out")
    )
    assert ran.code == 0, ran.err
    document = json.loads(ran.out)
    assert len(document["candidates"]) == 3
    assert sum(one["chosen"] for one in document["candidates"]) == len(document["artefacts"]) == 1


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"scheme": "auto,int8"}, "beside others"),
        ({"scheme": "auto", "max_drop": -1}, "max_drop"),
        ({"scheme": "float16", "device": "cpu"}, "--device"),
    ],
)
def test_options_that_contradict_it_are_refused(options, said, tmp_path) -> None:
    with pytest.raises(WrongOption, match=said):
        edgernn.load(SMALL).export(tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()
