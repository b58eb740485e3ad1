"""Programs made by a seed, each of which shows what differs between two runs that are not the same."""

from __future__ import annotations

import random

# Each reveals something: the order of objects in a set, addresses, hashes, clocks, chance, the order of calls.
PIECES = [
    "class {n}: pass\nseen.append([o.__class__.__name__ for o in {{{n}(), {n}()}}])",
    "{n} = [type(str({i}), (), {{}})() for _ in range({i})]\nseen.append([{n}.index(o) for o in set({n})])",
    "seen.append([id(object()) % 9973 for _ in range({i})])",
    "seen.append(hash('{n}{i}') % 9973)",
    "seen.append(sorted({{object() for _ in range({i})}}, key=id)[0].__class__.__name__)",
    "import random\nseen.append(random.random())",
    "import random\nseen.append(random.Random().randint(0, {i}0))",
    "import uuid\nseen.append(str(uuid.uuid4()))",
    "import time\nseen.append(time.time())",
    "import time\ntime.sleep({i} / 1000)",
    "from datetime import datetime\nseen.append(datetime.now().isoformat())",
    "for {n} in {{'a.txt', 'b.md', 'empty', 'sub/c.txt'}}: seen.append(len(open({n}).read()))",
    "open('{n}.out', 'w').write(str(list({{1.5, '{n}', None, ({i},), len, int}})))",
    "import os\nseen.append(os.listdir('sub'))",
    "import glob\nseen.append(glob.glob('*.t*'))",
    "try: open('/home/me/{n}')\nexcept OSError as error: seen.append(str(error))",
    "def {n}(k):\n    return [repr(object.__new__(object)) for _ in range(k)]\nseen.append({n}({i} % 5))",
    "import gc\nx = []\nx.append(x)\ndel x\nseen.append(gc.collect())",
    "import tempfile\nseen.append(tempfile.mktemp())",
    (
        "import asyncio\nasync def {n}(k): await asyncio.sleep(k / 1000); seen.append(k)\n"
        "async def all_{n}(): await asyncio.gather(*[{n}(k % 4) for k in range({i} % 9)])\nasyncio.run(all_{n}())"
    ),
    (
        "import weakref\n{n} = weakref.WeakSet()\nkept_{n} = [type('T', (), {{}})() for _ in range({i} % 7)]\n"
        "{n}.update(kept_{n})\nseen.append([kept_{n}.index(o) for o in {n}])"
    ),
    "import json\nseen.append(json.dumps({{str(k): k for k in {{len, print, {i}}}}}, default=str))",
]


def program(seed: int) -> str:
    """A program of a few pieces. Its result and its calls say how it went."""
    draw = random.Random(seed)  # noqa: S311  (the same programs each time)
    pieces = [draw.choice(PIECES).format(n=f"v{draw.randrange(99)}", i=draw.randrange(1, 40)) for _ in range(6)]
    return "\n".join(["seen = []", *pieces, "print(seen)", "result = [str(each) for each in seen]"])
