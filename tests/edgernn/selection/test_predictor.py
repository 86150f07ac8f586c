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
    "gru_gru_t12_f24_h80": (24.24, 38.94),
    "gru_gru_t15_f21_h128": (36.16, 86.96),
    "gru_gru_t24_f23_h256": (136.59, 498.94),
    "gru_gru_t28_f34_h80": (37.5, 73.86),
    "gru_gru_t36_f11_h112": (57.46, 149.64),
    "gru_gru_t36_f37_h240": (178.43, 657.09),
    "gru_gru_t60_f9_h16": (25.01, 29.35),
    "gru_gru_t78_f61_h16": (30.72, 36.08),
    "gru_gru_t80_f56_h64": (68.2, 124.92),
    "gru_gru_t90_f22_h112": (124.81, 360.69),
    "gru_gru_t90_f64_h64": (74.71, 146.78),
    "gru_gru_t96_f19_h80": (95.1, 210.62),
    "gru_t100_f40_h128": (74.5, 235.0),
    "gru_t100_f4_h16": (20.81, 25.92),
    "gru_t10_f4_h16": (13.25, 14.06),
    "gru_t20_f16_h256": (57.42, 164.26),
    "gru_t50_f64_h16": (18.21, 20.93),
    "gru_t81_f11_h80": (38.56, 89.51),
    "gru_t90_f45_h32": (25.88, 34.36),
    "gru_t98_f12_h112": (57.93, 177.81),
    "gru_t99_f49_h256": (236.69, 795.43),
    "lstm_lstm_t33_f25_h224": (190.34, 732.71),
    "lstm_lstm_t48_f6_h192": (196.26, 667.4),
    "lstm_lstm_t50_f13_h32": (32.11, 38.44),
    "lstm_lstm_t51_f26_h16": (25.23, 28.31),
    "lstm_lstm_t71_f35_h256": (491.85, 2026.99),
    "lstm_lstm_t80_f24_h240": (493.55, 1898.07),
    "lstm_lstm_t86_f36_h224": (466.26, 1790.44),
    "lstm_lstm_t90_f49_h16": (35.95, 41.37),
    "lstm_t100_f40_h64": (45.31, 106.77),
    "lstm_t10_f4_h16": (13.27, 14.39),
    "lstm_t23_f37_h224": (66.28, 196.94),
    "lstm_t34_f54_h80": (27.41, 61.61),
    "lstm_t40_f64_h32": (20.12, 25.28),
    "lstm_t60_f8_h176": (98.21, 292.19),
    "lstm_t80_f26_h160": (114.69, 348.89),
    "lstm_t95_f8_h48": (33.3, 51.52),
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
        assert np.median(errors) <= 0.045  # 2.7 and 3.8 %
        assert np.percentile(errors, 90) <= 0.10  # 4.7 and 8.6 %


@pytest.mark.parametrize("scheme", [Scheme.INT8, Scheme.FLOAT32])
@pytest.mark.parametrize("cache_bytes", [24_576, 49_152])
def test_a_device_whose_time_is_a_sum_of_parts_is_learned_from_the_calibration_shapes(
    scheme, cache_bytes
):
    parts = np.array([1e-2, 5e-5, 8e-7, 2e-7, 5e-7, 3e-6, 2e-9, 1e-6, 4e-9, 5e-9])
    random = np.random.default_rng(0)

    def takes(shape):
        return float(features_of(shape, scheme, cache_bytes) @ parts)

    times = [takes(one) * random.normal(1, 0.02) for one in CALIBRATION_SHAPES]
    fit = fitted(CALIBRATION_SHAPES, times, scheme)
    assert min(fit.parts_ms) >= 0
    predictor = Predictor(device="made-up", backend="native", scheme=scheme, fit=fit)
    errors = [abs(predictor.ms(one) / takes(one) - 1) for one in OTHERS]
    assert np.median(errors) <= 0.03
    assert np.percentile(errors, 90) <= 0.08


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
