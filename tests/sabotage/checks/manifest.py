"""Taken out of the reading of manifests, requests and capabilities: what is unknown, empty or has two readings."""

from __future__ import annotations

from tests.sabotage.mutation import never, out

READING, CATALOG, WIRE = "authority/test_manifest.py", "authority/test_catalog.py", "kernel/test_wire.py"
GOLDEN, HOSTILE = f"{READING}::test_golden", f"{WIRE}::test_a_hostile_request_is_refused"
LESS = f"{CATALOG}::test_annotations_that_would_mean_less_than_they_say_are_refused"
TOML = f"{CATALOG}::test_a_capability_toml_is_read_strictly"

CHECKS = (
    never(6, "an unknown key of a manifest is an error", "manifest", "key not in KEYS", GOLDEN),
    never(6, "events are refused as long as there are none", "manifest", 'key == "on"', GOLDEN),
    out(6, "an unknown bound is an error", "manifest",
        "        if key not in kinds:\n", "        if key not in kinds:\n            return ()\n        if False:\n",
        GOLDEN),
    never(6, "an empty list is an error", "manifest", "not values", GOLDEN),
    never(6, "an empty table is an error", "manifest",
        "key in table and (not isinstance(value, dict) or not value)", GOLDEN),
    never(6, "a list of no bounds is an error", "manifest", "not entries", GOLDEN),
    never(6, "a bound that is left out is an error", "manifest", "bound not in bounds", GOLDEN),
    never(6, "ask is always, or nothing", "manifest", '"ask" in entry and entry["ask"] != "always"', GOLDEN),
    never(6, "an inherent action needs no line", "manifest", "rule.inherent", GOLDEN),
    never(6, "one spelling of actions", "manifest", "any(quoted) and not all(quoted)", GOLDEN),
    out(6, "one manifest", "manifest",
        "        if document is not None:\n            raise document.wrong(top",
        "        if False:\n            raise document.wrong(top",
        GOLDEN),
    never(6, "one block", "manifest", "len(meant) > 1", GOLDEN),
    never(6, "what is almost a block is an error", "manifest",
        'difflib.SequenceMatcher(None, kind.lower()[:20], "script").ratio() > 0.7', GOLDEN),
    never(6, "a block that is not closed is an error", "manifest", "meant and not found", GOLDEN),
    never(6, "no package but ours", "manifest", "name not in OURS", GOLDEN),
    never(6, "an unknown key of a block is an error", "manifest", 'key != "tool"', GOLDEN),
    never(6, "a tool that is almost ours is an error", "manifest",
        'name != "agentos" and nearest(name.lower(), ("agentos", "agent-os"))', GOLDEN),
    never(6, "a line that no call could be under is an error", "manifest",
        "patterns.contains(matchers.PATH, never, pattern)", GOLDEN),
    out(6, "an unknown limit is an error", "manifest",
        "        if key not in RANGES:\n", "        if key not in RANGES:\n            continue\n        if False:\n",
        GOLDEN),
    never(6, "processor time is whole seconds", "manifest", 'asked.get("cpu_ms", 0) % 1000', GOLDEN),
    out(8, "a program's digest is over its manifest, too", "manifest",
        "for part in (content, toml):", "for part in (content,):",
        f"{READING}::test_a_program_is_named_by_source_and_manifest_apart"),
    # ---- capabilities
    out(6, "an unknown key of a capability is an error", "manifest",
        "class _Form(msgspec.Struct, frozen=True, forbid_unknown_fields=True):",
        "class _Form(msgspec.Struct, frozen=True):",
        TOML),
    never(6, "a capability's folders are absolute", "manifest",
        'not all(path.startswith(("/", "~/")) for path in _folders(form) if path != "granted")', TOML),
    never(6, "an action has an effect", "manifest",
        "option.effect not in notes.Effect.values() or not option.effect", LESS),
    never(6, "only the kernel's own actions are inherent", "manifest", "option.inherent and not own", LESS),
    never(6, "an implied action has no bound of its own", "manifest",
        "not implied.matchers().items() <= action.matchers().items()", LESS),
    never(6, "an implied action does no more", "manifest",
        "implied.effect > action.effect or implied.inherent != action.inherent", LESS),
    never(6, "content is never bounded by value", "manifest", "matcher in BOUND_BY_VALUE and option.content", LESS),
    never(6, "a bound stands where it is looked for", "manifest",
        "message is not top and field.GetOptions().HasExtension(notes.field)", LESS),
    never(7, "a capability does not take the name of another", "manifest",
        "entry.name in self.capabilities", f"{CATALOG}::test_a_capability_cannot_take_the_name_of_another"),
    # ---- requests
    never(6, "a key twice is refused", "kernel", "len(found) != len(pairs)", HOSTILE),
    out(6, "NaN is not JSON", "kernel", ", parse_constant=_no_constants)", ")", HOSTILE),
    out(6, "a field that no guest sends is refused", "kernel",
        "class Batch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):",
        "class Batch(msgspec.Struct, frozen=True):",
        HOSTILE),
    out(6, "a field that no call has is refused", "kernel",
        "class Claim(msgspec.Struct, frozen=True, forbid_unknown_fields=True):",
        "class Claim(msgspec.Struct, frozen=True):",
        HOSTILE),
    out(6, "half a character is refused", "kernel", "        request.encode()\n", "", HOSTILE),
)  # fmt: skip
