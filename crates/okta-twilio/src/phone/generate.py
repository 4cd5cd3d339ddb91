"""Writes the table of country prefixes and the numbers that test it, from Google's libphonenumber metadata.

    generate.py           write prefixes.rs and numbers.csv
    generate.py --check   write nothing; end with 1 when either file is not what would be written

The metadata comes from the PyPI package `phonenumbers`, in the version that tools/countries.txt pins and no other.

How a prefix is given its country. A calling code of one country is one prefix. For a calling code that several share,
libphonenumber (`region_code_for_number`) takes the first country, main country first, that claims the number: by its
leading digits when it has them, otherwise because the number is valid there. Each claim is a regular expression, so
this script runs all of them side by side, digit by digit, as automata, and knows for every prefix which countries a
number that begins so can still end in. Where one is left, the prefix is decided; where several are, one more digit is
tried; where none is, no valid number exists and the prefix keeps the answer of the shorter one, in the end the main
country. The result is exact for every valid number of a length that a subscriber can have. Shorter service numbers
(Canada's seven-digit 310) are left out: their country hangs on the length, and nobody receives a code on them.
"""

import argparse
import random
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import phonenumbers
from phonenumbers import COUNTRY_CODE_TO_REGION_CODE as REGIONS_BY_CALLING_CODE
from phonenumbers import PhoneMetadata, PhoneNumber

# The parser behind `re.compile`, which has no public name. Whatever it says that is not handled below ends the run.
try:
    from re import _constants, _parser
except ImportError:  # Python 3.10
    import sre_constants as _constants
    import sre_parse as _parser

HERE = Path(__file__).resolve().parent
PREFIXES, NUMBERS = HERE / "prefixes.rs", HERE / "numbers.csv"
PIN = HERE.parents[3] / "tools" / "countries.txt"

WORLD = "001"  # libphonenumber's name for calling codes of no country, such as +800
DIGITS = "0123456789"
LONGEST_E164 = 15
# The table keeps a prefix as a `u32`.
LONGEST_PREFIX = 9
# The types that make a number valid, in libphonenumber (`_number_type_helper`).
TYPES = (
    "fixed_line", "mobile", "toll_free", "premium_rate", "shared_cost", "voip", "personal_number", "pager", "uan",
    "voicemail",
)  # fmt: skip
SUBSCRIBER_TYPES = ("fixed_line", "mobile")

States = frozenset[int]


class Automaton:
    """One nondeterministic automaton for all patterns: a pattern is where it starts and where it accepts.

    The caches here and below may keep everything: the script lives for seconds.
    """

    def __init__(self) -> None:
        self.empty_moves: list[list[int]] = []
        self.moves: list[list[tuple[frozenset[str], int]]] = []

    @cache
    def pattern(self, text: str, then_anything: bool = False) -> tuple[int, int]:
        start = self._state()
        accept = self._sequence(_parser.parse(text), start)
        if then_anything:
            self.moves[accept].append((frozenset(DIGITS), accept))
        return start, accept

    @cache
    def reach(self, states: States) -> States:
        """The states and all that need no digit to get to."""
        reached, left = set(states), list(states)
        while left:
            for state in self.empty_moves[left.pop()]:
                if state not in reached:
                    reached.add(state)
                    left.append(state)
        return frozenset(reached)

    @cache
    def step(self, states: States, digit: str) -> States:
        return self.reach(frozenset(to for state in states for digits, to in self.moves[state] if digit in digits))

    def _state(self) -> int:
        self.empty_moves.append([])
        self.moves.append([])
        return len(self.moves) - 1

    def _sequence(self, tokens, state: int) -> int:
        for token, argument in tokens:
            state = self._token(token, argument, state)
        return state

    def _token(self, token, argument, state: int) -> int:
        if token is _constants.LITERAL:
            return self._digit(frozenset(chr(argument)), state)
        if token is _constants.IN:
            return self._digit(frozenset().union(*(digits_of(*item) for item in argument)), state)
        if token is _constants.SUBPATTERN:
            return self._sequence(argument[-1], state)
        if token is _constants.BRANCH:
            end = self._state()
            for branch in argument[1]:
                self.empty_moves[self._sequence(branch, state)].append(end)
            return end
        if token is _constants.MAX_REPEAT:
            least, most, body = argument
            if most > LONGEST_E164:
                raise ValueError(f"a pattern without a bound: {most}")
            for _ in range(least):
                state = self._sequence(body, state)
            end = self._state()
            self.empty_moves[state].append(end)
            for _ in range(most - least):
                state = self._sequence(body, state)
                self.empty_moves[state].append(end)
            return end
        raise ValueError(f"no rule for {token} in a pattern")

    def _digit(self, digits: frozenset[str], state: int) -> int:
        if not digits <= frozenset(DIGITS):
            raise ValueError(f"not a digit in a pattern: {sorted(digits)}")
        end = self._state()
        self.moves[state].append((digits, end))
        return end


