"""Hosts that train, too: through a stand-in for ssh, and through a real sshd on the loopback."""

from __future__ import annotations

import json
import os
import shlex
import signal
import sys
import time
from pathlib import Path

import pytest

import edgernn
from edgernn.devices.ssh import COMMAND_VARIABLE
from edgernn.errors import DeviceError, TrainingFailed, WrongOption
from edgernn.scheme import Scheme
from edgernn.selection import workers as crews
from edgernn.selection.contender import Contender, Job
from edgernn.selection.data import write_splits
from edgernn.selection.hosts import Host, parsed_hosts
from edgernn.selection.messages import Answer, Measure, Train
from edgernn.selection.training import read_training
from edgernn.selection.work import Forms
from edgernn.selection.workers import working
from edgernn.tasks.given import as_samples
from edgernn.tasks.split import split
from edgernn.tasks.task import Recipe
from edgernn.tasks.training_log import log_path
from edgernn.version import __version__
from tests import loopback_sshd
from tests.edgernn.selection.test_comparing import SMALL, sequences, stamps_of

FORMS = Forms(formats=("native",), schemes=(Scheme.INT8,))
TINY = Recipe(units=4, epochs=1)
ORDER = Measure(
    contender=Contender(architecture="gru", units=16), recipe=Recipe(units=16), forms=FORMS
)
HERE = "big:" + sys.executable

#: Runs the command on this machine, in another folder.  "-G" asks for ssh's settings.
SSH = """\
#!/bin/sh
for last; do [ "$last" = -G ] && exit 0; done
cd / && exec sh -c "$last"
"""
#: Greets as a worker does, takes the data, and answers each order, which has two lines: what is
#: to be done, and the files that it needs.
WORKER = """\
#!{python}
import json, os, sys
print(json.dumps({{"edgernn": {version!r}}}), flush=True)
data = json.loads(sys.stdin.readline())
assert set(data) == {{"train.npz", "calibration.npz", "validation.npz", "test.npz"}}
for line in sys.stdin:
    assert json.loads(sys.stdin.readline()) == {{}}
    {action}
    print(json.dumps({{"answer": {{"bytes": {{"host": 5}}, "error": "", "remedy": ""}},
                       "files": "{{}}"}}), flush=True)
"""


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / "data"
    write_splits(folder, split(as_samples(sequences())))
    return folder


@pytest.fixture
def ssh(tmp_path, monkeypatch):
    """What `ssh` is: a program whose text can be given."""
    program = tmp_path / "ssh"

    def become(text):
        program.write_text(text)
        program.chmod(0o755)
        monkeypatch.setenv(COMMAND_VARIABLE, str(program))

    become(SSH)
    return become


@pytest.fixture
def there(tmp_path):
    """The Python of the host, as an option names it: a program that acts in a given way."""

    def named(action="pass", version=__version__):
        program = tmp_path / "python-there"
        program.write_text(WORKER.format(python=sys.executable, version=version, action=action))
        program.chmod(0o755)
        return f"big:{program}"

    return named


def ended(data, hosts, *, workers=0, orders=1, said=None):
    """What is done of so many orders."""
    notify = (lambda _: None) if said is None else said.append
    with working(data, workers, hosts=parsed_hosts(hosts), notify=notify) as crew:
        for _ in range(orders):
            crew.give(ORDER)
        return [crew.next() for _ in range(orders)]


@pytest.mark.parametrize(
    ("given", "hosts"),
    [
        ("ada@big", [Host(address="ada@big")]),
        ("ada@big=4, kitchen", [Host(address="ada@big", count=4), Host(address="kitchen")]),
        (
            "big:/opt/venv/bin/python=2",
            [Host(address="big", python="/opt/venv/bin/python", count=2)],
        ),
        ("big:~/venv/bin/python", [Host(address="big", python="~/venv/bin/python")]),
        ("ssh:big", [Host(address="ssh:big")]),
        ("fe80::1=3", [Host(address="fe80::1", count=3)]),
        ("", []),
    ],
)
def test_hosts_are_written_with_their_python_and_their_number_of_trainings(given, hosts):
    assert list(parsed_hosts(given)) == hosts


