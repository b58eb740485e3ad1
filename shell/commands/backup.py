"""All of a home in one file, and a home of such a file."""

from __future__ import annotations

import os
from functools import partial
from typing import cast

from agentos.shell import homes, start
from agentos.shell.failure import Exit, Failure
from agentos.shell.paint import say
from agentos.shell.progress import bar
from agentos.shell.render import when
from agentos.shell.session import DEFAULTS, Common
from agentos.shell.text import size


def backup(file: str, /, *, common: Common = DEFAULTS) -> int:
    """Write all of the home into one encrypted file, as it is at this moment; a kernel may be up.

    Whatever opens the home now opens the backup: a passphrase, a key file, this
    device's keyring, the recovery key. The file appears when all of it is on disk
    and was read back. Key files are not in it.

    Parameters
    ----------
    file
        Where to; nothing may be there yet.
    """
    common.here("backup")
    said = homes.unlocked(common.home, partial(_says, "backup", file))
    if not common.answer(_fields(said)):
        say(f"backed up {said['home']} up to record {said['seq']}: {said['file']} ({size(_bytes(said))})")
        say("What opens the home opens the backup too. Keep the recovery key, or a key file, elsewhere.")
    return 0


def restore(file: str, /, *, common: Common = DEFAULTS) -> int:
    """Make a home of a backup, where there is none.

    It starts when you have accepted what was restored: agentos audit accept. What
    came after the backup is not in it: a grant that was revoked since holds again.

    Parameters
    ----------
    file
        The backup.
    """
    common.here("restore")
    looked = _says("contents", file, common.home)
    locks = tuple(map(str, cast(list[object], looked["locks"])))
    said = homes.first(homes.secrets(locks), partial(_says, "restore", file, str(looked["home"])))
    if not common.answer(_fields(said)):
        say(f"restored {said['home']} from a backup of {when(_number(said['at_ms']))}, up to record {said['seq']}.")
        say("It starts when you have accepted that: agentos audit accept")
    return 0


def _says(verb: str, file: str, home: str, secret: str = "") -> dict[str, object]:
    """What the home's own command says, with a secret that may open the home, or the backup."""
    try:
        with bar(verb) as progress:
            options = *start.placed(home), "--file", os.path.abspath(file)
            return start.home_says(verb, *options, secret=secret, progress=progress)
    except Failure as failed:
        # It was no kernel that was wanted: what is wrong is what was asked for.
        raise Failure(failed.reason, failed.hint, Exit.USAGE, failed.code) from None


def _fields(said: dict[str, object]) -> dict[str, object]:
    return {name: said[name] for name in ("home", "file", "at_ms", "seq")}


def _number(value: object) -> int:
    return int(str(value))


def _bytes(said: dict[str, object]) -> int:
    return os.stat(str(said["file"])).st_size
