"""An ensemble that is compared: its members are trained once, and it is their mean."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from edgernn.scheme import Scheme
from edgernn.selection.carried import keep_needed, needed_line
from edgernn.selection.contender import Contender, Equal, Job, Role
from edgernn.selection.data import parts_of
from edgernn.selection.messages import Measure, Train
from edgernn.selection.training import (
    ORIGINAL,
    model_file,
    read_training,
    training_file,
    write_training,
)
from edgernn.selection.work import Forms
from edgernn.selection.worker import carried_out
from edgernn.tasks.samples import Samples
from edgernn.tasks.split import split
from edgernn.tasks.task import Recipe
from edgernn.tasks.training_log import log_path, read_log
from tests.edgernn.selection.crews import result_of
from tests.edgernn.selection.test_plan import planned, trained

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

NAMES = ("gru", "lstm", "gru+lstm", "gru+gru", "lstm+lstm")
FORMS = Forms(formats=("native",), schemes=(Scheme.FLOAT32, Scheme.INT8))
NO_FORMS = Forms(formats=(), schemes=())


def ensembles(*names, controls=("gru+gru", "lstm+lstm")):
    group = tuple(Contender(architecture=one, units=16) for one in names)
    return replace(planned(), groups={Equal.UNITS: group}, controls=controls)


def kept_training(folder, key) -> Any:
    """That must be there."""
    found = read_training(folder, key)
    assert found is not None
    return found


def keep(crew, folder):
    """The results with scores in all forms, so that none is asked for again."""
    for job in crew.trained:
        scores = {ORIGINAL: (1.0, 0.0), "native int8": (1.0, 0.0)}
        write_training(folder, result_of(job, scores=scores))


def begun(crew):
    return [(job.contender.architecture, job.repetition) for job in crew.trained]


def test_members_are_trained_once_and_before_the_ensembles_that_they_are_in(tmp_path):
    _, crew = trained(ensembles(*NAMES), tmp_path, most=100)
    order = begun(crew)
    assert len(set(order)) == len(order) == 3 * 7  # 5 contenders, three more GRUs and LSTMs
    for job in crew.trained:
        members = [(one.contender.architecture, one.repetition) for one in job.members]
        place = order.index((job.contender.architecture, job.repetition))
        assert all(order.index(one) < place for one in members)


def test_members_that_nobody_asked_for_get_no_files(tmp_path):
    found, crew = trained(ensembles("gru", "gru+lstm", controls=()), tmp_path, most=100)
    assert [one.architecture for one in found.trainings] == ["gru", "gru+lstm"]
    assert {job.contender.architecture for job in crew.trained} == {"gru", "lstm", "gru+lstm"}
    assert found.left_out == 0
    given = {order.job.contender.architecture: order.forms for order in crew.given}
    assert given["lstm"] == NO_FORMS
    assert given["gru"] == given["gru+lstm"] != NO_FORMS


def test_an_ensemble_that_has_a_result_needs_its_members_no_more(tmp_path):
    plan = ensembles("gru", "gru+lstm", controls=())
    _, crew = trained(plan, tmp_path, most=100)
    keep(crew, tmp_path)
    for job in crew.trained:
        if job.contender.architecture == "lstm":
            training_file(tmp_path, job.key).unlink()
    _, again = trained(plan, tmp_path, most=100)
    assert again.trained == []


def test_an_ensemble_whose_member_the_time_left_out_is_left_out(tmp_path):
    found, crew = trained(ensembles(*NAMES), tmp_path, most=13)
    assert begun(crew)[-1] == ("gru+gru", 1)  # a fourth LSTM would be next
    counted = {one.architecture: len(runs) for one, runs in found.trainings.items()}
    assert counted == {"gru": 3, "lstm": 3, "gru+lstm": 3, "gru+gru": 2}
    assert found.left_out == 15 - 12


def test_a_member_whose_model_is_gone_is_trained_again(tmp_path):
    plan = ensembles("gru", "gru+lstm", controls=())
    _, crew = trained(plan, tmp_path, most=100)
    keep(crew, tmp_path)
    gru, _, ensemble = crew.trained[:3]
    model_file(tmp_path, gru.key).unlink()
    training_file(tmp_path, ensemble.key).unlink()
    _, again = trained(plan, tmp_path, most=100)
    assert again.trained == [gru, ensemble]


def rows():
    random = np.random.default_rng(0)
    x = random.normal(3.0, 2.0, size=(160, 6, 2)).astype(np.float32)
    return split(Samples(name="mine", x=x, y=(x.sum(axis=(1, 2)) > 36).astype(np.int64)))


def order(name, forms=FORMS):
    job = Job(
        contender=Contender(architecture=name, units=4),
        recipe=Recipe(units=4, epochs=2),
        repetition=0,
        data_sha256="0",
    )
    return Train(job=job, forms=forms)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Of trainings: gru+lstm and its members."""
    pytest.importorskip("tensorflow")
    made = tmp_path_factory.mktemp("ensemble")
    for name in ("gru", "lstm", "gru+lstm"):
        answer = carried_out(order(name), rows(), made)
        assert not answer.error, answer
    return made