@pytest.mark.parametrize(
    "given", ["big=0", "big=many", "big=1000", "=3", "ada@big:2222", "big:venv/bin/python=2"]
)
def test_what_is_no_host_is_refused_with_the_spelling(given):
    with pytest.raises(WrongOption, match=r"no host that trains\. Write user@host"):
        parsed_hosts(given)


@pytest.mark.parametrize("given", [",", "big,", "big,,small", ["big", " "]])
def test_a_host_without_a_name_is_refused_and_not_left_out(given):
    with pytest.raises(WrongOption, match=r"a host has no name in '.*'\. Write user@host"):
        parsed_hosts(given)


def test_a_host_that_ssh_would_take_for_an_option_is_refused():
    with pytest.raises(DeviceError, match="is not a host"):
        parsed_hosts("-oProxyCommand=2")


def test_a_path_in_the_home_folder_is_left_to_the_shell_and_all_else_is_quoted():
    (host,) = parsed_hosts("big:~/my venv/bin/python")
    assert "~/'my venv/bin/python' -m" in host.command
    assert shlex.split(host.command)[-3:] == ["-m", "edgernn.selection.worker", "-"]


@pytest.mark.usefixtures("ssh")
def test_several_orders_are_carried_out_by_a_host(data, there):
    assert [one.answer for one in ended(data, f"{there()}=2", orders=2)] == [
        Answer(bytes={"host": 5})
    ] * 2


@pytest.mark.parametrize(
    ("text", "python", "message"),
    [
        (SSH, ":/nowhere/python", r"there is no /nowhere/python on big\. Install edgernn"),
        (SSH, ":/bin/false", r"no worker starts on big: it gave no reason"),
        ("#!/bin/sh\necho 'Permission denied (publickey).' >&2; exit 255", "", "ssh-copy-id big"),
    ],
)
def test_a_host_that_cannot_train_ends_the_command_with_its_reason(
    data, ssh, text, python, message
):
    ssh(text)
    with pytest.raises(DeviceError, match=message):
        ended(data, f"big{python}")


@pytest.mark.usefixtures("ssh")
def test_a_python_without_edgernn_is_named(data, tmp_path):
    python = tmp_path / "bare"
    python.write_text(f"#!/bin/sh\nshift 2; exec {sys.executable} -I -S -m no_such_edgernn\n")
    python.chmod(0o755)
    with pytest.raises(DeviceError, match=r"bare on big has no edgernn: .*\[train\]"):
        ended(data, f"big:{python}")


@pytest.mark.usefixtures("ssh")
def test_another_version_of_edgernn_is_refused(data, there):
    with pytest.raises(DeviceError, match=r"big has edgernn 0\.0\.0, and this is .*same version"):
        ended(data, there(version="0.0.0"))


def test_a_host_that_is_away_is_tried_again_and_its_order_goes_to_another_worker(
    data, ssh, there, monkeypatch, tmp_path
):
    monkeypatch.setattr(crews, "BACKOFF_S", (0.1, 0.1))
    gone = tmp_path / "gone"
    gone.touch()
    ssh(
        f"{SSH.rstrip().rsplit(chr(10), 1)[0]}\n"
        f"[ -e {gone} ] && rm {gone} && echo 'Connection refused' >&2 && exit 255\n"
        'exec sh -c "$last"\n'
    )
    said: list[str] = []
    assert ended(data, there(), said=said)[0].answer.bytes == {"host": 5}
    assert said == ["big cannot be reached: Connection refused; trying again"]


def test_a_host_that_stays_away_is_an_error_where_there_is_no_other_worker(data, ssh, monkeypatch):
    monkeypatch.setattr(crews, "BACKOFF_S", (0.05, 0.05))
    ssh("#!/bin/sh\necho 'No route to host' >&2; exit 255")
    said: list[str] = []
    with pytest.raises(DeviceError, match="big cannot be reached: No route to host"):
        ended(data, "big", said=said)
    assert [text.rpartition("; ")[2] for text in said] == [
        "trying again",
        "trying again",
        "going on without this worker",
    ]


