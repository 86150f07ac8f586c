"""What a scheme says of itself, and that it still is the text that files hold."""

from __future__ import annotations

import copy
import json
import pickle

import pytest

from edgernn.scheme import Numbers, Scheme


def test_a_scheme_is_its_name_in_json_and_is_found_by_it():
    names = ("float32", "float16", "dynamic", "int8", "int4")
    assert [Scheme(name) for name in names] == list(Scheme)
    assert json.dumps(list(Scheme)) == '["float32", "float16", "dynamic", "int8", "int4"]'
    assert Scheme.INT8.value == "int8"
    with pytest.raises(ValueError, match="'int3' is not a valid Scheme"):
        Scheme("int3")


def test_a_scheme_is_one_object_after_copying_and_pickling():
    for scheme in Scheme:
        assert copy.deepcopy(scheme) is scheme
        assert pickle.loads(pickle.dumps(scheme)) is scheme


def test_a_scheme_says_how_weights_and_activations_are_stored():
    assert {scheme: (scheme.weights, scheme.activations) for scheme in Scheme} == {
        Scheme.FLOAT32: (Numbers.FLOAT32, Numbers.FLOAT32),
        Scheme.FLOAT16: (Numbers.FLOAT16, Numbers.FLOAT32),
        Scheme.DYNAMIC: (Numbers.INT8, Numbers.FLOAT32),
        Scheme.INT8: (Numbers.INT8, Numbers.INT8),
        Scheme.INT4: (Numbers.INT4, Numbers.INT8),
    }
    assert all(scheme.purpose for scheme in Scheme)


def test_only_integer_activations_need_calibration():
    assert [scheme for scheme in Scheme if scheme.needs_calibration] == [Scheme.INT8, Scheme.INT4]
    integers = [Scheme.DYNAMIC, Scheme.INT8, Scheme.INT4]
    assert [scheme for scheme in Scheme if scheme.has_integer_weights] == integers
