"""Which modules are mutated, and which tests must notice: fast and pure ones, the likeliest to notice first."""

from __future__ import annotations

_NAMES = (
    "authority/test_edges.py",
    "authority/test_names.py",
    "authority/test_urls.py",
    "authority/test_patterns.py",
    "authority/test_matchers.py",
)
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
    "proto/agentos/v1/urls.py": ("authority/test_urls.py", *_NAMES),
    "proto/agentos/v1/plain.py": ("kernel/test_plain.py", "kernel/test_wire.py"),
    "proto/agentos/v1/matchers.py": ("authority/test_matchers.py", *_NAMES),
    "proto/agentos/v1/patterns.py": ("authority/test_edges.py", "authority/test_patterns.py", *_NAMES),
    "proto/agentos/v1/globs.py": ("authority/test_patterns.py", *_NAMES),
    "proto/agentos/v1/paths.py": ("authority/test_names.py", *_NAMES),
    "proto/agentos/v1/names.py": _NAMES,
    "manifest/reading.py": ("authority/test_manifest.py", "authority/test_defaults.py"),
    "manifest/script.py": ("authority/test_manifest.py",),
    "manifest/toml.py": ("authority/test_manifest.py",),
    "manifest/limits.py": ("authority/test_manifest.py",),
    "kernel/path.py": ("kernel/test_path.py",),
    "kernel/actor.py": ("kernel/test_path.py",),
    "kernel/reach.py": (_LABELS,),
    "kernel/cells/launch.py": (_LABELS, "servers/test_life.py::test_a_server_that_cannot_start_is_a_typed_failure"),
    "kernel/cells/servers.py": (_LABELS, "servers/test_lane.py"),
}
# Of these the code and the word that an error is known by, and nothing else: their other lines act on processes, and
# are held by tests with real ones and by `make sabotage`.
LABELS_ALONE = frozenset(list(TARGETS)[-5:])
