"""`import requests` and the SDK's own `net`: the same calls, the answers and errors that each is known for."""

from __future__ import annotations

from tests.guest.probe import fails, refused, works

R = "import requests\n"
N = "from agentos.sdk import net\n"
LINE = 'add "net.fetch" = { host = ["evil.example"] } to its manifest'


def caught(url: str, names: str, **more: str) -> str:
    """A program that says which of these errors of requests it caught."""
    call = more.get("call", f"requests.get('{url}')")
    return (
        f"{R}try: {call}\nexcept requests.exceptions.RequestException as e: result = "
        f"[isinstance(e, n) for n in ({names},)]"
    )


PROBES = {
    "get": works(R + "r = requests.get('https://a.example/j', timeout=10)\nr.raise_for_status()\nresult = r.json()",
                 {"n": 1}, "net.fetch"),
    "what it says": works(R + "r = requests.get('https://a.example/t', params={'a': 1})\nresult = [r.status_code, "
                          "r.ok, r.reason, r.text, r.encoding, r.url, r.headers['content-type'], repr(r), "
                          "r.request.method]",
                          [200, True, "OK", "grüße", "latin-1", "https://a.example/t?a=1",
                           "text/plain; charset=latin-1", "<Response [200]>", "GET"], "net.fetch"),
    "post json": works(R + "r = requests.post('https://a.example/echo', json={'a': 1}).json()\nresult = [r['body'], "
                       "r['headers']]", ['{"a": 1}', {"Content-Type": "application/json"}], "net.fetch"),
    "post a form": works(R + "r = requests.post('https://a.example/echo', {'a': [1, 2]}).json()\nresult = r['body']",
                         "a=1&a=2", "net.fetch"),
    "post a file": works(R + "r = requests.post('https://a.example/echo', files={'f': open('a.txt', 'rb')}).json()\n"
                         "result = 'filename=\"a.txt\"' in r['body']", True, "files.read net.fetch"),
    "put and delete": works(R + "result = [requests.put('https://a.example/echo', 'x').json()['body'], "
                            "requests.delete('https://a.example/echo').json()['method']]", ["x", "DELETE"],
                            "net.fetch net.fetch"),
    "head": works(R + "r = requests.head('https://a.example/goes')\nresult = [r.status_code, r.is_redirect]",
                  [302, True], "net.head"),
    "patch that was not granted": refused(R + "requests.patch('https://a.example/echo')", 'method = ["PATCH"]',
                                          "net.fetch"),
    "options that were not granted": refused(R + "requests.options('https://a.example/echo')", 'method = ["OPTIONS"]',
                                             "net.fetch"),
    "credentials": works(R + "from requests.auth import HTTPBasicAuth\nresult = [requests.get("
                         "'https://a.example/echo', auth=a).json()['headers']['Authorization'] for a in (('me', 'w'), "
                         "HTTPBasicAuth('me', 'w'))]", ["Basic bWU6dw=="] * 2, "net.fetch net.fetch"),
    "follows": works(R + "r = requests.get('https://a.example/goes')\nresult = [r.url, [h.status_code for h in "
                     "r.history]]", ["https://a.example/j", [302]], "net.fetch net.fetch"),
    "does not follow": works(R + "r = requests.get('https://a.example/goes', allow_redirects=False)\nresult = "
                             "[r.status_code, r.headers['location']]", [302, "/j"], "net.fetch"),
    "a redirect to what was not granted": refused(R + "requests.get('https://a.example/away')", LINE,
                                                  "net.fetch net.fetch"),
    "a redirect out of https": refused(R + "requests.get('https://a.example/down')", "leads out of https", "net.fetch"),
    "a redirect to a file": refused(R + "requests.get('https://a.example/file')", "which is not followed", "net.fetch"),
    "a loop": works(caught("https://a.example/loop", "requests.TooManyRedirects"), [True],
                    " ".join(["net.fetch"] * 11)),
    "a refusal": refused(R + "requests.get('https://evil.example/')", LINE, "net.fetch"),
    "a refusal, caught": works(caught("https://evil.example/", "requests.ConnectionError, PermissionError, OSError"),
                               [True] * 3, "net.fetch"),
    "gone": works(caught("https://gone.example/", "requests.ConnectionError, requests.Timeout"), [True, False],
                  "net.fetch"),
    "slow": works(caught("https://a.example/slow", "requests.Timeout, requests.ConnectionError"), [True, False],
                  "net.fetch"),
    "a certificate of another": works(caught("https://a.example/tls", "requests.exceptions.SSLError"), [True],
                                      "net.fetch"),
    "a name that there is not": works(caught("https://a.example/no-name", "requests.ConnectionError"), [True],
                                      "net.fetch"),
    "no scheme": works(caught("a.example", "requests.exceptions.MissingSchema, ValueError"), [True, True]),
    "another scheme": works(caught("ftp://a.example/", "requests.exceptions.InvalidSchema"), [True]),
    "a user in the URL": works(caught("https://me:w@a.example/", "requests.exceptions.InvalidURL"), [True]),
    "HTTPError": works(R + "try: requests.get('https://a.example/404').raise_for_status()\nexcept requests.HTTPError "
                       "as e: result = [e.response.status_code, e.response.text, str(e), e.request.url]",
                       [404, "nothing here", "404 Not Found for GET https://a.example/404", "https://a.example/404"],
                       "net.fetch"),
    "no JSON": works(R + "import json\ntry: requests.get('https://a.example/broken').json()\nexcept "
                     "requests.exceptions.JSONDecodeError as e: result = [isinstance(e, json.JSONDecodeError), "
                     "isinstance(e, requests.RequestException), e.pos]", [True, True, 1], "net.fetch"),
    "a download": works(R + "with requests.get('https://a.example/long', stream=True) as r:\n    with open('n', 'wb') "
                        "as f:\n        for c in r.iter_content(chunk_size=8192): f.write(c)\nimport os\nresult = "
                        "os.path.getsize('n')", 2_621_440,
                        "net.fetch net.read net.read net.read files.write files.stat"),
    "a download by its file": works(R + "import shutil, io\nf = io.BytesIO()\nwith requests.get("
                                    "'https://a.example/long', stream=True) as r: shutil.copyfileobj(r.raw, f)\nresult "
                                    "= f.tell()", 2_621_440, "net.fetch net.read net.read net.read"),
    "lines": works(R + "r = requests.get('https://a.example/csv', stream=True)\nresult = list(r.iter_lines("
                   "decode_unicode=True))", ["name,age", "Ada,36", "Alan,41"], "net.fetch net.read"),
    "more than may be received": works(caught("https://a.example/longer", "OSError", call=(
        "requests.get('https://a.example/longer')")), [True], "net.fetch net.read net.read net.read"),
    "a session": works(R + "with requests.Session() as s:\n    s.headers.update({'X-A': '1'})\n    s.get("
                       "'https://a.example/login')\n    h = s.get('https://a.example/echo').json()['headers']\n"
                       "result = [h, s.cookies.get_dict()]", [{"X-A": "1", "Cookie": "s=1"}, {"s": "1"}],
                       "net.fetch clock.now net.fetch"),
    "tries again": works(R + "from requests.adapters import HTTPAdapter\nfrom urllib3.util.retry import Retry\n"
                         "s = requests.Session()\ns.mount('https://', HTTPAdapter(max_retries=Retry(total=3, "
                         "backoff_factor=1, status_forcelist=[503])))\nresult = s.get('https://a.example/turns').text",
                         "there", "net.fetch clock.sleep net.fetch clock.sleep net.fetch"),
    "tries again in vain": fails(R + "from requests.adapters import HTTPAdapter, Retry\ns = requests.Session()\n"
                                 "s.mount('https://a', HTTPAdapter(max_retries=Retry(1, status_forcelist=[404])))\n"
                                 "s.get('https://a.example/404')", "RetryError", "net.fetch net.fetch"),
    "tries nothing again that was sent": works(
        R + "from requests.adapters import HTTPAdapter, Retry\ns = requests.Session()\ns.mount('https://', HTTPAdapter("
        "max_retries=Retry(3, status_forcelist=[503])))\nresult = s.post('https://a.example/turns').status_code", 503,
        "net.fetch"),
    "verify": refused(R + "requests.get('https://a.example/', verify=False)", "certificates are always checked"),
    "verify of a session": refused(R + "s = requests.Session()\ns.verify = False\ns.get('https://a.example/')",
                                   "certificates are always checked"),
    "a proxy": refused(R + "requests.get('https://a.example/', proxies={'https': 'http://evil.example'})",
                       "a program sets no proxy"),
    "codes": works(R + "result = [requests.codes.ok, requests.codes.not_found]", [200, 404]),
    "a part that is not here": fails(R + "requests.Request('GET', 'https://a.example/')", "has no Request: use "
                                     "requests.request(method, url"),
    "warnings": works("import urllib3, requests\nurllib3.disable_warnings(urllib3.exceptions."
                      "InsecureRequestWarning)\nrequests.packages.urllib3.disable_warnings()\nresult = 1", 1),
    "elapsed": fails(R + "requests.get('https://a.example/j').elapsed", "time.monotonic()", "net.fetch"),
    "hooks": fails(R + "requests.get('https://a.example/j', hooks={'response': print})", "hooks"),
    "net.get": works(N + "result = net.get('https://a.example/j').json()", {"n": 1}, "net.fetch"),
    "net.get follows": works(N + "r = net.get('https://a.example/goes')\nresult = [r.url, r.history[0].status]",
                             ["https://a.example/j", 302], "net.fetch net.fetch"),
    "net.get is refused": refused(N + "net.get('https://evil.example/')", LINE, "net.fetch"),
    "net.get of no URL": fails(N + "net.get('a.example/x')", "write https://a.example/x"),
    "several at once": works("from agentos.sdk import gather, net\nresult = [type(a).__name__ for a in gather(*(net.get"
                             ".call(u) for u in ('https://a.example/j', 'https://evil.example/', 'nope://x')[:2]))]",
                             ["Response", "Denied"], "net.fetch net.fetch"),
    "several, one by one": works(N + "result = [net.get('https://a.example/j').status for _ in range(3)]", [200] * 3,
                                 "net.fetch net.fetch net.fetch"),
    "net, a session": works(N + "s = net.Session()\ns.get('https://a.example/login')\nresult = s.get("
                            "'https://a.example/echo').json()['headers']", {"Cookie": "s=1"},
                            "net.fetch clock.now net.fetch"),
    "net.HTTPError": fails(N + "net.get('https://a.example/404').raise_for_status()",
                           "HTTPError: 404 Not Found for GET https://a.example/404", "net.fetch"),
}  # fmt: skip
