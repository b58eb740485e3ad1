"""Which modules are mutated, and which tests must notice: fast and pure ones, the likeliest to notice first."""

from __future__ import annotations

_NAMES = (
    "authority/test_edges.py", "authority/test_names.py", "authority/test_matchers.py", "authority/test_patterns.py",
    "authority/test_urls.py",
)  # fmt: skip
_KERNEL = (
    "kernel/test_readmitted.py",
    "kernel/test_decide.py", "kernel/test_bounds.py", "kernel/test_grants.py", "kernel/test_path.py",
    "kernel/test_weighed.py", "kernel/test_outside.py", "kernel/test_ledger.py", "kernel/test_desk.py",
    "kernel/test_wire.py", "authority/test_defaults.py",
)  # fmt: skip
_LABELS = "servers/test_labels.py"
TARGETS: dict[str, tuple[str, ...]] = {
    "kernel/decide.py": _KERNEL,
    "kernel/scope.py": _KERNEL,
    "kernel/admit.py": ("kernel/test_path.py", *_KERNEL),
    "kernel/bounds.py": ("kernel/test_bounds.py", "kernel/test_weighed.py", "authority/test_defaults.py"),
    "kernel/canonical.py": ("kernel/test_canonical.py", *_KERNEL),
    "kernel/grants.py": ("kernel/test_grants.py", "kernel/test_rules.py", "kernel/test_decide.py"),
    "kernel/wire.py": ("kernel/test_wire.py", "kernel/test_plain.py"),
    "runs/outcome.py": ("kernel/test_outcome.py",),
    "sdk/errors.py": ("sdk/test_sdk_errors.py",),
    "proto/agentos/v1/urls.py": _NAMES,
    "proto/agentos/v1/plain.py": ("kernel/test_plain.py", "kernel/test_wire.py"),
    "proto/agentos/v1/matchers.py": _NAMES,
    "proto/agentos/v1/patterns.py": _NAMES,
    "proto/agentos/v1/globs.py": _NAMES,
    "proto/agentos/v1/paths.py": _NAMES,
    "proto/agentos/v1/names.py": _NAMES,
    "manifest/reading.py": ("authority/test_manifest.py", "authority/test_defaults.py"),
    "manifest/script.py": ("authority/test_manifest.py",),
    "manifest/toml.py": ("authority/test_manifest.py",),
    "manifest/limits.py": ("authority/test_manifest.py",),
}
# Of these only the code and the word that an error is known by: the rest of them acts on processes and the journal, and
# is held by tests with real ones and by `make sabotage`.
LABELS_ALONE: dict[str, tuple[str, ...]] = {
    "kernel/path.py": ("kernel/test_path.py",),
    "kernel/actor.py": ("kernel/test_path.py",),
    "kernel/reach.py": (
        "kernel/test_record_sizes.py::test_a_reply_that_no_guest_could_get_is_a_limit_and_its_use_stays",
    ),
    "kernel/own.py": ("kernel/test_labels.py",),
    "kernel/replay.py": ("kernel/test_labels.py",),
    "kernel/secrets.py": ("kernel/test_secrets.py",),
    "kernel/programs.py": ("kernel/test_labels_of_compiling.py",),
    "kernel/control.py": ("kernel/test_labels_of_the_service.py",),
    "kernel/serve.py": ("kernel/test_labels_of_the_service.py",),
    "runs/play.py": ("kernel/test_labels_of_runs.py",),
    "runs/runs.py": ("kernel/test_labels_of_the_service.py",),
    "runs/children.py": ("kernel/test_room_for_children.py",),
    "runs/lending.py": ("kernel/test_room_for_children.py",),
    "events/sending.py": ("events/test_sending.py",),
    "runs/generations.py": ("kernel/test_labels.py",),
    "runs/waits.py": ("events/test_waits.py",),
    "runs/desk.py": ("kernel/test_labels_of_requests.py",),
    "runs/intake.py": ("kernel/test_labels_of_requests.py",),
    "runs/questions.py": ("kernel/test_review.py",),
    "events/arming.py": ("events/test_labels_of_events.py",),
    "events/service.py": ("kernel/test_labels_of_the_service.py",),
    "events/dispatch.py": ("events/test_labels_of_events.py", "events/test_sending.py"),
    "kernel/cells/launch.py": (_LABELS, "servers/test_life.py::test_a_server_that_cannot_start_is_a_typed_failure"),
    "kernel/cells/servers.py": (_LABELS, "servers/test_lane.py"),
}
TARGETS |= LABELS_ALONE
