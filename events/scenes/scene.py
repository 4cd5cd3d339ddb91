"""A scene: an invocation and its expected result."""

import dataclasses
import hashlib
from typing import Any, Protocol

Json = Any


class Expected(Protocol):
    """The expected result of an invocation."""

    def index(self) -> dict[str, Json]:
        """The entry in the index, for which `sandbox::recorded_events` has a type."""

    def response(self) -> str:
        """The response, for the README, in Markdown."""

    def outcome(self) -> str:
        """The rest of the result, for the README."""


@dataclasses.dataclass(frozen=True)
class Scene:
    name: str
    """The file's name, without its extension."""
    function: str
    shows: str
    """One sentence; Markdown."""
    event: Json
    """The invocation."""
    expected: Expected
    variables: dict[str, str] = dataclasses.field(default_factory=dict)
    """Variables that the function needs in addition to those that every function has."""
    kept: bool = True
    """False for an event that is too large for a file."""

    @property
    def file(self) -> str:
        return f"{self.name}.json"

    def index(self) -> dict[str, Json]:
        """The scene's entry in the index."""
        about = {"name": self.name, "function": self.function, "shows": self.shows, "kept": self.kept}
        return about | {"variables": self.variables, "expected": self.expected.index()}

    def row(self) -> str:
        """The scene's row in the README."""
        file = f"[{self.name}]({self.file})" if self.kept else f"{self.name} (generated when needed)"
        variables = "".join(f"<br>with `{name}={value}`" for name, value in self.variables.items())
        return f"| {file} | {self.shows}{variables} | {self.expected.response()} | {self.expected.outcome()} |"


@dataclasses.dataclass(frozen=True)
class Group:
    title: str
    outcome: str
    """Title of the table's last column."""
    scenes: tuple[Scene, ...]


def without_none(**fields: Json) -> dict[str, Json]:
    return {name: value for name, value in fields.items() if value is not None}


def digits(name: str, purpose: str, length: int) -> str:
    """Digits that belong to a scene, the first not 0."""
    number = int(hashlib.sha256(f"{name} {purpose}".encode()).hexdigest(), 16)
    low = 10 ** (length - 1)
    return str(low + number % (9 * low))


def identifier(name: str, purpose: str, length: int) -> str:
    """An identifier that belongs to a scene. No two digits are adjacent, so that none looks like a code."""
    letters = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
    number = int(hashlib.sha512(f"{name} {purpose}".encode()).hexdigest(), 16)
    characters = []
    for position in range(length):
        alphabet = "23456789" if position % 4 == 3 else letters
        number, index = divmod(number, len(alphabet))
        characters.append(alphabet[index])
    return "".join(characters)


def uuid(name: str, purpose: str) -> str:
    text = hashlib.sha256(f"{name} {purpose}".encode()).hexdigest()
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-8{text[17:20]}-{text[20:32]}"
