"""What a meeting's events say to people at a terminal."""

from __future__ import annotations

import math
from typing import Any


def describe(event: dict[str, Any]) -> str:
    """What an event of the meeting, or the demo's summary, says to people."""
    kind, name = event["event"], event.get("name", "")
    if kind == "label":
        words = str(event["label"])
        if "score" in event:  # rounded down: 0.50 is attentive, and just under it is not
            words += f" ({math.floor(event['score'] * 100) / 100:.2f}, {event['reason']})"
        return f"  {name}: " + words.replace("_", " ")
    if kind == "state":
        return f"  {name} is {event['state']}"
    if kind == "summary":
        return _describe_summary(event)
    return f"  {name} {kind}"


def _describe_summary(summary: dict[str, Any]) -> str:
    """What the demo's summary says to people; in aggregate mode of nobody's labels."""
    lines = [f"The grid ran at {summary['grid_fps']} frames/s."]
    for one in summary["participants"]:
        words = ["in the grid" if one["in_grid"] else "NOT in the grid"]
        if "labels" in one:
            words.append(f"labels {one['labels']}")
        lines.append(f"  {one['name']}: {', '.join(words)}, {one['frames_received']} grid frames received")
    if "room" in summary:
        mean = summary["room"]["attentive"]
        lines.append("  The room: " + ("no share to show" if mean is None else f"{mean:.0%} attentive on average"))
    return "\n".join(lines)
