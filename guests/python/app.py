"""The component's one export. All modules are imported and all shims put in place while the component is built."""

from __future__ import annotations

import json

from agentos.guests.python import preloaded

preloaded.load()

import wit_world  # noqa: E402  # pyright: ignore[reportMissingImports]  (made by componentize-py)
from wit_world.imports import kernel  # noqa: E402  # pyright: ignore[reportMissingImports]

from agentos.guests.python import lasting, packing, program, shims, warmup  # noqa: E402

shims.install()
program.settle()


class WitWorld(wit_world.WitWorld):
    def run(self, request: str) -> str:
        if request[0] != "{":
            head, _, rest = request.partition("\n")
            return program.run(rest[: int(head)], rest[int(head) :], kernel.invoke)
        asked = json.loads(request)
        if "compile" in asked:
            return json.dumps(program.compiled(asked["compile"]["source"], asked["compile"]["name"]))
        return "{}"


warmup.play()
lasting.note()
packing.fill()
