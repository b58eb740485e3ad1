"""Taken out of what keeps the kernel on: who may speak for it, when it says that it lives, what is not lost."""

from __future__ import annotations

from tests.sabotage.mutation import out

NOTIFY = "home/test_notify.py"
SERVICE = "shell/test_service.py"

CHECKS = (
    out(11, "nothing we start can speak for us", "home",
        "os.environ.pop(name, None)", "os.environ.get(name)",
        f"{NOTIFY}::test_what_names_the_keeper_is_gone_from_the_environment_and_can_be_given_back"),
    out(11, "a watchdog of another process is not ours", "home",
        'and of in ("", str(os.getpid()))', "",
        f"{NOTIFY}::test_what_is_not_for_us_is_left_alone"),
    out(11, "no folder a service is started in has code for it", "shell",
        'os.path.abspath(sys.executable), "-P", "-m"', 'os.path.abspath(sys.executable), "-m"',
        f"{SERVICE}::test_code_that_lies_where_it_is_started_is_not_taken"),
    out(11, "a unit changed by hand is not lost", "shell/commands",
        "if whose or yes:", "if True:",
        f"{SERVICE}::test_what_was_changed_by_hand_is_lost_only_when_one_says_so"),
    out(11, "a service without a key that it can get at waits for one", "shell/commands",
        "locked = bool(found.locks) and not BY_ITSELF & set(found.locks)", "locked = False",
        f"{SERVICE}::test_a_home_that_only_a_passphrase_opens_is_served_locked"),
    out(11, "no sign in a path is one for systemd", "shell",
        """.replace('"', '\\\\"').replace("%", "%%")""", """.replace('"', '\\\\"')""",
        f"{SERVICE}::test_systemd_finds_nothing_wrong_with_the_unit"),
    out(11, "who holds a home for a moment is waited for", "shell",
        'if failed.code != "locked_by_other":', "if True:",
        "shell/test_explained.py::test_who_comes_while_a_home_is_only_read_waits_and_has_it_then"),
    out(11, "a kernel that was starting is no place to start another", "shell",
        "        if not _leaves(serving):\n            raise",
        "        if not _leaves(serving):\n            break\n            raise",
        "shell/test_explained.py::test_up_says_that_a_kernel_is_up_which_was_starting_when_it_came"),
    out(11, "who left a run that goes on is not told that it was cancelled", "shell",
        'if self._stays else "was cancelled"', 'if False else "was cancelled"',
        "shell/test_ends.py::test_a_run_that_nobody_follows_any_more_goes_on_and_is_not_said_to_be_cancelled"),
    out(11, "a kernel in the foreground is not there for a command alone", "kernel",
        "kernel.leaves = bool(options.command)", "kernel.leaves = options.until_fd is not None",
        "shell/test_ends.py::test_up_is_refused_while_a_kernel_is_up_in_the_foreground"),
)  # fmt: skip
