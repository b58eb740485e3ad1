"""Taken out of the net server: which address is connected to, what is sent, and how much of an answer is held."""

from __future__ import annotations

from tests.sabotage.mutation import never, out

ROOM, BOTH = "capabilities/net", "proto/agentos/v1"
ATTACKS, SERVERS = "net/test_net_attacks.py", "net/test_hostile_servers.py"
LIMITS = "net/test_net_limits.py"
ADDRESSES, READING = "net/test_addresses.py", "net/test_reading_on.py"

CHECKS = (
    never(2, "an address lies in the grant's networks", ROOM, "kind in kinds",
          f"{ATTACKS}::test_this_machine_is_no_public_host"),
    out(2, "every address of a name is checked", ROOM,
        "addresses.kind(each) for each in found}", "addresses.kind(each) for each in found[:1]}",
        f"{ATTACKS}::test_a_name_with_one_address_out_of_bounds_is_refused_with_all"),
    never(2, "a mapped address is the address that it carries", BOTH, "address in _MAPPED",
          f"{ADDRESSES}::test_each_kind_of_address_is_what_the_table_says"),
    never(2, "what NAT64 carries is looked at", BOTH, "address in _NAT64",
          f"{ADDRESSES}::test_each_kind_of_address_is_what_the_table_says"),
    out(2, "a translator leads to nothing that is not public", BOTH,
        "return PUBLIC if kind(_carried(address)) == PUBLIC else NEVER", "return PUBLIC",
        f"{ADDRESSES}::test_no_spelling_of_an_inner_address_is_public"),
    never(6, "the server sends no method but those that there are", ROOM, "name not in _METHODS",
          "net/test_framing.py::test_the_server_itself_knows_no_other_method_than_a_manifest_may_name"),
    never(6, "what frames a message is ours", BOTH,
          "read_as in _OURS or read_as.startswith(PROXY)",
          f"{ATTACKS}::test_what_frames_a_message_is_not_the_programs_to_set"),
    never(6, "the name of a header is a token", BOTH, "not _NAME.fullmatch(name)",
          f"{ATTACKS}::test_a_header_is_one_line_of_plain_characters"),
    never(6, "a header has no control characters", BOTH,
          "any((byte < 32 and byte != 9) or byte == 127 for byte in raw)",
          f"{ATTACKS}::test_a_header_is_one_line_of_plain_characters"),
    never(14, "a head ends", ROOM, "not self.in_body and self.heard >= limits.HEAD",
          f"{SERVERS}::test_what_is_broken_ends_typed_and_in_time"),
    never(14, "headers are few", ROOM, "len(response.headers) > limits.FIELDS",
          f"{SERVERS}::test_what_is_broken_ends_typed_and_in_time"),
    never(14, "a bomb is found by its ratio", ROOM,
          "self._made > limits.RATIO_FROM and self._made > self._read * limits.RATIO",
          f"{SERVERS}::test_a_bomb_is_found_by_what_it_becomes"),
    never(14, "a body is cut at its limit", ROOM, "len(taken) > self._left",
          f"{SERVERS}::test_a_body_is_cut_at_the_limit_of_the_call_and_of_the_grant"),
    never(14, "half a packing is no whole one", ROOM, "not self._unpacks.whole()",
          f"{SERVERS}::test_what_is_broken_ends_typed_and_in_time"),
    out(5, "a handle is one run's own", ROOM,
        "if opened is None or opened.run != context.run:", "if opened is None:",
        f"{READING}::test_the_handle_of_another_run_is_not_there"),
    never(14, "open answers are few", ROOM, "account.handles >= account.share.handles",
          f"{READING}::test_open_answers_are_few_for_each_program"),
    never(14, "a program has a rate", ROOM, "not own.bucket.take()",
          f"{LIMITS}::test_a_program_has_a_burst_and_then_its_rate"),
    never(14, "the home has a rate", ROOM, "not self._home.bucket.take()",
          f"{LIMITS}::test_all_programs_together_have_a_rate_of_the_home"),
    never(14, "those who wait are few", ROOM, "own.asked >= own.share.open + own.share.waiting",
          f"{LIMITS}::test_who_waits_for_a_connection_is_one_of_so_many"),
    out(14, "a rest gives one burst and no more", ROOM,
        "min(self._share.at_once, self._tokens + (now - self._at) * self._share.a_second)",
        "self._tokens + (now - self._at) * self._share.a_second",
        f"{LIMITS}::test_a_program_has_a_burst_and_then_its_rate"),
    out(14, "an answer that nobody reads on is closed", ROOM,
        "opened.closing = asyncio.get_running_loop().call_later(limits.IDLE_S, self._expired, handle)", "pass",
        f"{LIMITS}::test_an_answer_that_nobody_reads_on_is_closed_after_its_time"),
    never(14, "an exchange has its end", ROOM, "now >= self._until",
          f"{LIMITS}::test_an_exchange_that_goes_on_for_too_long_is_cut"),
    out(1, "what was sent counts where no answer came", ROOM,
        "    failure.error.happened = True\n    return failure", "    return failure",
        f"{SERVERS}::test_what_was_sent_counts_even_where_the_answer_never_came"),
)  # fmt: skip
