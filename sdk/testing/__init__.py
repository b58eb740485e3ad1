"""Try a program without a kernel: files and a web in memory, grants as a list, and the same errors.

    kit = Kit({"notes/a.md": "# A"}, [Grant("files.read", path="notes/**")])
    run = kit.run("links.py", input={"deep": True})
    assert run.status == "done"
    assert run.refused == []

What hosts answer is given by URL, and what they saw is noted:

    web = {"https://api.example.com/owls": [{"name": "Ada"}]}
    kit = Kit(web=web, grants=[Grant("net.fetch", host="api.example.com")])
    assert kit.run("owls.py").result == ["Ada"]
    assert kit.web.seen[0].headers["Accept"] == "application/json"

A child that a program starts is run here too, or ends as it is told:

    kit = Kit(files, grants, children={"sum.py": Path("sum.py"), "mail.py": Run("refused"), "ask.py": {"answer": 42}})

`Kit.under_manifest("links.py", …)` grants what the program's own manifest asks. `with kit:` connects the SDK, so that
single functions of a program can be called. Time stands still but for what is slept, and random bytes are the same in
every run.

It is no sandbox: the program runs in this process, and what it does without the SDK it does to this machine.
"""

from __future__ import annotations

from agentos.sdk.testing.kit import Kit
from agentos.sdk.testing.rules import Grant
from agentos.sdk.testing.run import Made, Run
from agentos.sdk.testing.web import Reply, Seen, Web

__all__ = ["Grant", "Kit", "Made", "Reply", "Run", "Seen", "Web"]
