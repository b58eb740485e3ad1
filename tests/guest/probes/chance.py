"""Every random source: one call, whatever is drawn and however often."""

from __future__ import annotations

from tests.guest.probe import fails, works

BYTES = "random.bytes"
R = "import random\n"

PROBES = {
    "random": works(R + "result = 0 <= random.random() < 1", True, BYTES),
    "many draws": works(R + "result = len({random.random() for _ in range(500)})", 500, BYTES),
    "randint": works(R + "result = 1 <= random.randint(1, 6) <= 6", True, BYTES),
    "choice and shuffle": works(R + "x = list(range(9))\nrandom.shuffle(x)\nresult = random.choice(x) in sorted(x)",
                                True,
                                BYTES),
    "sample and choices": works(R + "result = [len(random.sample(range(99), 5)), len(random.choices('ab', k=7))]",
                                [5, 7],
                                BYTES),
    "distributions": works(R + "result = all(isinstance(f, float) for f in (random.gauss(), random.uniform(1, 2), "
                           "random.normalvariate(), random.betavariate(1, 2), random.expovariate(), "
                           "random.triangular()))",
                           True, BYTES),
    "randbytes": works(R + "result = len(random.randbytes(7))", 7, BYTES),
    "getrandbits": works(R + "result = random.getrandbits(8) < 256", True, BYTES),
    "getstate": works(R + "s = random.getstate()\na = random.random()\nrandom.setstate(s)\nresult = a == "
                      "random.random()",
                      True, BYTES),
    "a seed of its own": works(R + "random.seed(5)\nresult = [random.random(), random.Random(5).random()]",
                               [0.6229016948897019, 0.6229016948897019]),
    "reseeded": works(R + "random.seed()\nresult = random.random() < 1", True, BYTES),
    "Random()": works(R + "result = random.Random().random() != random.Random().random()", True, BYTES),
    "SystemRandom": works(R + "result = random.SystemRandom().randint(1, 6) < 7", True, BYTES),
    "_random": works("import _random\nresult = _random.Random().random() < 1", True, BYTES),
    "from random": works("from random import random, randint\nresult = random() < 1 <= randint(1, 6)", True, BYTES),
    "secrets": works("import secrets\nresult = [len(secrets.token_hex(4)), len(secrets.token_bytes(3)), "
                     "secrets.randbelow(1), secrets.choice('a'), len(secrets.token_urlsafe()) > 20]",
                     [8, 3, 0, "a", True], BYTES),
    "urandom": works("import os\nresult = [len(os.urandom(70000)), len(os.urandom(0))]", [70000, 0], BYTES),
    "urandom of less than nothing": fails("import os\nos.urandom(-1)", "ValueError"),
    "uuid1": works("import uuid\nresult = uuid.uuid1().version", 1, f"clock.now {BYTES}"),
    "uuid4": works("import uuid\nresult = [uuid.uuid4().version, uuid.uuid4() != uuid.uuid4()]", [4, True], BYTES),
    "uuid7": works("import uuid\nresult = uuid.uuid7().version", 7, f"clock.now {BYTES}"),
    "uuid5": works("import uuid\nresult = str(uuid.uuid5(uuid.NAMESPACE_DNS, 'a'))[:8]", "4f3f2898"),
    "getnode": works("import uuid\nresult = uuid.getnode() > 0", True, BYTES),
    "none": works(R + "import secrets, uuid, tempfile\nresult = 1", 1),
    "hash": works("hash('a') == hash('a')"),
}  # fmt: skip
