"""The catalog as a person sees it listed."""

from __future__ import annotations

from agentos.manifest.rules import Catalog
from agentos.v1 import annotations_pb2
from agentos.v1 import control_pb2 as pb


def capabilities(catalog: Catalog) -> list[pb.CapabilityInfo]:
    """Every capability with its actions; the kernel's own say so as their state."""
    found = []
    for rule in catalog.capabilities.values():
        actions = [catalog.actions[name] for name in rule.actions]
        own = not rule.command
        shown = [
            pb.ActionInfo(
                name=action.name, effect=annotations_pb2.Effect.ValueType(action.effect),
                summary=action.summary, implies=action.implies, inherent=action.inherent,
                bounds=sorted({field.bound for field in action.fields if field.matcher}),
            )
            for action in actions
        ]  # fmt: skip
        info = pb.CapabilityInfo(name=rule.name, about=rule.about, actions=shown, network=rule.network)
        info.state = "kernel" if own else "stopped"
        found.append(info)
    return found
