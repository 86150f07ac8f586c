"""`print(model)` shows what a caller needs to know."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import edgernn
from edgernn import streaming
from edgernn.export.native import lower
from tests.edgernn.runtime.models import cell, graph_of


def test_a_printed_model_shows_its_ports_scheme_size_and_labels(tmp_path: Path) -> None:
    gru = cell("gru", np.random.default_rng(0), units=6, features=3)
    labels = '["no", "yes"]'
    content = lower(
        graph_of(gru, features=3), metadata={"scheme": "float32", "labels": labels}
    ).content
    path = tmp_path / "gru.ernn"
    path.write_bytes(content)
    assert str(edgernn.Model(path)).splitlines() == [
        f"gru.ernn: native model, float32, {len(content):,} bytes",
        "  input   x (batch, steps, 3) float32",
        "  output  y (batch, 6) float32",
        "  states  kept by the session; Session.step takes one step a call",
        "  labels  2: no, yes",
    ]


def test_states_of_a_file_exported_for_streaming_name_their_output() -> None:
    gru = cell("gru", np.random.default_rng(0), units=6, features=3)
    step_model = streaming.to_streaming(graph_of(gru, features=3))
    model = edgernn.Model(lower(step_model, metadata={}).content)
    state = next(port for port in model.inputs if port.state_output is not None)
    assert state.state_output is not None
    source = model.outputs[state.state_output].name
    shown = str(model)
    assert shown.startswith("model in memory: native model, scheme unknown, ")
    assert f"  state   {state.name} (batch, 6) float32, fed by output {source}" in shown
    assert f"  output  {source} " not in shown
    assert "labels" not in shown


def test_a_model_that_looks_ahead_needs_whole_sequences_and_many_labels_are_cut() -> None:
    gru = cell("gru", np.random.default_rng(0), units=20, features=3, go_backwards=True)
    labels = "[" + ", ".join(f'"l{number}"' for number in range(20)) + "]"
    model = edgernn.Model(lower(graph_of(gru, features=3), metadata={"labels": labels}).content)
    assert "the model needs whole sequences" in str(model)
    assert str(model).endswith("labels  20: l0, l1, l2, l3, l4, l5, l6, l7, l8, l9, l10, l11, …")
