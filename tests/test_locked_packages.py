"""requirements.lock has what `make setup` installs, with hashes, in the constraints' versions."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[1]
EXTRAS = ("profile", "train", "audio", "search", "test", "lint")
REMEDY = "run `make lock` and commit requirements.lock"


def locked() -> dict[str, tuple[str, int]]:
    """Version and number of hashes by name."""
    text = (ROOT / "requirements.lock").read_text().replace("\\\n", " ")
    found = {}
    for line in text.splitlines():
        named = re.match(r"([\w.-]+)(?:\[[\w,]+\])?==([\w.+-]+)", line)
        assert named is not None, line
        hashes = len(re.findall("--hash=sha256:", line))
        found[str(canonicalize_name(named[1]))] = (named[2], hashes)
    return found


def test_every_locked_package_has_hashes_and_the_version_of_the_constraints():
    constraints = {}
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        name, separator, version = line.partition("==")
        if separator and not line.startswith("#"):
            constraints[str(canonicalize_name(name))] = version
    for name, (version, hashes) in locked().items():
        assert hashes, name
        assert constraints.get(name, version) == version, f"{name}: {REMEDY}"


def test_every_package_that_make_setup_asks_for_is_locked():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"]]
    for extra in EXTRAS:
        wanted += project["optional-dependencies"][extra]
    names = locked()
    for requirement in map(Requirement, wanted):
        if requirement.marker is not None and not requirement.marker.evaluate():
            continue
        version, _ = names.get(str(canonicalize_name(requirement.name)), ("", 0))
        assert version, f"{requirement.name}: {REMEDY}"
        assert version in requirement.specifier, f"{requirement}: {REMEDY}"


def test_make_setup_installs_the_locked_packages_by_hash():
    makefile = (ROOT / "Makefile").read_text()
    assert "--require-hashes --requirement requirements.lock" in makefile
    assert f"--editable '.[{','.join(EXTRAS)}]'" in makefile
