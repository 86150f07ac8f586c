"""What changed is said in words, never as a value of Python."""

from __future__ import annotations

from dataclasses import fields

from edgernn.cli.profile import command
from edgernn.devices.runners.outcome import Machine
from edgernn.profile.changes import PLAN_OPTIONS, changes
from edgernn.profile.measure import Plan


def test_only_what_differs_is_named_as_on_the_command_line():
    before = Plan(threads=1, cpus=None, check_noise=True)
    now = Plan(threads=2, cpus=(0, 1), warm_up_s=0.25)
    assert changes(before, now, PLAN_OPTIONS) == (
        "--threads was 1 and is 2; --cpus was not given and is 0, 1; "
        "--warmup in seconds was 0.1 and is 0.25; --check-noise was given and is not given"
    )


def test_a_machine_is_told_by_its_facts():
    desk = Machine(node="desk", system="Linux 6", architecture="x86_64", cores=4)
    pi = Machine(node="pi", system="Linux 6", architecture="aarch64", cores=4)
    assert changes(desk, pi) == "node was desk and is pi; architecture was x86_64 and is aarch64"


def test_every_part_of_a_plan_is_an_option_that_exists():
    assert PLAN_OPTIONS.keys() == {field.name for field in fields(Plan)}
    options = {option for parameter in command.params for option in parameter.opts}
    assert {name.split()[0] for name in PLAN_OPTIONS.values()} <= options
