"""The component's one export. All modules are imported and all shims put in place while the component is built."""

from __future__ import annotations

import gc
import json

from agentos.guests.python import preloaded

preloaded.load()

import wit_world  # noqa: E402  # pyright: ignore[reportMissingImports]  (made by componentize-py)
from wit_world.imports import kernel  # noqa: E402  # pyright: ignore[reportMissingImports]

from agentos.guests.python import packing, program, shims  # noqa: E402

shims.install()
program.settle()


class WitWorld(wit_world.WitWorld):
    def run(self, request: str) -> str:
        asked = json.loads(request)
        if "run" in asked:
            return program.run(asked["run"], kernel.invoke)
        if "compile" in asked:
            return json.dumps(program.compiled(asked["compile"]["source"], asked["compile"]["name"]))
        return json.dumps(program.warm())


gc.collect()
gc.freeze()
packing.fill()
