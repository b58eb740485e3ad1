"""docs/tour.md, made from a real tour: `python docs/shown/tour.py [--agentos PATH] [--check]`.

Without `--agentos` the wheel is built, and installed with pip into an empty environment, as a new user would. A small
web server on loopback stands for the host that is granted. `--check` writes nothing, and fails if the page is not what
one sees now.
"""

from __future__ import annotations

import argparse
import http.server
import json
import re
import subprocess
import sys
import tempfile
import threading
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from played import Person, person, same

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "tour.md"
COLUMNS = 92
PORT = 8017
COLOURS = re.compile(r"\x1b\[[0-9;]*m")

NARROW = """\
# /// script
# [tool.agentos]
# name = "weather"
#
# [tool.agentos.grants]
# "net.fetch" = { host = ["127.0.0.1"], network = "loopback", scheme = "http", port = 8017, path = ["/weather.json"] }
# ///
import json
import urllib.request
from pathlib import Path

with urllib.request.urlopen("http://127.0.0.1:8017/weather.json") as answer:
    weather = json.load(answer)
Path("weather.txt").write_text(f"{weather['place']}: {weather['sky']}, {weather['degrees']} degrees\\n")
print("written")
"""
LINE = '# "files.write" = { path = ["weather.txt"] }\n'
WEATHER = {"place": "Lisbon", "sky": "clear", "degrees": 19}


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--agentos", type=Path)
    options.add_argument("--check", action="store_true")
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        agentos = given.agentos or installed(Path(scratch))
        with web() as port, person(agentos, COLUMNS) as somebody:
            text = tour(somebody, port)
    if given.check:
        fresh = same(PAGE.read_text(), text)
        print("the tour is what one sees" if fresh else f"the tour is not what one sees:\n{text}")
        return not fresh
    PAGE.write_text(text)
    print(PAGE)
    return 0


def installed(scratch: Path) -> Path:
    """The command in an empty environment with nothing but the wheel and what it needs."""
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", scratch], cwd=ROOT, check=True)
    venv.create(scratch / "env", with_pip=True)
    (wheel,) = scratch.glob("*.whl")
    subprocess.run([scratch / "env/bin/pip", "install", "--quiet", wheel], check=True)
    return scratch / "env/bin/agentos"


@contextmanager
def web() -> Iterator[int]:
    """A host that knows the weather; its port."""

    class Weather(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps(WEATHER).encode())

        def log_message(self, *words: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Weather) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server.server_port
        finally:
            server.shutdown()


def tour(somebody: Person, port: int) -> str:
    def played(command: str, *keys: tuple[str, str], code: int = 0) -> str:
        seen = COLOURS.sub("", somebody.types(command, keys, code)).replace(str(port), str(PORT))
        return f"```\n$ {command}\n" + "\n".join(line.rstrip() for line in seen.splitlines()) + "\n```\n"

    def saved(text: str) -> None:
        somebody.write("weather.py", text.replace(str(PORT), str(port)))

    saved(NARROW)
    parts = [HEAD, f"```python\n{NARROW}```\n", RUN]
    parts.append(played("agentos run weather.py", ("[?]", "a\n"), code=3))
    parts += [WHY, played("agentos why last 2")]
    saved(NARROW.replace("# ///\nimport", f"{LINE}# ///\nimport"))
    parts += [FIX, f"```toml\n{LINE.removeprefix('# ')}```\n", AGAIN]
    parts.append(played("agentos run weather.py", ("[?]", "a\n")))
    parts.append(played("cat weather.txt"))
    parts += [GRANTS, played("agentos grants"), END]
    return "\n".join(parts)


HEAD = """\
# A tour: the first program

Made from a real run, by `python docs/shown/tour.py`; a test plays it again. Somebody in an empty folder, `/tmp/me`, has
just installed Agent OS, and a host that knows the weather listens on this machine.

```
python3 -m venv env
env/bin/pip install agentos_kernel-0.1.0-py3-none-any.whl
```

## A program that an agent wrote

It is to fetch the weather and write it down. Its manifest, at the top, says what it wants: one address. Loopback has to
be written out; without `network` a name that leads into this machine or its neighbourhood is refused.
"""
RUN = "## It asks once, and is refused what it did not ask for\n"
WHY = "The fetch went through; the file was not written. Why?\n"
FIX = """\
## Mending the manifest

The program was to write a file and its manifest did not say so. One more line does:
"""
AGAIN = """\
It is another version now, and nobody said what may have changed with it. What it had it may keep, after one question;
what is new is asked for.
"""
GRANTS = "## What is allowed now\n"
END = """\
`agentos revoke ID` takes one back, at the next call. `agentos why last` explains every refusal, `agentos show last`
every call. More: [programs.md](programs.md), [network.md](network.md),
[secrets.md](secrets.md), [cli.md](cli.md).
"""

if __name__ == "__main__":
    sys.exit(main())
