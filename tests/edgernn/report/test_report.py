"""What a report says, word by word, about figures that are known."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace

import numpy as np
import pytest

from edgernn.devices.fake import FakeModel
from edgernn.errors import DataError
from edgernn.profile import storage
from edgernn.profile.comparison import between_formats, between_models
from edgernn.profile.measure import Plan
from edgernn.profile.report import Reference
from edgernn.profile.rows import rows_of
from edgernn.report.csv import as_csv
from edgernn.report.derived import derived
from edgernn.report.html import as_html
from edgernn.report.markdown import as_markdown
from edgernn.report.sentences import sentences
from edgernn.report.text import as_text
from edgernn.scoring.predictions import Predictions
from edgernn.tasks import load
from edgernn.tasks.samples import Baselines
from tests.edgernn.report import reports


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    return reports.measured(tmp_path_factory.mktemp("report"))


def test_the_sentences_name_size_speed_and_accuracy(report):
    models, baseline = sentences(report)
    assert models == (
        "At equal units (128) the GRU is 24 % smaller and 1.20 × [1.20, 1.22] faster than the LSTM "
        "(onnx float32); the accuracy difference, 0.4 points, is not significant on these rows "
        "(p = 0.12)."
    )
    assert baseline == (
        "The best network reaches 99.0 % on digits:test; a linear model reaches 91.8 %."
    )


def test_without_a_significant_difference_nobody_is_called_faster(tmp_path):
    close = [[0.49], [0.51], [0.5], [0.505], [0.495]]
    report = reports.measured(tmp_path, models=reports.with_hot_ms("lstm.onnx", close))
    first = sentences(report)[0]
    assert first.startswith(
        "At equal units (128) the GRU is 24 % smaller and not significantly faster or slower (1.00"
    )


def test_rows_marked_as_unstable_give_no_verdict_however_far_apart(tmp_path):
    disturbed = [[1.4], [2.4], [1.5], [1.9], [1.45]]
    report = reports.measured(tmp_path, models=reports.with_hot_ms("lstm.onnx", disturbed))
    (comparison,) = between_models(report)
    assert comparison.slowness.interval.low > 2
    assert comparison.slowness.enough_processes
    assert not comparison.slowness.significant
    assert (
        "which is faster cannot be judged from times that are marked as unstable"
        in (sentences(report)[0])
    )


def test_the_same_artefact_several_times_is_hardly_ever_called_faster(tmp_path):
    """A/A: six files of one model take equally long, up to the noise of their processes."""
    random = np.random.default_rng(7)
    schemes = ["float32", "float16", "dynamic"]
    items = [
        reports.item(
            "gru", backend, 1000 + number, file=f"gru.{scheme}.{backend}", scheme=scheme,
            sha256=f"{number}",
        )
        for number, (backend, scheme) in enumerate(
            (backend, scheme) for backend in ("onnx", "tflite") for scheme in schemes
        )
    ]  # fmt: skip
    called = 0
    for repetition in range(40):
        folder = tmp_path / str(repetition)
        folder.mkdir()
        models = {
            one.file: FakeModel(hot_ms=[[ms] for ms in random.normal(1.0, 0.015, 5)])
            for one in items
        }
        report = reports.measured(folder, items=items, models=models, samples=None)
        (ranking,) = between_formats(report)
        called += any(ratio.significant for _, ratio in ranking.others)
    assert called <= 4  # 5 % of 40 are 2


def test_too_few_processes_give_no_verdict(tmp_path):
    first = sentences(reports.measured(tmp_path, plan=Plan(processes=3)))[0]
    assert first.startswith(
        "At equal units (128) the GRU is 24 % smaller than the LSTM, and which is faster cannot be "
        "judged from fewer than 5 processes (onnx float32); the accuracy"
    )


def test_a_faster_but_larger_model_is_the_subject(tmp_path):
    report = reports.measured(tmp_path, models=reports.with_hot_ms("lstm.onnx", [[0.25]]))
    assert sentences(report)[0].startswith(
        "At equal units (128) the LSTM is 32 % larger and 2.00 × [2.00, 2.00] faster than the GRU"
    )


def test_a_significant_difference_in_accuracy_is_called_so(tmp_path):
    models = {
        **reports.MODELS,
        "gru.onnx": replace(reports.MODELS["gru.onnx"], compute=reports.wrong_from(950)),
    }
    first = sentences(reports.measured(tmp_path, models=models))[0]
    assert first.endswith(
        "; its accuracy is 4.0 points lower, which is significant on these rows (p = 1.8e-12)."
    )


@pytest.mark.parametrize(
    ("gru", "lstm"),
    [({"task": "digits"}, {"task": "vowels"}), ({"outputs": ((10,),)}, {"outputs": ((9,),)})],
    ids=["trained on other data", "another output"],
)
def test_models_that_do_not_do_the_same_are_not_compared(tmp_path, gru, lstm):
    items = []
    for one, more in zip(reports.ITEMS, (gru, lstm), strict=False):
        assert one.training is not None
        training = replace(one.training, task=more.get("task"))
        items.append(replace(one, training=training, outputs=more.get("outputs")))
    assert len(sentences(reports.measured(tmp_path, items=items))) == 1  # the baseline's
    (known, unknown) = items[0], reports.ITEMS[1]
    assert sentences(reports.measured(tmp_path, items=[known, unknown]))[0].startswith("At equal")


def test_models_that_were_fed_differently_are_not_compared(tmp_path):
    models = {
        **reports.MODELS,
        "lstm.onnx": replace(reports.MODELS["lstm.onnx"], inputs={"x": (None, None, 2)}),
    }
    assert sentences(reports.measured(tmp_path, models=models, samples=None)) == ()


def test_models_of_different_units_are_not_called_equal(tmp_path):
    gru, lstm, _ = reports.ITEMS
    assert lstm.training is not None
    items = [gru, replace(lstm, training=replace(lstm.training, units=144))]
    first = sentences(reports.measured(tmp_path, items=items))[0]
    assert first.startswith("The GRU is 24 % smaller and 1.20 × [1.20, 1.22] faster than the LSTM")


def test_models_without_a_log_are_called_by_their_names(tmp_path):
    items = [replace(one, training=None) for one in reports.ITEMS]
    first = sentences(reports.measured(tmp_path, items=items))[0]
    assert first.startswith("gru is 24 % smaller and 1.20 × [1.20, 1.22] faster than lstm")


def test_formats_of_one_model_are_ranked(tmp_path):
    items = [
        reports.item("gru", "onnx", 76_000),
        reports.item("gru", "tflite", 78_000),
        reports.item("gru", "onnx", 40_000, file="gru.float16.onnx", scheme="float16"),
    ]
    models = {
        "gru.onnx": FakeModel(hot_ms=[[2.0]]),
        "gru.tflite": FakeModel(hot_ms=[[1.0], [1.02], [0.98], [1.0], [1.01]]),
        "gru.float16.onnx": FakeModel(hot_ms=[[1.01], [1.0], [1.02], [0.98], [1.0]]),
    }
    report = reports.measured(tmp_path, items=items, models=models, samples=None)
    (ranking,) = sentences(report)
    assert ranking == (
        "gru is fastest as tflite float32; onnx float32 takes 2.00 × [1.96, 2.05] as long, "
        "onnx float16 is not significantly slower."
    )


def test_formats_measured_in_too_few_processes_are_not_judged(tmp_path):
    items = [reports.item("gru", "onnx", 76_000), reports.item("gru", "tflite", 78_000)]
    models = {"gru.onnx": FakeModel(hot_ms=[[2.0]]), "gru.tflite": FakeModel(hot_ms=[[1.0]])}
    report = reports.measured(
        tmp_path, items=items, models=models, samples=None, plan=Plan(processes=2)
    )
    (ranking,) = sentences(report)
    assert ranking == (
        "Which of tflite float32 and onnx float32 is fastest for gru cannot be judged from fewer "
        "than 5 processes."
    )


def test_a_network_that_does_not_beat_a_linear_model_is_told_so(tmp_path):
    samples = replace(reports.SAMPLES, baselines=Baselines(trivial=0.1, linear=0.989))
    last = sentences(reports.measured(tmp_path, samples=samples))[-1]
    assert last == (
        "No network is clearly better than a linear model on digits:test: the best reaches "
        "99.0 %, a linear model reaches 98.9 %."
    )


def test_a_linear_model_that_beats_every_network_is_named_as_the_better_choice(tmp_path):
    samples = replace(reports.SAMPLES, baselines=Baselines(trivial=0.1, linear=0.999))
    last = sentences(reports.measured(tmp_path, samples=samples))[-1]
    assert last == (
        "A linear model is the better choice on digits:test: it reaches 99.9 %, the best network "
        "99.0 %."
    )


def test_several_devices_are_told_apart(tmp_path):
    report = reports.measured(tmp_path, name="desk")
    report = reports.measured(tmp_path, name="kitchen", report=report)
    said = sentences(report)
    assert "(onnx float32 on desk)" in said[0]
    assert "(onnx float32 on kitchen)" in said[1]
    assert "| device |" in as_markdown(report)
    assert "kitchen, gru.tflite: failed: litert crashed" in as_text(report)


MARKDOWN_TABLE = """\
| model | format | scheme | size | parameters | load ms | first ms | p50 ms | p95 ms | p99 ms \
| peak RSS | model RSS | accuracy | 95 % interval | F1 macro \
| F1 macro 95 % | agreement | training | best epoch \
| verification | note |
| --- | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: \
| ---: | ---: | ---: | ---: | ---: | --- | --- |
| gru | onnx | float32 | 76.0 KB | 19,000 | 4.25 | 0.900 | 0.500 | 0.520 | 0.520 | 60.0 MB \
| 10.0 MB | 98.6 % | [97.7, 99.2] | 49.6 % | [49.4, 49.8] | 100.0 % | 41.2 s | 12 \
| passed (2e-07) | – |
| lstm | onnx | float32 | 100.0 KB | 25,000 | 5.50 | 1.10 | 0.600 | 0.620 | 0.620 | 60.0 MB \
| 10.0 MB | 99.0 % | [98.2, 99.5] | 49.7 % | [49.6, 49.9] | – | 41.2 s | 12 | passed (2e-07) | – |
| gru | tflite | float32 | 78.0 KB | 19,500 | – | – | – | – | – | 60.0 MB | 10.0 MB | 98.6 % \
| [97.7, 99.2] | 49.6 % | [49.4, 49.8] | 100.0 % | 41.2 s | 12 | passed (2e-07) | failed |
| most frequent class |  |  |  |  |  |  |  |  |  |  |  | 10.0 % |  |  |  |  |  |  |  |  |
| linear model |  |  |  |  |  |  |  |  |  |  |  | 91.8 % |  |  |  |  |  |  |  |  |

