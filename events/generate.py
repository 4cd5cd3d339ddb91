#!/usr/bin/env python3
"""Writes the recorded invocations in this folder, their index `expected.json` and the tables of `README.md`.

A scene is one line of a story: what arrives at a function, and the expected result. The scenes are in `scenes/`; all
that they have in common (Okta's payload, the gateway's event, ids, times) is made once, so that all files agree on it.
Everything follows from a scene's name and content, so a new scene leaves the files of the others as they are.

    events/generate.py              write the files
    events/generate.py --check      show what differs from the files, and fail if anything does
    events/generate.py --print NAME write one invocation to standard output, also one that is too big to keep
"""

import argparse
import difflib
import json
import sys
from pathlib import Path

from scenes import event, telephony
from scenes.scene import Group

EVENTS = Path(__file__).resolve().parent
INDEX = EVENTS / "expected.json"
README = EVENTS / "README.md"
TABLES_BEGIN = "<!-- Written by generate.py from here -->\n"
TABLES_END = "<!-- to here -->\n"

GROUPS: list[Group] = [*telephony.GROUPS, *event.GROUPS]
SCENES = [scene for group in GROUPS for scene in group.scenes]


def to_json(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def files() -> dict[Path, str]:
    """Every file that belongs here, with its text."""
    result = {EVENTS / scene.file: to_json(scene.event) for scene in SCENES if scene.kept}
    result[INDEX] = to_json([scene.index() for scene in SCENES])
    result[README] = with_tables(README.read_text())
    return result


def with_tables(readme: str) -> str:
    before, rest = readme.split(TABLES_BEGIN)
    _old, after = rest.split(TABLES_END)
    tables = "\n".join(table(group) for group in GROUPS)
    return f"{before}{TABLES_BEGIN}\n{tables}\n{TABLES_END}{after}"


def table(group: Group) -> str:
    lines = [f"### {group.title}", "", f"| File | What it shows | Response | {group.outcome} |", "|---|---|---|---|"]
    lines += [scene.row() for scene in group.scenes]
    return "\n".join(lines) + "\n"


def write() -> None:
    wanted = files()
    for path, text in wanted.items():
        path.write_text(text)
    for path in stale(wanted):
        path.unlink()


def check() -> bool:
    """Prints every difference. True if there is none."""
    wanted = files()
    agree = True
    for path, text in wanted.items():
        found = path.read_text() if path.exists() else ""
        if found != text:
            agree = False
            name = f"events/{path.name}"
            diff = difflib.unified_diff(found.splitlines(True), text.splitlines(True), name, f"{name} (generated)")
            sys.stdout.writelines(diff)
    for path in stale(wanted):
        agree = False
        print(f"events/{path.name} belongs to no scene")
    return agree


def stale(wanted: dict[Path, str]) -> list[Path]:
    return sorted(path for path in EVENTS.glob("*.json") if path not in wanted)


def main() -> int:
    names = [scene.name for scene in SCENES]
    doubles = sorted({name for name in names if names.count(name) > 1})
    if doubles:
        sys.exit(f"scenes with the same name: {', '.join(doubles)}")
    parser = argparse.ArgumentParser(description="Writes the recorded invocations and what belongs to them.")
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument("--check", action="store_true", help="only show what differs")
    choice.add_argument("--print", choices=names, metavar="NAME", help="only write one invocation to standard output")
    arguments = parser.parse_args()
    if arguments.print:
        sys.stdout.write(to_json(SCENES[names.index(arguments.print)].event))
        return 0
    if arguments.check:
        return 0 if check() else 1
    write()
    return 0


if __name__ == "__main__":
    sys.exit(main())