def test_an_ensemble_answers_with_the_mean_of_its_members_as_keras_computes_it(folder):
    keras = pytest.importorskip("keras")
    whole, *members = (
        keras.models.load_model(model_file(folder, order(name).job.key))
        for name in ("gru+lstm", "gru", "lstm")
    )
    x = rows().test.x
    answers = [np.asarray(member(x)) for member in members]
    np.testing.assert_allclose(np.asarray(whole(x)), np.mean(answers, axis=0), atol=1e-6)
    assert np.abs(answers[0] - answers[1]).max() > 0.01
    inputs = [layer.mean for layer in whole.layers if layer.name.startswith("standardize")]
    assert len(inputs) == 2
    assert np.abs(np.asarray(inputs[0]) - np.asarray(inputs[1])).max() > 0  # each has other rows


@pytest.mark.parametrize("name", ["gru", "gru+lstm"])
def test_the_log_of_a_training_has_the_scores_that_keras_computes(folder, name):
    keras = pytest.importorskip("keras")
    job = order(name).job
    model = keras.models.load_model(model_file(folder, job.key))
    log = read_log(log_path(model_file(folder, job.key)))
    parts = [(rows().test, log.test)]
    if not job.members:  # each of them has validation rows of its own
        parts.append((parts_of(rows(), job).validation, log.validation))
    for part, said in parts:
        chosen = np.asarray(model(part.x)).argmax(axis=-1)
        assert said.value == pytest.approx((chosen == part.y).mean())


def test_an_ensemble_costs_what_its_members_cost(folder):
    whole, *members = (
        kept_training(folder, order(name).job.key) for name in ("gru+lstm", "gru", "lstm")
    )
    assert whole.seconds == pytest.approx(sum(one.seconds for one in members))
    assert whole.parameters == sum(one.parameters for one in members)
    assert whole.peak_bytes >= max(one.peak_bytes for one in members)
    assert whole.curve == ()
    assert whole.scores.keys() == {"original", "native float32", "native int8"}
    assert whole.scores["native float32"] == whole.scores["original"]
    log = read_log(log_path(model_file(folder, order("gru+lstm").job.key)))
    assert log.settings.cell == "gru+lstm"
    assert log.test.value == pytest.approx(whole.score("original"))


def test_its_bytes_are_known_before_it_is_trained(folder):
    job = order("gru+lstm").job
    measured = carried_out(
        Measure(contender=job.contender, recipe=job.recipe, forms=FORMS, role=Role.COMPARED),
        rows(),
        folder,
    )
    assert measured.bytes == kept_training(folder, job.key).bytes


def test_a_host_that_trained_neither_member_gets_both(folder, tmp_path):
    keep_needed(needed_line(folder, order("gru+lstm")), tmp_path, order("gru+lstm"))
    answer = carried_out(order("gru+lstm"), rows(), tmp_path)
    assert not answer.error, answer
    key = order("gru+lstm").job.key
    assert kept_training(tmp_path, key).scores == kept_training(folder, key).scores
