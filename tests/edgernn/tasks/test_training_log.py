"""A training log is read back as written, refused when damaged, and recognizes its model."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from edgernn.artefact import sha256_hex
from edgernn.errors import DataError
from edgernn.report.trained import trained_text
from edgernn.tasks.reading import AS_IT_IS, Reading
from edgernn.tasks.samples import Baselines
from edgernn.tasks.score import Score
from edgernn.tasks.target import Target
from edgernn.tasks.training_log import (
    Epoch,
    OtherReached,
    Settings,
    TrainingLog,
    log_of_same,
    log_path,
    read_log,
    write_log,
)

MODEL = b"a model"
LOG = TrainingLog(
    settings=Settings(
        task="digits",
        data_sha256="0" * 64,
        reading=AS_IT_IS,
        cell="gru",
        units=128,
        layers=2,
        epochs=50,
        patience=8,
        batch_size=128,
        learning_rate=2e-3,
        seed=0,
    ),
    model="gru.keras",
    model_sha256=sha256_hex(MODEL),
    parameters=56_202,
    labels=("no", "yes"),
    features="13 MFCC",
    epochs_to_best=1,
    seconds_to_best=4.0,
    seconds=6.5,
    validation=Score(metric="accuracy", value=0.9, low=0.8, high=0.95, samples=100),
    test=Score(metric="accuracy", value=0.95, low=0.921, high=0.971, samples=1000),
    baselines=Baselines(trivial=0.1, linear=0.92),
    epochs=(
        Epoch(number=1, seconds=4.0, loss=1.0, validation_loss=0.9, validation_accuracy=0.9),
        Epoch(number=2, seconds=2.5, loss=0.5, validation_loss=1.1, validation_accuracy=0.8),
    ),
    versions={"edgernn": "0.1.0", "keras": "3.15.1"},
)

READ = replace(
    LOG.settings, reading=Reading(target=("load", "price"), kind=Target.NUMBERS, horizon=24)
)


def test_a_log_of_the_first_version_is_read(tmp_path):
    path = tmp_path / "gru.train.json"
    write_log(path, replace(LOG, settings=replace(LOG.settings, reading=Reading(hold_out="bob_*"))))
    entry = json.loads(path.read_text())
    entry["version"], entry["perplexity"] = 1, None
    entry["settings"]["hold_out"] = entry["settings"].pop("reading")["hold_out"]
    for part in ("validation", "test"):
        entry[part]["accuracy"] = entry[part].pop("value")
        del entry[part]["metric"]
    for name in ("trivial_name", "linear_name"):
        del entry["baselines"][name]
    path.write_text(json.dumps(entry))
    found = read_log(path)
    assert found.settings.reading == Reading(hold_out="bob_*")
    assert (found.test, found.baselines) == (LOG.test, LOG.baselines)


OTHERS = OtherReached(
    output="load", validation=LOG.validation, test=LOG.test, baselines=LOG.baselines
)


@pytest.mark.parametrize(
    "log",
    [
        *(LOG, replace(LOG, epochs=()), replace(LOG, settings=READ)),
        replace(LOG, output="digit", others=(OTHERS,)),
    ],
)
def test_a_log_is_read_back_as_it_was_written(tmp_path, log):
    path = log_path(tmp_path / "gru.keras")
    assert path == tmp_path / "gru.train.json"
    write_log(path, log)
    assert read_log(path) == log


@pytest.mark.parametrize(
    ("change", "saying"),
    [
        (lambda entry: entry.update(format="another"), "is not a training log that this edgernn"),
        (lambda entry: entry.update(version=99), "Update edgernn"),
        (lambda entry: entry.pop("test"), r"is not a training log \('test'\)"),
        (lambda entry: entry.update(extra=1), "is not a training log"),
        (lambda entry: entry.update(settings=3), "is not a training log"),
    ],
    ids=["format", "version", "missing", "extra", "type"],
)
def test_a_log_that_is_none_is_refused(tmp_path, change, saying):
    path = tmp_path / "gru.train.json"
    write_log(path, LOG)
    entry = json.loads(path.read_text())
    change(entry)
    path.write_text(json.dumps(entry))
    with pytest.raises(DataError, match=saying):
        read_log(path)


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"\xff\xfe", b"null"])
def test_a_damaged_log_is_refused(tmp_path, content):
    path = tmp_path / "gru.train.json"
    path.write_bytes(content)
    with pytest.raises(DataError, match="is not a training log"):
        read_log(path)


def test_a_model_is_recognized_by_its_settings_and_its_content(tmp_path):
    model = tmp_path / "gru.keras"
    assert log_of_same(model, LOG.settings) is None
    write_log(log_path(model), LOG)
    assert log_of_same(model, LOG.settings) is None
    model.write_bytes(MODEL)
    assert log_of_same(model, LOG.settings) == LOG
    assert log_of_same(model, replace(LOG.settings, units=64)) is None
    model.write_bytes(MODEL + b" changed")
    assert log_of_same(model, LOG.settings) is None


def test_the_text_tells_model_accuracy_baselines_and_cost():
    assert trained_text(LOG).splitlines() == [
        "gru.keras: gru of 128 units, 2 times, 56,202 parameters",
        (
            "test accuracy 95.0 % (92.1 % to 97.1 %, 1,000 rows); most frequent class: 10.0 %, "
            "linear model: 92.0 %"
        ),
        "best after epoch 1 of 2, 4 of 6 s",
    ]


def test_the_text_has_a_line_for_each_output():
    _, first, second, _ = trained_text(replace(LOG, output="digit", others=(OTHERS,))).splitlines()
    assert first.startswith("test accuracy of digit 95.0 %")
    assert second.startswith("test accuracy of load 95.0 %")


def test_an_untrained_model_is_called_so():
    untrained = replace(LOG, epochs=(), epochs_to_best=0, seconds=0.0, seconds_to_best=0.0)
    assert trained_text(untrained).endswith("\nuntrained: 0 epochs were asked for")
