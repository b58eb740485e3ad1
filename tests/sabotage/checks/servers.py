"""Taken out of capability servers and of what starts them: the seal, the bounds, the profile."""

from __future__ import annotations

from tests.sabotage.mutation import never, out

SEAL, LIFE, WINDOW = "servers/test_seal.py", "servers/test_life.py", "servers/test_window.py"
ATTACKS, AGAIN = "files/test_attacks.py", "servers/test_bounds_again.py"

CHECKS = (
    out(13, "an error that is no message is a failure of the server's, not of ours", "kernel/cells",
        "            with suppress(DecodeError):\n                error =", "            with suppress(KeyError):\n                error =",
        "fuzz/test_fuzz_servers.py::test_a_failure_is_typed_whatever_a_server_says_of_it"),
    # ---- 1: a server acts for the kernel alone
    never(1, "a server takes only what the kernel sealed", "capabilities",
        "not seal.holds(given, self._key, method, context, request)", f"{SEAL}::test_a_call_is_refused_with"),
    out(1, "the seal is over the method, too", "proto/agentos/v1",
        "for part in (method.encode(), context, request):", "for part in (context, request):",
        f"{SEAL}::test_a_call_is_refused_with"),
    out(1, "the seal is over the context, too", "proto/agentos/v1",
        "for part in (method.encode(), context, request):", "for part in (method.encode(), request):",
        f"{SEAL}::test_a_call_is_refused_with"),
    never(1, "the same call is not served twice", "capabilities",
        "not self._window.admits(told.nonce)", f"{SEAL}::test_the_same_call_is_not_served_twice"),
    out(1, "a window admits each nonce once", "proto/agentos/v1",
        "fresh = bool(bit) and not self._seen & bit", "fresh = bool(bit)",
        f"{WINDOW}::test_a_window_admits_each_number_at_most_once"),
    out(1, "a nonce from before the window is refused", "proto/agentos/v1",
        "bit = 1 << (self._newest - count) if self._newest - count < WIDTH else 0",
        "bit = 1 << (self._newest - count)",
        f"{WINDOW}::test_a_window_admits_each_number_at_most_once"),
    never(1, "a call whose deadline has passed is refused", "capabilities",
        "told.deadline_unix_ms <= time.time() * 1000", f"{SEAL}::test_a_call_whose_deadline_has_passed_is_refused"),
    # ---- 2: what was shown
    never(2, "what would be replaced is what was shown", "capabilities",
        "any(value not in context.targets.get(name, ()) for name, value in now.items())",
        f"{AGAIN}::test_what_prepare_says_now_must_be_what_was_shown"),
    # ---- 5: no further than the grant
    out(5, "a server checks the bounds of the grant again", "capabilities",
        "    check_bounds(request, context)\n    if resolve is not None:", "    if resolve is not None:",
        f"{ATTACKS}::test_a_sibling_that_shares_a_prefix_is_outside"),
    out(5, "a server looks at nothing outside the grant for Prepare", "capabilities",
        "    check_bounds(request, context)\n    found: Prepared", "    found: Prepared",
        f"{AGAIN}::test_nothing_outside_the_grant_is_looked_at_for_prepare"),
    never(5, "a server takes canonical names only", "capabilities",
        "canonical != value", f"{ATTACKS}::test_a_name_with_more_than_one_reading_is_refused"),
    never(5, "what one call may be is checked again", "capabilities",
        "size > min(map(int, patterns))",
        f"{AGAIN}::test_a_call_beyond_the_most_of_its_grant_is_denied"),
    out(5, "no profile holds a forbidden folder", "kernel/cells",
        "if os.path.realpath(path) != path or any(_within(path, place) for place in self._forbidden):",
        "if os.path.realpath(path) != path:",
        f"{LIFE}::test_forbidden_folders_and_links_are_never_in_a_profile"),
    out(5, "no profile leads through a link", "kernel/cells",
        "if os.path.realpath(path) != path or any(_within(path, place) for place in self._forbidden):",
        "if any(_within(path, place) for place in self._forbidden):",
        f"{LIFE}::test_forbidden_folders_and_links_are_never_in_a_profile"),
    out(5, "what may be read may not be written", "kernel/cells",
        'write=[path for path, how in folders.items() if how == "write"],', "write=list(folders),",
        f"{ATTACKS}::test_a_write_under_a_read_grant_fails_at_the_wall"),
    out(5, "a root that nobody asks for is left out", "kernel/cells",
        "for path, (how, used) in self.roots.items() if now - used < ROOT_KEPT_S}",
        "for path, (how, used) in self.roots.items()}",
        f"{LIFE}::test_a_root_that_is_no_longer_asked_for_is_left_out"),
    # ---- 6: nothing unknown
    out(6, "a profile with an unknown key starts nothing", "kernel/cells",
        "class Profile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):",
        "class Profile(msgspec.Struct, frozen=True):",
        "cells/test_walls.py::test_a_profile_that_is_not_valid_starts_nothing"),
    out(6, "a profile has absolute paths only", "kernel/cells",
        'if not self.command or not all(path.startswith("/") and "\\0" not in path for path in paths):',
        "if not self.command:",
        "cells/test_walls.py::test_a_profile_that_is_not_valid_starts_nothing"),
)  # fmt: skip