gru.tflite: failed: litert crashed (SIGSEGV)
"""


def test_the_markdown_table_to_the_letter(report):
    assert as_markdown(report).startswith(MARKDOWN_TABLE)


def test_cells_cannot_break_the_markdown_table(tmp_path):
    items = [reports.item("a|b", "onnx", 10, file="x.onnx")]
    text = as_markdown(reports.measured(tmp_path, items=items, samples=None))
    assert "| a\\|b |" in text


def test_the_text_holds_the_same_and_no_control_codes(report):
    text = as_text(report)
    for figure in ("98.6 %", "[97.7, 99.2]", "0.500", "most frequent class", "SIGSEGV"):
        assert figure in text
    assert sentences(report)[0] in text.replace("\n", " ")
    assert "\x1b" not in text


def test_an_empty_report_can_be_shown(tmp_path):
    report = replace(reports.measured(tmp_path), cells=(), targets=())
    assert as_text(report) == "Nothing was measured.\n"
    assert as_markdown(report)
    assert as_csv(report).count("\n") == 1


def test_the_csv_holds_plain_numbers(report):
    rows = list(csv.DictReader(io.StringIO(as_csv(report))))
    assert [row["file"] for row in rows] == ["gru.onnx", "lstm.onnx", "gru.tflite"]
    assert (rows[0]["p50_ms"], rows[0]["file_bytes"], rows[0]["score"]) == ("0.5", "76000", "0.986")
    assert rows[2]["p50_ms"] == ""
    assert rows[2]["outcome"] == "failed: litert crashed (SIGSEGV)"


def test_the_json_is_read_back_as_the_same_report(report, tmp_path):
    path = tmp_path / "report.json"
    path.write_text(storage.as_json(report, derived=derived(report)))
    assert storage.read_report(path) == report
    document = json.loads(path.read_text())
    assert (document["format"], document["version"]) == ("edgernn-report", 3)
    assert document["summary"][0]["p50_ms"] == 0.5
    assert document["sentences"] == list(sentences(report))


def test_a_paced_run_survives_the_json(tmp_path):
    report = reports.measured(tmp_path, plan=Plan(period_ms=10.0, cpus=(1, 2)))
    path = tmp_path / "report.json"
    path.write_text(storage.as_json(report))
    again = storage.read_report(path)
    assert again == report
    assert again.cells[0].runs[0].paced is not None


def test_numbers_to_predict_are_judged_by_their_error_from_the_file_to_the_table(tmp_path):
    x = np.arange(40, dtype=np.float32).reshape(40, 1, 1)
    np.savez(tmp_path / "rows.npz", x=x, y=x[:, 0, 0] + 0.5)
    models = {
        "gru.onnx": FakeModel(compute=lambda case: {"y": case["x"][:, 0]}),
        "lstm.onnx": FakeModel(compute=lambda case: {"y": case["x"][:, 0] + 2}),
    }
    report = reports.measured(
        tmp_path,
        models=models,
        items=reports.ITEMS[:2],
        samples=load(str(tmp_path / "rows.npz")),
    )
    gru, lstm = rows_of(report)
    assert (gru.metric, gru.score, lstm.score) == ("MAE", 0.5, 1.5)
    text = as_text(report)
    assert "MAE" in text
    assert [one.metric for one in gru.scores] == ["MAE", "RMSE", "R²"]
    assert "RMSE" in text
    header, first, _ = as_csv(report).splitlines()
    assert dict(zip(header.split(","), first.split(","), strict=True))["rmse_high"] == "0.5"
    assert "[0.500, 0.500]" in text
    assert "error is 1.00 lower, which is significant" in sentences(report)[0]
    assert "95 % interval by bootstrap" in as_html(report)
    (tmp_path / "r.json").write_text(storage.as_json(report))
    assert storage.read_report(tmp_path / "r.json") == report


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is not a report"),
        ("[]", "is not a report"),
        ('{"format": "edgernn-report"}', "is not a report"),
        ('{"format": "other", "version": 1}', "has format other"),
        ('{"format": "edgernn-report", "version": 99}', "99; this edgernn reads"),
        ('{"format": "edgernn-report", "version": 1, "created": 5, "plan": {}}', "not a report"),
        (
            '{"format": "edgernn-report", "version": 1, "created": "x", "plan": {"threads": "1"}}',
            "expected int, found '1'",
        ),
        (
            '{"format": "edgernn-report", "version": 1, "created": "x", "plan": {}, "cells": 1}',
            "not a report",
        ),
    ],
)
def test_a_file_that_is_not_a_report_is_refused(tmp_path, text, message):
    path = tmp_path / "report.json"
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        storage.read_report(path)


def test_a_type_that_no_report_holds_is_a_bug_and_not_written():
    with pytest.raises(TypeError, match="does not contain set"):
        storage.encoded({1, 2})


def test_agreement_is_with_the_float32_artefact_of_the_same_model(tmp_path):
    items = [
        reports.item("gru", "onnx", 76_000),
        reports.item("gru", "onnx", 20_000, file="gru.int8.onnx", scheme="int8", sha256="q"),
    ]
    models = {
        "gru.onnx": FakeModel(compute=reports.wrong_from(990)),
        "gru.int8.onnx": FakeModel(compute=reports.wrong_from(970)),
    }
    float_row, int8_row = rows_of(reports.measured(tmp_path, items=items, models=models))
    assert int8_row.agreement == 0.98
    assert float_row.agreement is None  # nothing to agree with but itself


def test_agreement_is_with_the_original_model_where_it_is_known(report):
    classes = report.cells[0].predictions.classes
    original = Predictions(classes=(*classes[:-1], 7))
    known = report.with_reference(Reference(source_sha256="gru", predictions=original))
    assert [row.agreement for row in rows_of(known)] == [0.999, None, 0.999]
