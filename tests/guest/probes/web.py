"""The standard library on the network: urllib, http.client and what stands on them, unmodified, on calls of net."""

from __future__ import annotations

from tests.guest.probe import fails, refused, works

U = "import urllib.request as u, urllib.error\n"
C = "import http.client\nc = http.client.HTTPSConnection('a.example', timeout=5)\n"
LINE = 'add "net.fetch" = { host = ["evil.example"] } to its manifest'
CHECKED = "certificates are always checked"

PROBES = {
    # urllib
    "urlopen": works(U + "import json\nresult = json.load(u.urlopen('https://a.example/j'))", {"n": 1}, "net.fetch"),
    "urlopen, what it says": works(
        U + "r = u.urlopen('https://a.example/j', timeout=5)\nresult = [r.status, r.code, r.getcode(), r.reason, "
        "r.headers['content-type'], r.getheader('Content-Length'), r.geturl(), r.info() is r.headers, r.length]",
        [200, 200, 200, "OK", "application/json", "8", "https://a.example/j", True, 8], "net.fetch"),
    "urlopen as a context": works(U + "with u.urlopen('https://a.example/t') as f: result = f.read().decode("
                                  "f.headers.get_content_charset())", "grüße", "net.fetch"),
    "urlopen by lines": works(U + "import csv, io\nresult = [r['age'] for r in csv.DictReader(io.TextIOWrapper("
                              "u.urlopen('https://a.example/csv'), 'utf-8'))]", ["36", "41"], "net.fetch"),
    "urlopen that posts": works(U + "import json\nq = u.Request('https://a.example/echo?a=1#f', data=b'x=1', headers={"
                                "'X-A': '1'})\nr = json.load(u.urlopen(q))\nresult = [r['method'], r['body'], "
                                "r['headers']]",
                                ["POST", "x=1", {"Content-Type": "application/x-www-form-urlencoded", "User-Agent":
                                                 "Python-urllib/3.14", "X-A": "1"}], "net.fetch"),
    "urlopen by other methods": works(U + "import json\nresult = [json.load(u.urlopen(u.Request("
                                      "'https://a.example/echo', method=m)))['method'] for m in ('PUT', 'DELETE')]",
                                      ["PUT", "DELETE"], "net.fetch net.fetch"),
    "urlopen of the head": works(U + "r = u.urlopen(u.Request('https://a.example/j', method='HEAD'))\nresult = "
                                 "[r.status, r.read().decode()]", [200, ""], "net.head"),
    "urlopen of nothing": works(U + "r = u.urlopen('https://a.example/204')\nresult = [r.status, r.read().decode()]",
                                [204, ""], "net.fetch"),
    "urlopen of much": works(U + "result = len(u.urlopen('https://a.example/long').read())", 2_621_440,
                             "net.fetch net.read net.read"),
    "urlopen of much in pieces": works(U + "r, n = u.urlopen('https://a.example/long'), 0\nwhile p := r.read(10_000): "
                                       "n += len(p)\nresult = n", 2_621_440, "net.fetch net.read net.read"),
    "urlopen of a part": works(U + "with u.urlopen('https://a.example/long') as r: result = len(r.read(9))", 9,
                               "net.fetch net.close"),
    "urlopen with a context of TLS": works("import ssl\n" + U + "result = u.urlopen('https://a.example/j', context="
                                           "ssl.create_default_context()).status", 200, "net.fetch"),
    "urlopen follows": works(U + "r = u.urlopen('https://a.example/goes')\nresult = [r.geturl(), r.status]",
                             ["https://a.example/j", 200], "net.fetch net.fetch"),
    "urlopen posts and follows": works(U + "import json\nresult = json.load(u.urlopen('https://a.example/seen', data="
                                       "b'x'))['method']", "GET", "net.fetch net.fetch"),
    "urlopen does not follow to what was not granted": refused(U + "u.urlopen('https://a.example/away')", LINE,
                                                               "net.fetch net.fetch"),
    "urlopen does not follow out of http": fails(U + "u.urlopen('https://a.example/file')",
                                                 "HTTPError: HTTP Error 302: Found - Redirection to url 'file:",
                                                 "net.fetch"),
    "urlopen follows down only by another grant": refused(
        U + "u.urlopen('https://a.example/down')", '"net.fetch" = { scheme = ["http"], host = ["a.example"]',
        "net.fetch net.fetch"),
    "urlopen in a loop": fails(U + "u.urlopen('https://a.example/loop')", "infinite loop", " ".join(["net.fetch"] * 5)),
    "HTTPError": works(U + "try: u.urlopen('https://a.example/404')\nexcept urllib.error.HTTPError as e: result = "
                       "[e.code, e.reason, e.read().decode(), e.headers['Content-Type'], str(e)]",
                       [404, "Not Found", "nothing here", "text/plain; charset=utf-8", "HTTP Error 404: Not Found"],
                       "net.fetch"),
    "HTTPError that nobody catches": fails(U + "u.urlopen('https://a.example/404')", "HTTPError: HTTP Error 404",
                                           "net.fetch"),
    "a refusal": refused(U + "u.urlopen('https://evil.example/x')", LINE, "net.fetch"),
    "a refusal of another method": refused(U + "u.urlopen(u.Request('https://a.example/j', method='PATCH'))",
                                           'method = ["PATCH"]', "net.fetch"),
    "a refusal is a URLError": works(
        U + "import errno\ntry: u.urlopen('https://evil.example/x')\nexcept urllib.error.URLError as e: result = ["
        "isinstance(e, PermissionError), e.reason, e.errno == errno.EACCES]",
        [True, "outside what the program may ever ask", True], "net.fetch"),
    "a host that does not answer": works(U + "try: u.urlopen('https://a.example/shut')\nexcept urllib.error.URLError "
                                         "as e: result = [isinstance(e, ConnectionError), e.reason]",
                                         [True, "nobody answers at that port of a.example"], "net.fetch"),
    "a host that is slow": works(U + "try: u.urlopen('https://a.example/slow')\nexcept TimeoutError as e: result = "
                                 "isinstance(e, urllib.error.URLError)", True, "net.fetch"),
    "what a socket would say": works(
        U + "import socket, ssl\nresult = []\nkinds = [socket.gaierror, ssl.SSLError, ConnectionError, TimeoutError, "
        "urllib.error.URLError]\nfor n in ('no-name', 'no-names', 'tls', 'reset', 'slow'):\n    try: u.urlopen("
        "'https://a.example/' + n)\n    except OSError as e: result.append([isinstance(e, k) for k in kinds])",
        [[True, False, False, False, True], [True, False, False, False, True], [False, True, False, False, True],
         [False, False, True, False, True], [False, False, False, True, True]], " ".join(["net.fetch"] * 5)),
    "not there, and nobody catches it": fails(U + "u.urlopen('https://gone.example/')",
                                              "there is no host gone.example; see if it is spelt right", "net.fetch"),
    "urlretrieve": works(U + "n, m = u.urlretrieve('https://a.example/j', 'n.json')\nresult = [open(n).read(), "
                         "m['Content-Type']]", ['{"n": 1}', "application/json"], "net.fetch files.write files.read"),
    "urlretrieve, and where": works(U + "n, m = u.urlretrieve('https://a.example/j')\nresult = open(n).read()",
                                    '{"n": 1}', "net.fetch random.bytes"),
    "build_opener with cookies": works(
        U + "import json\no = u.build_opener(p := u.HTTPCookieProcessor())\nj = p.cookiejar\n"
        "o.open('https://a.example/login')\nresult = [[c.value for c in j], json.load(o.open('https://a.example/echo'))"
        "['headers']['Cookie']]", [["1"], "s=1"], "clock.now clock.now net.fetch clock.now "
        "clock.now clock.now net.fetch clock.now"),
    "build_opener with headers": works(
        U + "import json\no = u.build_opener()\no.addheaders = [('X-A', '1')]\nu.install_opener(o)\n"
        "result = json.load(u.urlopen('https://a.example/echo'))['headers']", {"X-A": "1"}, "net.fetch"),
    "basic credentials": works(
        U + "import json\nm = u.HTTPPasswordMgrWithPriorAuth()\nm.add_password(None, 'https://a.example/', 'me', 'w', "
        "is_authenticated=True)\no = u.build_opener(u.HTTPBasicAuthHandler(m))\nresult = json.load(o.open("
        "'https://a.example/echo'))['headers']['Authorization']", "Basic bWU6dw==", "net.fetch"),
    "no proxy of the environment": works(U + "import os\nos.environ['https_proxy'] = 'http://evil.example:1'\nresult = "
                                         "[u.urlopen('https://a.example/j').status, u.ProxyHandler().proxies]",
                                         [200, {}], "net.fetch"),
    "no proxy by hand": refused(U + "u.build_opener(u.ProxyHandler({'https': 'http://evil.example'}))",
                                "a program sets no proxy"),
    "no proxy by a request": refused(U + "r = u.Request('https://a.example/j')\nr.set_proxy('evil.example', 'https')\n"
                                     "u.urlopen(r)", "a program sets no proxy"),
    "a proxy for http": fails(U + "r = u.Request('http://a.example/j')\nr.set_proxy('a.example', 'http')\nu.urlopen(r)",
                              "a path of a URL begins with /", "net.fetch"),
    "another Host": fails(U + "u.urlopen(u.Request('https://a.example/echo', headers={'Host': 'evil.example'}))",
                          "the Host header says 'evil.example'"),
    "a file by its address": refused(U + "u.urlopen('file:///etc/passwd')", "use open(path)"),
    "ftp": refused(U + "u.urlopen('ftp://a.example/x')", "there are https:// and http://"),
    "data": works(U + "result = u.urlopen('data:text/plain,hi').read().decode()", "hi"),
    "no scheme": fails(U + "u.urlopen('a.example')", "ValueError: unknown url type: 'a.example'"),
    "another scheme": fails(U + "u.urlopen('gopher://a.example')", "unknown url type: gopher"),
    "a user in a URL": fails(U + "u.urlopen('https://me@a.example/')", "", "net.fetch"),
    "two lines in a URL": fails(U + "u.urlopen('https://a.example/\\r\\nX: y')", "URL can't contain control"),
    "two lines in a host": fails(U + "u.urlopen('https://a.exa\\r\\nmple/')", "URL can't contain control"),
    "two lines in a header": fails(U + "u.urlopen(u.Request('https://a.example/', headers={'X': 'a\\r\\nY: b'}))",
                                   "Invalid header value"),
    "a path with two readings": fails(U + "u.urlopen('https://a.example/x/../j')", "`.` and `..` are not allowed",
                                      "net.fetch"),
    "a number as a host": fails(U + "u.urlopen('https://2130706433/')", "not a host", "net.fetch"),
    "a port that is none": fails(U + "u.urlopen('https://a.example:99999/')", "a port is a number from 1 to 65535",
                                 "net.fetch"),
    "a host in other letters": refused(U + "u.urlopen('https://bücher.example/')", "xn--bcher-kva.example",
                                       "net.fetch"),
    "robotparser": works("import urllib.robotparser as r\np = r.RobotFileParser('https://a.example/robots.txt')\n"
                         "p.read()\nresult = [p.can_fetch('x', 'https://a.example' + w) for w in ('/a', '/private')]",
                         [True, False], "net.fetch clock.now"),
    # http.client
    "HTTPSConnection": works(C + "c.request('GET', '/j')\nr = c.getresponse()\nresult = [r.status, r.reason, "
                             "r.version, r.getheader('content-type'), r.read().decode(), r.isclosed()]",
                             [200, "OK", 11, "application/json", '{"n": 1}', True], "net.fetch"),
    "one connection, two requests": works(
        C + "import json\nresult = []\nfor body in (b'one', b'two'):\n    c.request('POST', '/echo', body)\n"
        "    result.append(json.load(c.getresponse())['body'])", ["one", "two"], "net.fetch net.fetch"),
    "a body in chunks": works(C + "import json\nc.request('POST', '/echo', iter([b'ab', b'', b'c']))\nresult = "
                              "json.load(c.getresponse())['body']", "abc", "net.fetch"),
    "a body from a file": works(C + "import json\nwith open('a.txt', 'rb') as f: c.request('PUT', '/echo', f)\n"
                                "result = json.load(c.getresponse())['body']", "one\ntwo\nthree\n",
                                "files.read net.fetch"),
    "step by step": works(
        C + "import json\nc.putrequest('POST', '/echo', skip_accept_encoding=True)\nc.putheader('X-A', '1', '2')\n"
        "c.putheader('Content-Length', '3')\nc.endheaders()\nc.send(b'abc')\nr = json.load(c.getresponse())\nresult = "
        "[r['headers'], r['body']]", [{"X-A": "1 2"}, "abc"], "net.fetch"),
    "no tunnel": refused(C + "c.set_tunnel('evil.example')\nc.request('GET', '/')", "a program sets no proxy"),
    "connect alone asks nothing": works(C + "c.connect()\nc.close()\nresult = 1", 1),
    "http.client is refused": refused("import http.client as h\nc = h.HTTPConnection('evil.example:8080')\nc.request("
                                      "'GET', '/')\nc.getresponse()",
                                      '{ scheme = ["http"], host = ["evil.example"], port = ["8080"] }', "net.fetch"),
    "http.client and a host that is gone": works(
        "import http.client as h\nc = h.HTTPSConnection('gone.example')\nc.request('GET', '/')\ntry: c.getresponse()\n"
        "except OSError as e: result = [type(e).__name__, str(e)]",
        ["gaierror", "there is no host gone.example; see if it is spelt right"], "net.fetch"),
    "read, readline, readinto": works(
        C + "c.request('GET', '/csv')\nr = c.getresponse()\nb = bytearray(4)\nresult = [r.readline().decode(), "
        "r.readinto(b), b.decode(), r.read1(3).decode(), r.peek(1)[:1].decode(), r.read().decode()]",
        ["name,age\n", 4, "Ada,", "36\n", "A", "Alan,41\n"], "net.fetch"),
    "more than may be received": works(
        U + "import http.client\nr = u.urlopen('https://a.example/longer')\ntry: r.read()\n"
        "except OSError as e: result = [type(e).__name__, str(e)[:60]]",
        ["OSError", "the body is longer than what may be received, and was cut off"[:60]],
        "net.fetch net.read net.read net.read"),
    "xmlrpc": works("import xmlrpc.client\nresult = xmlrpc.client.ServerProxy('https://a.example/rpc').answer(1)", 42,
                    "net.fetch"),
    "xmlrpc is refused": refused("import xmlrpc.client\nxmlrpc.client.ServerProxy('http://evil.example').f()",
                                 'method = ["POST"], scheme = ["http"], host = ["evil.example"]', "net.fetch"),
    # ssl
    "ssl": works("import ssl\nc = ssl.create_default_context()\nc.verify_mode = ssl.CERT_REQUIRED\nc.minimum_version = "
                 "ssl.TLSVersion.TLSv1_2\nresult = [c.check_hostname, c.verify_mode.name]", [True, "CERT_REQUIRED"]),
    "no host name checked": refused("import ssl\nssl.create_default_context().check_hostname = False", CHECKED),
    "no certificate checked": refused("import ssl\nssl.create_default_context().verify_mode = ssl.CERT_NONE", CHECKED),
    "unverified": refused("import ssl\nssl._create_unverified_context()", CHECKED),
    "unverified for all": works("import ssl, urllib.request as u\nssl._create_default_https_context = "
                                "ssl._create_unverified_context\ntry: u.urlopen('https://a.example/j')\n"
                                "except PermissionError as e: result = e.reason", CHECKED),
    "certificates of its own": refused("import ssl\nssl.create_default_context(cafile='a.txt')", "brings no certif"),
    "a socket in TLS": refused("import ssl, socket\nssl.create_default_context().wrap_socket(socket.socket())",
                               "a program opens no socket"),
    "ssl by itself": refused("import ssl\nssl.get_server_certificate(('a.example', 443))", "a program opens no socket"),
}  # fmt: skip
