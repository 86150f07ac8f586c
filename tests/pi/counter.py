"""What counts executed instructions in an emulated Pi: a qemu that takes plugins, and ours.

Debian's static qemu, which starts the Pi's programs, takes none.  The dynamic one needs libraries
of this machine: a folder holds all of it, to be mounted in the Pi.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from edgernn.folders import cache_folder

#: Where the Pi sees the folder.
MOUNTED: Final = "/opt/counter"
PROGRAM: Final = f"{MOUNTED}/count-instructions"

_PLUGIN: Final = Path(__file__).parents[1] / "c/count_instructions.c"

#: $1 the file for the counts, then the command.  Its first word is looked up here: qemu does not.
_SCRIPT: Final = """\
#!/bin/sh
to=$1
program=$(command -v -- "$2") || { echo "there is no $2" >&2; exit 127; }
shift 2
here=MOUNTED
exec $here/loader --library-path $here $here/qemu -plugin "$here/plugin.so,to=$to" \\
  -- "$program" "$@"
"""


def counter_folder(qemu_name: str) -> Path:
    """Made at first use and kept in the cache, for this plugin and this qemu ("qemu-aarch64")."""
    qemu = Path(str(shutil.which(qemu_name)))
    digest = hashlib.sha256(_SCRIPT.encode() + _PLUGIN.read_bytes() + qemu.read_bytes())
    folder = cache_folder() / "emulated-pi" / f"counter-{digest.hexdigest()[:16]}"
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".making-", dir=folder.parent) as making:
            made = Path(making) / "counter"
            made.mkdir()
            _fill(made, qemu)
            try:
                made.rename(folder)
            except OSError:  # a parallel test run was faster
                if not folder.is_dir():
                    raise
    return folder


def _fill(folder: Path, qemu: Path) -> None:
    plugin = folder / "plugin.so"
    subprocess.run(["gcc", "-shared", "-fPIC", "-O2", _PLUGIN, "-o", plugin], check=True)
    shutil.copy(qemu, folder / "qemu")
    listed = subprocess.run(["ldd", qemu], capture_output=True, text=True, check=True).stdout
    for name, path in re.findall(r"^\s*(\S+) => (/\S+)", listed, re.MULTILINE):
        shutil.copy(path, folder / name)
    (loader,) = re.findall(r"^\s*(/\S+ld-linux\S+)", listed, re.MULTILINE)
    shutil.copy(loader, folder / "loader")
    (folder / "count-instructions").write_text(_SCRIPT.replace("MOUNTED", MOUNTED))
    (folder / "count-instructions").chmod(0o755)
    folder.chmod(0o755)
