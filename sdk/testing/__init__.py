"""Try a program without a kernel: files in memory, grants as a list, and the same errors.

    kit = Kit({"notes/a.md": "# A"}, [Grant("files.read", path="notes/**")])
    run = kit.run("links.py", input={"deep": True})
    assert run.status == "done"
    assert run.refused == []

`Kit.under_manifest("links.py", …)` grants what the program's own manifest asks. `with kit:` connects the SDK, so that
single functions of a program can be called. Time stands still but for what is slept, and random bytes are the same in
every run.

It is no sandbox: the program runs in this process, and what it does without the SDK it does to this machine.
"""

from __future__ import annotations

from agentos.sdk.testing.kit import Kit, Made, Run
from agentos.sdk.testing.rules import Grant

__all__ = ["Grant", "Kit", "Made", "Run"]
