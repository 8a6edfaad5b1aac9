"""``python -m reloadlab describe SPELLING``: says in JSON what a candidate is. A process of its own, for importing it may crash or hang."""

from __future__ import annotations

import json
import sys


def main(spelling: str) -> int:
    from .find import Refusal, find

    print("ready", file=sys.stderr, flush=True)
    try:
        found = find(spelling)
    except Refusal as refusal:
        print(refusal, file=sys.stderr)
        return 64 if refusal.code == "usage" else 65
    roles = {"reloader": found.reloader is not None, "series": found.series is not None}
    print(json.dumps({"system": found.system, "declared": found.declared, **roles}), flush=True)
    return 0
