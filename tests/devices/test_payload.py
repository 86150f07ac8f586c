"""The payload's own logic, in this process: packing, states, pacing on a clock of our own."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgernn.devices.runners.payload import machine, timing
from edgernn.devices.runners.payload.arrays import pack, unpack
from edgernn.devices.runners.payload.model import Model
from edgernn.devices.runners.payload.sessions import (
    RuntimeMissing,
    Tensor,
    import_runtime,
)

REQUEST = {"states": [], "streaming": False}


class Clock:
    """Time that passes only when something takes it."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def perf_counter(self) -> float:
        return self.now_s

    def perf_counter_ns(self) -> int:
        return round(self.now_s * 1e9)

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds

    def taking(self, *milliseconds: float) -> Callable[[], None]:
        """A call that takes these times in turn, and the last of them from then on."""
        left = list(milliseconds)

        def call() -> None:
            self.now_s += (left.pop(0) if len(left) > 1 else left[0]) / 1e3

        return call


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(timing, "time", clock)
    return clock


# -- pacing ----------------------------------------------------------------------------------


def test_calls_start_once_a_period(clock):
    paced = timing.paced_loop(clock.taking(2.0), seconds=1.0, period_s=0.01)
    assert len(paced["values_ms"]) == 100
    assert set(paced["values_ms"]) == {2.0}
    assert max(paced["late_ms"]) == pytest.approx(0, abs=1e-6)
    assert paced["deadlines_missed"] == 0
    assert paced["duty_cycle"] == pytest.approx(200 / 1002)  # the last call ends the time


def test_a_call_longer_than_the_period_misses_and_the_next_waits_for_its_turn(clock):
    began = []
    call = clock.taking(2.0, 25.0, 2.0)

    def recorded():
        began.append(round((clock.now_s - 100) * 1e3))
        call()

    paced = timing.paced_loop(recorded, seconds=0.05, period_s=0.01)
    # The second call runs from 20 to 45 ms: the turns at 30 and 40 are lost.
    assert began[:4] == [10, 20, 50, 60]
    assert paced["deadlines_missed"] == 1


def test_a_late_wake_up_is_told_and_may_miss_the_deadline(clock, monkeypatch):
    monkeypatch.setattr(
        Clock, "sleep", lambda self, s: setattr(self, "now_s", self.now_s + s + 0.009)
    )
    paced = timing.paced_loop(clock.taking(2.0), seconds=0.05, period_s=0.01)
    assert set(paced["late_ms"]) == {9.0}
    assert paced["deadlines_missed"] == len(paced["values_ms"])


def test_a_short_time_still_gives_enough_deadlines(clock):
    paced = timing.paced_loop(clock.taking(1.0), seconds=0.001, period_s=0.01)
    assert len(paced["values_ms"]) == timing.FEWEST_PERIODS


# -- the hot loop ----------------------------------------------------------------------------


def test_the_hot_loop_lasts_as_long_as_asked(clock):
    values = timing.hot_loop(clock.taking(5.0), seconds=0.198, stride=1, fewest=10, most=2000)
    assert values == [5.0] * 40


def test_a_slow_model_is_still_called_a_few_times(clock):
    values = timing.hot_loop(clock.taking(900.0), seconds=0.2, stride=1, fewest=10, most=2000)
    assert len(values) == 10


def test_of_a_fast_model_every_so_manyth_call_is_timed_over_the_whole_time(clock):
    request = {"warm_up_s": 0.0, "min_time_s": 1.0, "period_ms": None}
    measured = timing.measure(clock.taking(7.0, 0.05), request)
    assert measured["first_call_ms"] == 7.0
    assert len(measured["calibration_ms"]) == timing.CALIBRATION_CALLS
    assert len(measured["warm_up_ms"]) == timing.FEWEST_WARM_UP_CALLS
    assert measured["stride"] == 10
    assert len(measured["hot_ms"]) == timing.MOST_VALUES
    assert set(measured["hot_ms"]) == {0.05}
    assert measured["paced"] is None


# -- packing ---------------------------------------------------------------------------------

shapes = st.lists(st.integers(1, 3), min_size=1, max_size=3).map(tuple)
dtypes = st.sampled_from([np.float32, np.int32, np.bool_])
cases = st.lists(
    st.dictionaries(
        st.text(min_size=1, max_size=3),
        st.tuples(shapes, dtypes),
        min_size=1,
        max_size=2,
    ),
    max_size=4,
)


@given(cases, st.integers(0, 5))
def test_what_is_packed_is_unpacked_in_order_with_shape_and_type(specs, repeats):
    random = np.random.default_rng(0)
    packed = [
        {name: random.integers(0, 2, shape).astype(dtype) for name, (shape, dtype) in spec.items()}
        for spec in [*specs, *specs[:1] * repeats]
    ]
    arrays, index = pack(packed)
    again = list(unpack(arrays, index))
    assert len(again) == len(packed)
    for before, after in zip(packed, again, strict=True):
        assert list(before) == list(after)
        for name, array in before.items():
            np.testing.assert_array_equal(after[name], array)
            assert after[name].dtype == array.dtype


def test_calls_of_one_shape_need_one_member_for_each_input():
    arrays, index = pack([{"x": np.zeros((1, 4)), "m": np.ones(2)} for _ in range(1000)])
    assert len(arrays) == 2
    assert index["count"] == 1000