def digits_of(token, argument) -> frozenset[str]:
    """The digits that one item between brackets stands for."""
    if token is _constants.LITERAL:
        return frozenset(chr(argument))
    if token is _constants.RANGE:
        first, last = argument
        return frozenset(chr(code) for code in range(first, last + 1))
    if token is _constants.CATEGORY and argument is _constants.CATEGORY_DIGIT:
        return frozenset(DIGITS)
    raise ValueError(f"no rule for {token} between brackets")


class Region:
    """One country's claim on the national numbers of its calling code."""

    def __init__(self, code: str, automaton: Automaton) -> None:
        metadata = PhoneMetadata.metadata_for_region(code, None)
        self.code = code
        self.lengths = set(metadata.general_desc.possible_length)
        self.descriptions = {name: getattr(metadata, name) for name in TYPES if has_numbers(getattr(metadata, name))}
        self.subscriber_lengths = set().union(*(
            self.descriptions[name].possible_length or self.lengths
            for name in SUBSCRIBER_TYPES if name in self.descriptions
        ))  # fmt: skip

        self.leading_digits: int | None = None
        if metadata.leading_digits is not None:
            start, self.leading_digits = automaton.pattern(metadata.leading_digits, then_anything=True)
            starts = {start}
        else:
            start, self.general = automaton.pattern(metadata.general_desc.national_number_pattern)
            starts = {start}
            self.types: list[tuple[int, set[int]]] = []
            for description in self.descriptions.values():
                start, accept = automaton.pattern(description.national_number_pattern)
                starts.add(start)
                self.types.append((accept, set(description.possible_length) or self.lengths))
        self.start = automaton.reach(frozenset(starts))

    def claims(self, states: States, length: int) -> bool:
        if self.leading_digits is not None:
            return self.leading_digits in states
        return (
            self.general in states
            and length in self.lengths
            and any(accept in states and length in lengths for accept, lengths in self.types)
        )


def has_numbers(description) -> bool:
    return description is not None and description.national_number_pattern is not None


