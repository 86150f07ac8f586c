"""Builds the C library of edgernn.runtime.  All else is in pyproject.toml, which cannot name a
cffi module.
"""

from setuptools import setup

setup(
    cffi_modules=["edgernn/runtime/build_ernn.py:builder"],
    # One wheel for every CPython from 3.10 on: the extension keeps to the stable ABI.
    options={"bdist_wheel": {"py_limited_api": "cp310"}},
)
