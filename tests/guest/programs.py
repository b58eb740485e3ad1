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
    "import gc\nseen.append([gc.get_count(), gc.get_stats()[0], len(gc.get_objects())])",
    "import sys\nseen.append(sys.getallocatedblocks())",
    "import threading, sys\nseen.append([threading.get_ident(), sys.thread_info.name, len(sys.modules)])",
    "seen.append([repr(lambda: 0), repr(open), repr(type('{n}', (), {{}})())])",
    "import traceback\ntry: {n}\nexcept NameError as error: seen.append(traceback.format_exc())",
    "def {n}(k):\n    try: return {n}(k + 1)\n    except RecursionError: return k\nseen.append({n}(0))",
    "{n} = []\nfor _ in range(3000): {n} = [{n}]\ntry: repr({n})\nexcept RecursionError as e: seen.append(str(e))",
    (
        "import asyncio\nasync def {n}():\n"
        "    for k in range({i} % 9): asyncio.create_task(asyncio.sleep(0), name=str(k))\n"
        "    return [t.get_name()[-3:] for t in asyncio.all_tasks()]\nseen.append(asyncio.run({n}()))"
    ),
    (
        "import sqlite3\n{n} = sqlite3.connect(':memory:')\n{n}.execute('create table t (a)')\n"
        "{n}.executemany('insert into t values (?)', [(k,) for k in range({i})])\n"
        "seen.append({n}.execute(\"select a, datetime('now') from t order by random()\").fetchall())"
    ),
    "import zipfile\nwith zipfile.ZipFile('{n}.zip', 'w') as z: z.writestr('a', 'b' * {i})",
    "import logging\nlogging.basicConfig(format='%(asctime)s %(process)d %(message)s')\nlogging.warning('{n}')",
    "import weakref\nclass {n}: pass\nfor k in range({i}): weakref.finalize({n}(), lambda k=k: seen.append(k))",
    "import builtins\nseen.append([str(k) for k in {{v for v in vars(builtins).values() if callable(v)}}][:{i}])",
    "import typing, enum, dataclasses\nseen.append(str({{enum.Enum, typing.Any, dataclasses.field}}))",
    "import sys\nprint('x' * {i}00, file=sys.stderr)",
    "from agentos.sdk import net\nseen.append([net.get('https://a.example/j').json(), str({{net.get, net.Session}})])",
    "import urllib.request\nseen.append(urllib.request.urlopen('https://a.example/echo?{n}').read().decode())",
    (
        "import requests\ntry: requests.get('https://evil.example/{n}')\n"
        "except requests.RequestException as error: seen.append([repr(error), repr(type(error).__mro__)])"
    ),
    "import requests\n{n} = requests.Session()\n{n}.get('https://a.example/login')\nseen.append(str({n}.cookies))",
    "import urllib.request as u\nseen.append(len(u.urlopen('https://a.example/long').read({i}00)))",
    "eval(compile('seen.append([*{{object, int, None, 5, \"{n}\"}}])', '{n}', 'exec'))",
]


def program(seed: int) -> str:
    """A program of a few pieces. Its result and its calls say how it went."""
    draw = random.Random(seed)  # noqa: S311  (the same programs each time)
    pieces = [draw.choice(PIECES).format(n=f"v{draw.randrange(99)}", i=draw.randrange(1, 40)) for _ in range(6)]
    return "\n".join(["seen = []", *pieces, "print(seen)", "result = [str(each) for each in seen]"])