class SharedCallingCode:
    """The regions of one calling code, main region first, read side by side."""

    def __init__(self, calling_code: int) -> None:
        self.calling_code = str(calling_code)
        self.automaton = Automaton()
        self.regions = [Region(code, self.automaton) for code in REGIONS_BY_CALLING_CODE[calling_code]]
        longest = LONGEST_E164 - len(self.calling_code)
        self.lengths = {
            length for region in self.regions for length in region.subscriber_lengths if length <= longest
        }  # fmt: skip
        self.start = tuple(region.start for region in self.regions)

    def step(self, states: tuple[States, ...], digit: str) -> tuple[States, ...]:
        return tuple(self.automaton.step(own, digit) for own in states)

    def owner(self, states: tuple[States, ...], length: int) -> str | None:
        """The region of a national number of this length that led to these states."""
        if length not in self.lengths:
            return None
        claimants = (region.code for region, own in zip(self.regions, states) if region.claims(own, length))
        return next(claimants, None)

    @cache
    def owners(self, states: tuple[States, ...], length: int) -> frozenset[str]:
        """The regions of all national numbers that begin so."""
        owners = {self.owner(states, length)} - {None}
        if any(states) and length < max(self.lengths):
            for digit in DIGITS:
                owners |= self.owners(self.step(states, digit), length + 1)
        return frozenset(owners)

    def prefixes(self) -> Iterator[tuple[str, str]]:
        main = self.regions[0].code
        yield self.calling_code, main
        yield from self._prefixes("", self.start, main)

    def _prefixes(self, national: str, states: tuple[States, ...], inherited: str) -> Iterator[tuple[str, str]]:
        owners = self.owners(states, len(national))
        if not owners:
            return
        # The number that ends here speaks for its prefix; the longer ones get a row of their own below.
        owner = next(iter(owners)) if len(owners) == 1 else self.owner(states, len(national)) or inherited
        if owner != inherited:
            yield self.calling_code + national, owner
        if len(owners) > 1:
            for digit in DIGITS:
                yield from self._prefixes(national + digit, self.step(states, digit), owner)

    def sample(self, chance: random.Random) -> str:
        """A valid number of subscriber length, never written anywhere."""
        national, states = "", self.start
        while True:
            ways = [digit for digit in DIGITS if self.owners(self.step(states, digit), len(national) + 1)]
            if self.owner(states, len(national)) and (not ways or chance.random() < 0.3):
                return self.calling_code + national
            digit = chance.choice(ways)
            national, states = national + digit, self.step(states, digit)


def build_prefixes() -> dict[str, str]:
    prefixes: dict[str, str] = {}
    for calling_code, regions in REGIONS_BY_CALLING_CODE.items():
        if regions == (WORLD,):
            continue
        if len(regions) == 1:
            prefixes[str(calling_code)] = regions[0]
            continue
        shared = shared_calling_code(calling_code)
        prefixes.update(shared.prefixes())
        compare_with_libphonenumber(shared, prefixes)
    if max(map(len, prefixes)) > LONGEST_PREFIX:
        raise ValueError(f"a prefix of more than {LONGEST_PREFIX} digits")
    return prefixes


def compare_with_libphonenumber(shared: SharedCallingCode, prefixes: dict[str, str]) -> None:
    """Proves the automata against the original's own code, on numbers spread over the whole calling code."""
    chance = random.Random(shared.calling_code)
    for _ in range(5_000):
        digits = shared.sample(chance)
        expected, found = libphonenumber_region(shared.calling_code, digits), longest_match(digits, prefixes)
        if found != expected:
            raise ValueError(f"+{shared.calling_code}: the table says {found}, libphonenumber {expected}")


def longest_match(digits: str, prefixes: dict[str, str]) -> str | None:
    return next((prefixes[digits[:end]] for end in range(len(digits), 0, -1) if digits[:end] in prefixes), None)


def libphonenumber_region(calling_code: str, digits: str) -> str | None:
    national = digits.removeprefix(calling_code)
    leading_zeros = len(national) - len(national.lstrip("0"))
    return phonenumbers.region_code_for_number(PhoneNumber(
        country_code=int(calling_code),
        national_number=int(national),
        italian_leading_zero=leading_zeros > 0,
        number_of_leading_zeros=leading_zeros or None,
    ))  # fmt: skip


