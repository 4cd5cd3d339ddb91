"""A scene: an invocation and what has to come of it."""

import dataclasses
import hashlib
from typing import Any

Json = Any


@dataclasses.dataclass(frozen=True)
class Expected:
    """What has to come of an invocation."""

    status: int
    """Status of the answer."""
    reason: str
    """The reason code in `debugContext` or in the error's cause."""
    successful: bool = False
    """Whether Okta is told that the code is on its way."""
    location: str | None = None
    """The error's `location`."""
    twilio_code: int | None = None
    """Twilio's code in `debugContext`."""
    lookup_requests: int = 0
    """How many requests reach Lookup."""
    verify_requests: int = 0
    """How many requests reach Verify."""
    messages: tuple[dict[str, Json], ...] = ()
    """What reaches phones: each is a part of what the sandbox's inbox shows."""


@dataclasses.dataclass(frozen=True)
class Scene:
    name: str
    """Of the file, without its ending."""
    function: str
    shows: str
    """One sentence; Markdown."""
    event: Json
    """The invocation."""
    expected_result: Expected
    variables: dict[str, str] = dataclasses.field(default_factory=dict)
    """What the function needs besides the variables that every function has."""
    kept: bool = True
    """False for one that is too big for a file."""

    @property
    def file(self) -> str:
        return f"{self.name}.json"

    def expected(self) -> dict[str, Json]:
        """The scene's entry in the index."""
        result = self.expected_result
        entry: dict[str, Json] = {"name": self.name, "function": self.function, "shows": self.shows}
        entry |= {"kept": self.kept, "variables": self.variables}
        entry |= {"status": result.status, "successful": result.successful, "reason": result.reason}
        if result.location is not None:
            entry["location"] = result.location
        if result.twilio_code is not None:
            entry["twilio_code"] = result.twilio_code
        entry |= {"lookup_requests": result.lookup_requests, "verify_requests": result.verify_requests}
        return entry | {"messages": list(result.messages)}

    def row(self) -> str:
        """The scene's row in the README."""
        file = f"[{self.name}]({self.file})" if self.kept else f"{self.name} (made when needed)"
        variables = "".join(f"<br>with `{name}={value}`" for name, value in self.variables.items())
        phone = ", ".join(message["channel"] for message in self.expected_result.messages) or "nothing"
        return f"| {file} | {self.shows}{variables} | {self._answer()} | {phone} |"

    def _answer(self) -> str:
        result = self.expected_result
        if result.successful:
            return "200 `SUCCESSFUL`" if result.reason == "accepted" else f"200 `SUCCESSFUL`, `refused:{result.reason}`"
        code = f" (Twilio {result.twilio_code})" if result.twilio_code else ""
        location = f" at `{result.location}`" if result.location else ""
        return f"{result.status} `{result.reason}`{location}{code}"


@dataclasses.dataclass(frozen=True)
class Group:
    title: str
    scenes: tuple[Scene, ...]


def digits(name: str, purpose: str, length: int) -> str:
    """Digits that belong to a scene, the first not 0."""
    number = int(hashlib.sha256(f"{name} {purpose}".encode()).hexdigest(), 16)
    low = 10 ** (length - 1)
    return str(low + number % (9 * low))


def identifier(name: str, purpose: str, length: int) -> str:
    """An identifier that belongs to a scene. No two digits stand together, so that none looks like a code."""
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
