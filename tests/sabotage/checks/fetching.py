"""Taken out of how the SDK fetches: what is one URL, where a redirect may lead, what goes along, what is whole."""

from __future__ import annotations

from tests.sabotage.mutation import never, out

URLS, NET, REQUESTS = "sdk/test_sdk_urls.py", "sdk/test_sdk_net.py", "sdk/test_sdk_requests.py"
TWO = f"{URLS}::test_what_has_two_readings_is_refused_with_what_to_write"

CHECKS = (
    never(2, "no user in a URL that is fetched", "sdk/http", '"@" in found[1]', TWO),
    never(2, "no control character in a URL that is fetched", "sdk/http", "control is not None", TWO),
    never(2, "no space around a URL that is fetched", "sdk/http", "text != text.strip()", TWO),
    never(2, "no backslash before the path", "sdk/http", '"\\\\" in authority', TWO),
    never(2, "no backslash in the path", "sdk/http", '"\\\\" in path.partition("?")[0]', TWO),
    never(2, "one port in a URL", "sdk/http", '":" in port', TWO),
    never(2, "the Host of a request is its URL's", "sdk/http",
          'host is not None and urls.split(f"{target.scheme}://{host}/").origin != target.origin',
          f"{NET}::test_what_frames_a_message_is_left_to_the_server"),
    never(13, "a redirect never leads from https to http", "sdk/http",
          '(asked.target.scheme, target.scheme) == ("https", "http")',
          f"{NET}::test_nothing_leads_out_of_https_or_of_http"),
    never(13, "credentials stay with their origin", "sdk/http", "target.origin != asked.target.origin",
          f"{NET}::test_credentials_stay_with_the_origin_they_were_given_for"),
    out(13, "cookies by hand are for one host", "sdk/http", "domain=urls.split(url).host, path", 'domain="", path',
        "sdk/test_sdk_sessions.py::test_cookies_by_hand_are_for_one_host"),
    out(13, "a cookie of one host is not for those below it", "sdk/http",
        "strict_domain=True, strict_ns_domain=host_only", "strict_domain=True",
        "sdk/test_sdk_sessions.py::test_a_cookie_goes_back_to_its_host_path_and_scheme"),
    out(13, "nobody sets a cookie for a whole country", "sdk/http",
        "DefaultCookiePolicy(strict_domain=True, ", "DefaultCookiePolicy(",
        "sdk/test_sdk_sessions.py::test_nobody_sets_a_cookie_for_another_or_for_a_whole_country"),
    out(14, "redirects end", "sdk/http", "len(history) >= asked.hops", "len(history) >= 50",
        f"{NET}::test_a_loop_ends"),
    never(13, "a body that was cut off is not taken for the whole", "sdk/http", "not self._piece and self._cut",
          f"{NET}::test_a_body_that_was_cut_off_is_never_taken_for_the_whole"),
    never(6, "requests loosens nothing", "sdk/requests", 'given is not True and (given or name == "verify")',
          f"{REQUESTS}::test_nothing_loosens_how_a_host_is_reached"),
)  # fmt: skip
