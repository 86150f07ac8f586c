"""Every way to give data, every kind of target: the same answers, the same metrics."""

from __future__ import annotations

import csv
import wave

import numpy as np
import pytest
from sklearn import metrics as sklearn

from edgernn.scoring.reading import predictions_of
from edgernn.scoring.truth import scores, truth_of
from edgernn.tasks.given import as_samples
from edgernn.tasks.target import Target

RANDOM = np.random.default_rng(3)
ROWS, STEPS = 40, 5
X = RANDOM.normal(size=(ROWS, STEPS, 2)).astype(np.float32)
NAMES = np.array(["bee", "cat", "dog"])

TARGETS = {
    "class": NAMES[RANDOM.integers(0, 3, ROWS)],
    "two": RANDOM.integers(0, 2, ROWS),
    "labels": RANDOM.integers(0, 2, (ROWS, 3)),
    "numbers": RANDOM.normal(size=(ROWS, 2)).round(3),
    "steps": NAMES[RANDOM.integers(0, 3, (ROWS, STEPS))],
}
#: Of tokens: no table holds them.
TOKENS = RANDOM.integers(1, 9, (ROWS, STEPS)).astype(np.int32)
SEQUENCES = np.where(np.arange(4) < RANDOM.integers(1, 5, (ROWS, 1)), TOKENS[:, :4], -1)
OF_TOKENS = {"token": RANDOM.integers(0, 9, ROWS), "sequence": SEQUENCES}
LOADERS = ("arrays", "mapping", "lists", "frame", "npz", "csv", "samples")


class Frame:
    """What numpy.asarray takes a DataFrame for."""

    def __init__(self, values):
        self._values = values

    def __array__(self, dtype=None, copy=None):
        return np.array(self._values, dtype=dtype, copy=True if copy is None else copy)


def loaded(loader, y, tmp_path):
    match loader:
        case "arrays":
            return as_samples((X, y))
        case "mapping":
            return as_samples({"x": X, "y": y})
        case "lists":
            return as_samples((X.tolist(), y.tolist()))
        case "frame":
            column = y[:, None] if y.ndim == 1 and y.dtype.kind != "U" else y
            return as_samples((Frame(X), Frame(column)))
        case "npz":
            np.savez(tmp_path / "rows.npz", x=X, y=y)
            return as_samples(tmp_path / "rows.npz")
        case "csv":
            return as_samples(written(tmp_path / "rows.csv", y), target=",".join(columns(y)))
        case _:
            return as_samples(as_samples((X, y)))


def columns(y):
    several = y.ndim == 2 and y.shape[1] != STEPS
    return [f"y{number}" for number in range(y.shape[1])] if several else ["y"]


