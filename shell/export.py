"""A run as a bug report may carry it: what happened, in which order, and how long it took, but nothing of whose it was.

Left out is by default: a text passes only where its name stands in `OURS`, and then only if it is one of our own
words. All other text becomes a mark `‹k3v9a2p7›`: the same for the same text in one file, so that one sees that a path
was read twice, and made with a random key that nobody keeps, so that a guess cannot be checked.
"""

from __future__ import annotations

import base64
import builtins
import hashlib
import platform
import re
import secrets
from collections.abc import Mapping
from importlib.metadata import version

FORM = "agentos run 1"
# Words of ours: ids, states and names of actions. Whatever else would stand there is left out as well.
OURS = frozenset({"run", "status", "action", "decision", "grant", "code"})
RAISED = frozenset({"AgentError", "Denied", "NeedsApproval", "NotFound", "LimitExceeded", "Unavailable", "Invalid"})
WORD = re.compile(r"[a-z][a-z0-9_]{0,31}(\.[a-z][a-z0-9_]{0,31})?|[rge][0-9]{1,12}")


def whole(run: Mapping[str, object], *, full: bool) -> dict[str, object]:
    """The file: its form, where it was made, and the run."""
    key = secrets.token_bytes(32)
    return {
        "form": FORM,
        "full": full,
        "agentos": version("agentos-kernel"),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "run": run if full else left_out(run, key),
        "failed": failed(str(run.get("traceback") or "")),
    }


def failed(traceback: str) -> dict[str, object] | None:
    """Of a traceback what is nobody's: the numbers of its lines, and what was raised if it has a known name."""
    last = traceback.strip().rpartition("\n")[2].partition(":")[0]
    known = hasattr(builtins, last) or last in RAISED
    lines = [int(number) for number in re.findall(r'^ *File ".*", line ([0-9]+)', traceback, re.MULTILINE)]
    return {"raised": last if known else None, "lines": lines} if traceback else None


def left_out(value: object, key: bytes, name: str = "") -> object:
    """The same value with a mark for each text that is not ours. Names of fields are ours where they are words."""
    if isinstance(value, Mapping):
        return {
            (field if WORD.fullmatch(field) or field == "to allow" else mark(field, key)): left_out(each, key, field)
            for field, each in value.items()
        }
    if isinstance(value, list | tuple):
        return [left_out(each, key, name) for each in value]
    if isinstance(value, str) and value and not (name in OURS and WORD.fullmatch(value)):
        return mark(value, key)
    return value


def mark(text: str, key: bytes) -> str:
    """What stands for a text, with its length."""
    made = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), key=key, digest_size=5).digest()
    return f"‹{base64.b32encode(made).decode().lower()} {len(text)}›"
