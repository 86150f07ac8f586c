"""The kit for iOS: a Swift package of sources, which needs no compiler to be made."""

from __future__ import annotations

import re

from edgernn.kits.contents import Contents
from edgernn.kits.targets import Files


def files(contents: Contents) -> Files:
    """The files of the kit."""
    kind = "".join(word.capitalize() for word in re.split("_+", contents.name))
    defines = [option.removeprefix("-D") for option in contents.options]
    values = {
        "TYPE": kind,
        "DEFINES": ", ".join(f'.define("{one}")' for one in defines),
        "POD_DEFINES": " ".join(f"{one}=1" for one in defines),
    }
    swift = f"Sources/{kind}"
    made = {
        "Package.swift": "Package.swift",
        f"{kind}.podspec": "kit.podspec",
        "README.md": "README.md",
        "Sources/CErnn/include/module.modulemap": "module.modulemap",
        f"{swift}/Model.swift": "Model.swift",
        f"{swift}/Session.swift": "Session.swift",
        f"{swift}/Listener.swift": "Listener.swift",
        f"{swift}/PrivacyInfo.xcprivacy": "PrivacyInfo.xcprivacy",
    }
    return {
        **{path: contents.template(f"ios/{source}", **values) for path, source in made.items()},
        "Sources/CErnn/ernn.c": contents.library["ernn.c"].encode(),
        "Sources/CErnn/include/ernn.h": contents.library["ernn.h"].encode(),
        f"{swift}/{contents.model_file}": contents.content,
    }
