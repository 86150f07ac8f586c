"""What is read of PyTorch's files is written in every format: float32, int8, and step by step."""

from __future__ import annotations

from typing import Final

import pytest

import edgernn
from edgernn.artefact import VerificationStatus
from edgernn.errors import UnsupportedLayer
from tests.export.onnx_file.golden import FILES, FOLDER, PROGRAMS, UNROLLED, made_up

READ: Final = [name for name in (*FILES, *PROGRAMS) if name not in UNROLLED]
#: Run each time; the others are long tests.
OFTEN: Final = ("convolved.legacy.onnx", "cell_loop.free.pt2", "stateful.free.pt2")

#: Models that need later steps, and what their refusal says.
WHOLE: Final = {
    "backwards": "backward in time",
    "bigru_all": "backward in time",
    "bigru_max": "backward in time",
    "bigru_states": "backward in time",
    "bilstm_both": "backward in time",
    "head": "backward in time",
    "words": "backward in time",
    "causal": "whole sequence",  # takes [batch, channels, time]
    "convolved": "later steps|look",
    "crnn": "later steps|look",
    "pooled": "whole sequence",
}

FILE = pytest.mark.parametrize(
    "file", [name if name in OFTEN else pytest.param(name, marks=pytest.mark.long) for name in READ]
)


#: With a free axis of time, these have a free axis where native files have fixed ones.
NOT_NATIVE: Final = ("causal.legacy.onnx", "pooled.legacy.onnx")


def assert_verified(made, formats=frozenset({"onnx", "tflite", "native"})):
    assert {one.backend for one in made.artefacts} == formats, made.refusal_sentences
    statuses = {one.name: one.verification.status for one in made.artefacts}
    assert set(statuses.values()) == {VerificationStatus.PASSED}, statuses


@FILE
def test_float_and_int8_files_pass_their_check(file, tmp_path):
    model = edgernn.load(FOLDER / file)
    rows = made_up(model.model, 60)
    given = next(iter(rows.values())) if len(rows) == 1 else rows
    made = model.export(tmp_path, scheme=["float32", "int8"], calibrate=given)
    if file not in NOT_NATIVE:
        assert_verified(made)
        return
    assert_verified(made, {"onnx", "tflite"})
    assert all("may be free in the runtime" in words for words in made.refusal_sentences)


@FILE
def test_a_step_of_each_model_passes_its_check_or_is_refused(file, tmp_path):
    model = edgernn.load(FOLDER / file)
    reason = WHOLE.get(file.partition(".")[0])
    if reason is None:
        assert_verified(model.export(tmp_path, streaming=True))
        return
    with pytest.raises(UnsupportedLayer, match=reason) as refusal:
        model.export(tmp_path, streaming=True)
    assert "--streaming" in refusal.value.remedy or "left" in refusal.value.remedy


def test_at_least_ten_models_run_step_by_step():
    models = {name.partition(".")[0] for name in READ}
    assert len(models - set(WHOLE)) >= 10