# -- tensors and states ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dtype", "given_dtype"), [("int64", "int32"), ("float32", "float64"), ("bool", "bool")]
)
def test_arguments_are_converted_within_their_kind(dtype, given_dtype):
    stored = Tensor("x", [1], dtype).stored(np.ones(1, given_dtype))
    assert stored.dtype == dtype


def test_features_for_tokens_are_refused():
    with pytest.raises(TypeError, match="Cannot cast"):
        Tensor("x", [1], "int32").stored(np.ones(1, np.float32))


def test_quantized_tensors_round_to_even_and_saturate():
    tensor = Tensor("x", [4], "int8", (0.5, 10))
    stored = tensor.stored(np.array([0.25, 0.75, 1000.0, -1000.0], np.float32))
    assert stored.tolist() == [10, 12, 127, -128]
    assert tensor.real(stored).tolist() == [0.0, 1.0, 58.5, -69.0]
    assert tensor.described()["dtype"] == "float32"
    assert tensor.described()["stored"] == "int8"


def session(inputs, outputs, call):
    return SimpleNamespace(inputs=inputs, outputs=outputs, call=call)


def counting_session(batch=None, steps=1):
    """Adds what it is fed to its state, and says the state."""

    def call(feeds):
        total = feeds["h"] + feeds["x"].sum(axis=(1, 2))[:, None]
        return {"y": total, "h_next": total}

    return session(
        [Tensor("x", [batch, steps, 2], "float32"), Tensor("h", [batch, 1], "float32")],
        [Tensor("y", [batch, 1], "float32"), Tensor("h_next", [batch, 1], "float32")],
        call,
    )


STATEFUL = {"states": [["h", "h_next"]], "streaming": True}


def test_a_stream_of_several_steps_a_call_is_cut_into_them():
    outputs = Model(counting_session(steps=2), STATEFUL).run({"x": np.ones((3, 6, 2), np.float32)})
    assert outputs["y"].shape == (3, 3, 1)
    assert outputs["y"][0, :, 0].tolist() == [4.0, 8.0, 12.0]
    assert outputs["h_next"].tolist() == [[12.0]] * 3


def test_a_stream_that_does_not_come_out_even_is_refused():
    model = Model(counting_session(steps=2), STATEFUL)
    with pytest.raises(ValueError, match="has 5 steps; a call takes 2"):
        model.run({"x": np.ones((1, 5, 2), np.float32)})


def test_a_model_of_batch_one_is_given_rows_one_by_one():
    outputs = Model(counting_session(batch=1), STATEFUL).run(
        {"x": np.arange(8, dtype=np.float32).reshape(2, 2, 2)}
    )
    assert outputs["y"][:, :, 0].tolist() == [[1.0, 6.0], [9.0, 22.0]]


def test_an_input_without_time_goes_into_every_step_of_a_stream():
    seen = []

    def call(feeds):
        seen.append(feeds["speaker"].tolist())
        return {"y": feeds["x"][:, 0]}

    inputs = [Tensor("x", [None, 1, 1], "float32"), Tensor("speaker", [None, 3], "float32")]
    model = Model(
        session(inputs, [Tensor("y", [None, 1], "float32")], call),
        {"states": [], "streaming": True},
    )
    speaker = np.array([[1.0, 2.0, 3.0]], np.float32)
    model.run({"x": np.zeros((1, 4, 1), np.float32), "speaker": speaker})
    assert seen == [speaker.tolist()] * 4


def test_a_timed_call_carries_the_states_on():
    model = Model(counting_session(), STATEFUL)
    said = []
    inner = model.session.call

    def call(feeds):
        results = inner(feeds)
        said.append(float(results["y"][0, 0]))
        return results

    model.session = session(model.session.inputs, model.session.outputs, call)
    timed = timing.one_call(model, {"x": np.ones((1, 9, 2), np.float32)})
    timed()
    timed()
    assert said == [2.0, 4.0]  # one step a call, not nine


# -- the machine -----------------------------------------------------------------------------


def test_the_first_runtime_that_can_be_imported_is_taken():
    runtime, version = import_runtime((("no_such_module", "x"), ("numpy", "numpy")))
    assert runtime is np
    assert version == {"numpy": np.__version__}


def test_a_module_whose_package_has_another_name_tells_its_own_version():
    _, version = import_runtime((("numpy", "numpy-gpu-edition"),))
    assert version == {"numpy-gpu-edition": np.__version__}


def test_without_any_runtime_all_reasons_are_given():
    with pytest.raises(RuntimeMissing, match=r"a: No module named 'a_'; b: No module named 'b_'"):
        import_runtime((("a_", "a"), ("b_", "b")))


def test_facts_that_are_not_there_are_left_out(tmp_path):
    (tmp_path / "zone1").write_text("48000")
    request = {
        "read": [f"{tmp_path}/zone*", "/no/such/file"],
        "ask": [["no-such-command"], ["false"], ["echo", "hello"]],
    }
    assert machine.read_facts(request) == {f"{tmp_path}/zone1": "48000", "echo hello": "hello\n"}


def test_a_surprisingly_large_file_is_cut_off(tmp_path):
    (tmp_path / "big").write_text("x" * (machine.MOST_BYTES_READ + 1))
    facts = machine.read_facts({"read": [f"{tmp_path}/big"], "ask": []})
    assert len(facts[f"{tmp_path}/big"]) == machine.MOST_BYTES_READ