def written(path, y):
    with path.open("w", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(["sequence", "a", *columns(y), "b"])
        for row in range(ROWS):
            for step in range(STEPS):
                by_step = y.ndim == 2 and y.shape[1] == STEPS
                said = [y[row, step]] if by_step else np.atleast_1d(y[row]).tolist()
                lines.writerow([f"s{row}", repr(float(X[row, step, 0])), *said, X[row, step, 1]])
    return path


def outputs_of(samples):
    """What some model answers, and the same as classes or numbers [N, ...]."""
    random = np.random.default_rng(5)
    match samples.target:
        case Target.NUMBERS:
            found = np.asarray(samples.y) + random.normal(size=np.asarray(samples.y).shape)
            return [{"o": one[None].astype(np.float32)} for one in found], found
        case Target.LABELS:
            found = random.random((ROWS, samples.classes)).astype(np.float32)
            return [{"o": one[None]} for one in found], (found > 0.5).astype(int)
        case Target.STEPS:
            found = random.dirichlet(np.ones(samples.classes), (ROWS, STEPS)).astype(np.float32)
        case _:
            found = random.dirichlet(np.ones(samples.classes), ROWS).astype(np.float32)
    return [{"o": one[None]} for one in found], found


@pytest.mark.parametrize("loader", LOADERS)
@pytest.mark.parametrize("target", TARGETS)
def test_every_loader_gives_every_target_and_its_metrics(loader, target, tmp_path):
    samples = loaded(loader, TARGETS[target], tmp_path)
    np.testing.assert_array_equal(samples.x, X)
    assert samples.target is Target("class" if target == "two" else target)
    cases, answers = outputs_of(samples)
    found = {
        one.metric: one.value
        for one in scores(predictions_of(cases, samples, "o"), truth_of(samples))
    }
    assert found == pytest.approx(expected(samples, answers), abs=1e-6)


@pytest.mark.parametrize("loader", ["arrays", "mapping", "lists", "npz", "samples"])
@pytest.mark.parametrize("target", OF_TOKENS)
def test_every_loader_of_tokens_gives_what_follows_and_its_metrics(loader, target, tmp_path):
    y = OF_TOKENS[target]
    np.savez(tmp_path / "rows.npz", x=TOKENS, y=y, target=np.array(target))
    given = {
        "arrays": (TOKENS, y),
        "mapping": {"x": TOKENS, "y": y},
        "lists": (TOKENS.tolist(), y.tolist()),
        "npz": tmp_path / "rows.npz",
        "samples": as_samples((TOKENS, y), target=target),
    }
    samples = as_samples(given[loader], target=None if loader in ("npz", "samples") else target)
    np.testing.assert_array_equal(samples.x, TOKENS)
    assert samples.target is Target(target)
    if target == "token":
        cases, answers = outputs_of(samples)
        wanted = {
            "perplexity": np.exp(sklearn.log_loss(y, answers / answers.sum(1)[:, None])),
            "accuracy": sklearn.accuracy_score(y, answers.argmax(axis=1)),
        }
    else:  # the same tokens, the first of each row another one
        said = np.where(np.arange(4) == 0, 9, y).astype(np.int32)
        cases = [{"o": row[None]} for row in said]
        wanted = {"edit distance": ROWS / (y >= 0).sum()}
    found = scores(predictions_of(cases, samples, "o"), truth_of(samples))
    assert {one.metric: one.value for one in found} == pytest.approx(wanted, rel=1e-6)


@pytest.mark.parametrize("classes", [2, 3])
def test_recordings_give_classes_and_their_metrics(classes, tmp_path):
    for row in range(ROWS):
        path = tmp_path / f"class{row % classes}" / f"{row:02}.wav"
        path.parent.mkdir(exist_ok=True)
        with wave.open(str(path), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(8000)
            file.writeframes(RANDOM.integers(-999, 999, 800).astype("<i2").tobytes())
    samples = as_samples(tmp_path)
    assert samples.target is Target.CLASS
    assert samples.labels == tuple(f"class{number}" for number in range(classes))
    by_name = [int(origin.split("/")[1][:2]) % classes for origin in samples.origins]
    np.testing.assert_array_equal(samples.y, by_name)
    cases, answers = outputs_of(samples)
    predictions = predictions_of(cases, samples, "o", numbers=tuple(range(classes)))
    found = {one.metric: one.value for one in scores(predictions, truth_of(samples))}
    assert found == pytest.approx(expected(samples, answers), abs=1e-6)


def expected(samples, answers):
    y = np.asarray(samples.y)
    match samples.target:
        case Target.NUMBERS:
            y, answers = y.astype(np.float64), answers.astype(np.float32).astype(np.float64)
            return {
                "MAE": sklearn.mean_absolute_error(y, answers),
                "RMSE": np.sqrt(sklearn.mean_squared_error(y, answers)),
                "R²": sklearn.r2_score(y, answers),
            }
        case Target.LABELS:
            return {"F1 macro": sklearn.f1_score(y, answers, average="macro")}
        case Target.STEPS:
            y, answers = y.ravel(), answers.reshape(-1, samples.classes)
            found = {"perplexity": np.exp(sklearn.log_loss(y, answers / answers.sum(1)[:, None]))}
        case _:
            found = {}
    chosen = answers.argmax(axis=1)
    found |= {
        "accuracy": sklearn.accuracy_score(y, chosen),
        "F1 macro": sklearn.f1_score(y, chosen, average="macro"),
    }
    if samples.target is Target.CLASS and samples.classes == 2:
        found |= {"F1": sklearn.f1_score(y, chosen), "AUC": sklearn.roc_auc_score(y, answers[:, 1])}
    return found