def build_numbers() -> dict[str, tuple[str, str]]:
    """E.164 digits to country (none for no country) and what kind of number it is.

    Only numbers that are meant to be shown: libphonenumber's own examples, and 555-0100 in every North American area,
    which is kept free for fiction.
    """
    numbers: dict[str, tuple[str, str]] = {}
    for calling_code, regions in REGIONS_BY_CALLING_CODE.items():
        for region in regions:
            metadata = (
                PhoneMetadata.metadata_for_nongeo_region(calling_code, None)
                if region == WORLD
                else PhoneMetadata.metadata_for_region(region, None)
            )
            for kind in TYPES:
                description = getattr(metadata, kind)
                if description is None or description.example_number is None:
                    continue
                digits = f"{calling_code}{description.example_number}"
                country = libphonenumber_region(str(calling_code), digits)
                if len(digits) <= LONGEST_E164 and not is_left_out(calling_code, description.example_number):
                    numbers.setdefault(digits, ("" if country == WORLD else country, kind))
    for area in range(200, 1000):
        digits = f"1{area}5550100"
        number = phonenumbers.parse(f"+{digits}")
        if phonenumbers.number_type(number) == phonenumbers.PhoneNumberType.FIXED_LINE_OR_MOBILE:
            numbers.setdefault(digits, (phonenumbers.region_code_for_number(number), "fiction"))
    return numbers


def is_left_out(calling_code: int, national: str) -> bool:
    regions = REGIONS_BY_CALLING_CODE[calling_code]
    return len(regions) > 1 and len(national) not in shared_calling_code(calling_code).lengths


@cache
def shared_calling_code(calling_code: int) -> SharedCallingCode:
    return SharedCallingCode(calling_code)


def render_prefixes(prefixes: dict[str, str], version: str) -> str:
    rows = "".join(f'    ({prefix}, *b"{country}"),\n' for prefix, country in sorted(prefixes.items(), key=by_number))
    return f"""\
// Generated by generate.py from Google's libphonenumber metadata. Do not edit: `make update-countries`.
// Source: PyPI `phonenumbers` {version}, Apache-2.0, Copyright The Libphonenumber Authors.

//! The country of every calling code and, where several countries share one, of the national prefixes that decide.

/// By prefix, ascending; the longest prefix of a number decides.
#[expect(clippy::unreadable_literal, reason = "prefixes are not quantities")]
pub(super) static PREFIXES: [(u32, [u8; 2]); {len(prefixes)}] = [
{rows}];
"""


def render_numbers(numbers: dict[str, tuple[str, str]], version: str) -> str:
    rows = "".join(f"{digits},{country},{kind}\n" for digits, (country, kind) in sorted(numbers.items(), key=by_number))
    return f"""\
# Generated by generate.py from PyPI `phonenumbers` {version} (Apache-2.0). Do not edit: `make update-countries`.
# The example numbers of libphonenumber and numbers kept free for fiction. Without a country: +800 and its like.
# digits,country,kind
{rows}"""


def by_number(item: tuple) -> int:
    return int(item[0])


def pinned_version() -> str:
    pinned = re.search(r"^phonenumbers==(\S+)", PIN.read_text(), re.MULTILINE)
    if pinned is None or pinned[1] != phonenumbers.__version__:
        sys.exit(f"phonenumbers {phonenumbers.__version__} is installed; install what {PIN} pins")
    return pinned[1]


def main() -> None:
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--check", action="store_true", help="only say whether the committed files are up to date")
    check = arguments.parse_args().check

    version = pinned_version()
    prefixes, numbers = build_prefixes(), build_numbers()
    for digits, (country, _) in numbers.items():
        if (found := longest_match(digits, prefixes) or "") != country:
            raise ValueError(f"+{digits}: the table says {found!r}, libphonenumber {country!r}")
    known = {region for regions in REGIONS_BY_CALLING_CODE.values() for region in regions} - {WORLD}
    never = sorted(known - set(prefixes.values()))
    print(f"{len(prefixes)} prefixes, {8 * len(prefixes)} bytes; {len(numbers)} numbers; never told apart: {never}")

    files = {PREFIXES: render_prefixes(prefixes, version), NUMBERS: render_numbers(numbers, version)}
    if check:
        stale = [path.name for path, text in files.items() if not path.exists() or path.read_text() != text]
        if stale:
            sys.exit(f"not up to date: {', '.join(stale)}; run `make update-countries`")
        return
    for path, text in files.items():
        path.write_text(text)


if __name__ == "__main__":
    main()