def test_all_workers_of_a_host_that_goes_away_while_they_are_idle_come_back(
    data, ssh, there, monkeypatch, tmp_path
):
    monkeypatch.setattr(crews, "BACKOFF_S", (0.2, 0.2))
    away = tmp_path / "away"
    ssh(
        f"{SSH.rstrip().rsplit(chr(10), 1)[0]}\n"
        f"[ -e {away} ] && echo 'Connection refused' >&2 && exit 255\n"
        'sh -c "$last"; [ $? = 9 ] && echo Broken pipe >&2; exit 255\n'
    )
    ends = f"os.path.exists({str(away)!r}) and os._exit(9)"
    said: list[str] = []
    with working(data, 0, hosts=parsed_hosts(f"{there(ends)}=5"), notify=said.append) as crew:
        for _ in range(5):
            crew.give(ORDER)
        for _ in range(5):
            crew.next()
        away.touch()
        for _ in range(5):
            crew.give(ORDER)
        assert crew.done(until=time.monotonic() + 0.1) is None
        assert len(crew.running) == 5
        away.unlink()
        assert {crew.next().answer.bytes["host"] for _ in range(5)} == {5}
    assert {text.rpartition("; ")[2] for text in said} == {"trying again"}


@pytest.mark.usefixtures("ssh")
def test_an_order_that_ends_its_workers_on_a_host_is_not_given_for_ever(data, there):
    with pytest.raises(TrainingFailed, match="ended its worker 2 times"):
        ended(data, there("os._exit(9)"))


@pytest.mark.usefixtures("ssh")
@pytest.mark.parametrize("line", ["{}", "Welcome!", '{"answer": null, "files": null}'])
def test_what_no_worker_would_answer_is_not_waited_for(data, there, line):
    with pytest.raises(TrainingFailed, match="ended its worker 2 times"):
        ended(data, there(f"print({line!r}, flush=True)"))


def test_hosts_and_a_database_exclude_each_other(tmp_path):
    with pytest.raises(WrongOption, match="two ways to reach other machines"):
        edgernn.search(
            sequences(), accuracy=0.6, hosts="big", storage="postgresql://x/y", out=tmp_path
        )


@pytest.fixture(scope="module")
def sshd(tmp_path_factory):
    server = loopback_sshd.started(tmp_path_factory.mktemp("sshd"))
    yield server
    server.stop()


@pytest.fixture
def reached(sshd, monkeypatch):
    monkeypatch.setenv(COMMAND_VARIABLE, sshd.ssh)


@pytest.mark.usefixtures("reached")
def test_through_a_real_sshd_a_training_comes_back_whole_and_no_process_stays(data):
    pytest.importorskip("tensorflow")
    job = Job(contender=ORDER.contender, recipe=TINY, repetition=0, data_sha256="0")
    with working(data, 0, hosts=parsed_hosts(HERE)) as crew:
        crew.give(Train(job=job, forms=FORMS))
        crew.next()
    model = data / "trainings" / f"{job.key}.keras"
    training = read_training(data, job.key)
    assert training is not None
    assert training.scores.keys() == {"original", "native int8"}
    assert json.loads(log_path(model).read_text())["format"]
    deadline = time.monotonic() + 5
    while remote_workers() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not remote_workers()


@pytest.mark.long
@pytest.mark.usefixtures("reached")
def test_a_host_gives_the_results_of_this_machine_though_its_worker_is_killed(tmp_path):
    alone = edgernn.compare(sequences(), models="gru,lstm", out=tmp_path / "alone", **SMALL)
    out = tmp_path / "hosts"
    killed: list[int] = []

    def kill_one(_phase):
        if not killed and stamps_of(out):
            killed.append(remote_workers()[0])
            os.kill(killed[0], signal.SIGKILL)

    found = edgernn.compare(
        sequences(),
        models="gru,lstm",
        workers=1,
        hosts=f"{HERE}=2",
        out=out,
        progress=kill_one,
        **SMALL,
    )
    assert killed
    for contender, runs in alone.values.trainings.items():
        others = found.values.trainings[contender]
        assert [run.scores for run in runs] == [run.scores for run in others]


def remote_workers():
    """Processes of this machine that another one coordinates."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = entry.read_bytes().split(b"\0")
        except OSError:  # it has just ended
            continue
        if words[1:4] == [b"-m", b"edgernn.selection.worker", b"-"]:
            found.append(int(entry.parent.name))
    return found
