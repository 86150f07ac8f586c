"""Times of models that were never timed: from a sum of parts, fitted to a few made-up models."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from edgernn.scheme import Scheme
from edgernn.selection import predictor as prediction
from edgernn.selection.predictor import CALIBRATION_SHAPES, Predictor, features_of, fitted
from edgernn.selection.shapes import Shape

#: The shortest calls in microseconds of .ernn files in int8 and float32 on one core of a Xeon with
#: AVX-512, VNNI and AMX, in rounds over all of them.
MEASURED = {
    "gru_gru_t12_f24_h80": (21.65, 36.47),
    "gru_gru_t15_f21_h128": (32.96, 84.72),
    "gru_gru_t15_f5_h192": (54.08, 182.07),
    "gru_gru_t24_f23_h256": (123.96, 514.89),
    "gru_gru_t28_f34_h80": (34.02, 74.20),
    "gru_gru_t36_f11_h112": (52.90, 143.72),
    "gru_gru_t36_f37_h240": (162.71, 680.68),
    "gru_gru_t60_f9_h16": (24.48, 30.85),
    "gru_gru_t78_f61_h16": (30.59, 37.47),
    "gru_gru_t80_f56_h64": (57.34, 105.98),
    "gru_gru_t90_f22_h112": (111.33, 345.99),
    "gru_gru_t90_f64_h64": (63.38, 126.22),
    "gru_gru_t96_f19_h80": (84.12, 211.09),
    "gru_t100_f40_h128": (62.82, 231.41),
    "gru_t100_f4_h16": (19.71, 24.66),
    "gru_t10_f4_h16": (12.36, 13.50),
    "gru_t20_f16_h256": (51.28, 166.89),
    "gru_t50_f64_h16": (17.14, 21.51),
    "gru_t81_f11_h80": (33.10, 87.01),
    "gru_t90_f45_h32": (22.46, 32.45),
    "gru_t98_f12_h112": (50.77, 171.09),
    "gru_t98_f62_h64": (33.13, 75.81),
    "gru_t99_f49_h256": (206.05, 810.69),
    "lstm_lstm_t23_f38_h128": (55.27, 159.07),
    "lstm_lstm_t33_f25_h224": (178.24, 741.79),
    "lstm_lstm_t48_f6_h192": (181.83, 724.82),
    "lstm_lstm_t50_f13_h32": (28.01, 39.58),
    "lstm_lstm_t51_f26_h16": (25.09, 33.47),
    "lstm_lstm_t71_f35_h256": (458.36, 1985.43),
    "lstm_lstm_t80_f24_h240": (471.29, 1921.71),
    "lstm_lstm_t86_f36_h224": (434.91, 1829.68),
    "lstm_lstm_t90_f49_h16": (36.45, 51.29),
    "lstm_t100_f40_h64": (37.06, 101.57),
    "lstm_t10_f4_h16": (12.79, 14.27),
    "lstm_t23_f37_h224": (61.77, 194.34),
    "lstm_t34_f54_h80": (25.27, 59.42),
    "lstm_t40_f64_h32": (18.21, 26.41),
    "lstm_t41_f20_h192": (76.70, 247.78),
    "lstm_t60_f8_h176": (91.42, 299.38),
    "lstm_t80_f26_h160": (103.16, 352.63),
    "lstm_t95_f8_h48": (30.42, 47.57),
}


def shape_named(name):
    found = re.fullmatch(r"(.+)_t(\d+)_f(\d+)_h(\d+)", name)
    assert found
    cells, steps, features, units = found.groups()
    return Shape(
        cells=tuple(cells.split("_")), steps=int(steps), features=int(features), units=int(units)
    )


OTHERS = [one for one in map(shape_named, MEASURED) if one not in CALIBRATION_SHAPES]


def test_on_a_real_processor_20_other_shapes_are_predicted_from_the_calibration_shapes():
    assert len(OTHERS) == 20
    for place, scheme in enumerate((Scheme.INT8, Scheme.FLOAT32)):

        def measured(shape, place=place):
            return MEASURED[shape.name][place] / 1e3

        fit = fitted(CALIBRATION_SHAPES, [measured(one) for one in CALIBRATION_SHAPES], scheme)
        predictor = Predictor(device="xeon", backend="native", scheme=scheme, fit=fit)
        errors = [abs(predictor.ms(one) / measured(one) - 1) for one in OTHERS]
        assert np.median(errors) <= 0.045  # 1.2 and 4.2 %
        assert np.percentile(errors, 90) <= 0.10  # 5.4 and 9.1 %


@pytest.mark.parametrize("scheme", [Scheme.INT8, Scheme.FLOAT32])
@pytest.mark.parametrize(
    ("cache_bytes", "slow_bytes"), [(24_576, 524_288), (49_152, 262_144), (131_072, 1_048_576)]
)
def test_a_device_whose_time_is_a_sum_of_parts_is_learned_from_the_calibration_shapes(
    scheme, cache_bytes, slow_bytes
):
    parts = np.array([1e-2, 5e-5, 8e-7, 2e-7, 5e-7, 3e-6, 2e-9, 1e-6, 4e-9, 5e-9, 3e-9])
    random = np.random.default_rng(0)

    def takes(shape):
        return float(features_of(shape, scheme, cache_bytes, slow_bytes) @ parts)

    times = [takes(one) * random.normal(1, 0.02) for one in CALIBRATION_SHAPES]
    fit = fitted(CALIBRATION_SHAPES, times, scheme)
    assert min(fit.parts_ms) >= 0
    predictor = Predictor(device="made-up", backend="native", scheme=scheme, fit=fit)
    errors = [abs(predictor.ms(one) / takes(one) - 1) for one in OTHERS]
    assert np.median(errors) <= 0.03
    assert np.percentile(errors, 90) <= 0.08


def test_weights_twice_as_large_as_a_cache_are_read_from_the_next_one_at_each_step():
    def from_the_next(units):
        shape = Shape(cells=("gru",), steps=10, features=4, units=units)
        return features_of(shape, Scheme.FLOAT32, 40_960, 524_288)[-2:] / 10  # bytes a step

    assert from_the_next(48).tolist() == [0.0, 0.0]  # 27,648 bytes
    assert from_the_next(64).tolist() == [2 * (49_152 - 40_960), 0.0]
    assert from_the_next(128).tolist() == [196_608, 0.0]
    assert from_the_next(256).tolist() == [786_432, 786_432 - 524_288]


def test_a_device_is_timed_once_and_the_result_kept(tmp_path, monkeypatch):
    monkeypatch.setenv("EDGERNN_CACHE", str(tmp_path))
    timed = []

    def least_ms(shapes, device, **_):
        timed.append(device)
        return [1e-6 * one.steps * one.units for one in shapes]

    monkeypatch.setattr(prediction, "least_ms", least_ms)
    given: dict[str, Any] = {"backend": "native", "scheme": Scheme.INT8, "progress": lambda _: None}
    first = prediction.predictor_of("cpu", **given)
    assert prediction.predictor_of("cpu", **given) == first
    assert timed == ["cpu"]
    prediction.predictor_of("kitchen", **given)
    assert timed == ["cpu", "kitchen"]
