"""The three places a setting can come from: config.ini, the environment, the command line.

Each is read into a layer: entries that name a known key, and problems with everything else. Values are not judged here,
and no problem repeats one: what stands in the wrong place may be a password.
"""

from collections.abc import Iterator, Mapping
from configparser import (
    ConfigParser,
    DuplicateOptionError,
    DuplicateSectionError,
    MissingSectionHeaderError,
    ParsingError,
)
from dataclasses import dataclass, field
from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path
import re

from modules.shared.settings.schema import Schema, is_list, is_secret

CONFIG_FILE_VARIABLE = "MANDATE_CONFIG"
"""Names config.ini itself; the one variable with our prefix that is not a setting."""

_PREFIX = "MANDATE_"
_FILE_SUFFIX = "_file"
_HEADER = re.compile(r"\[(.+)\]")
_KEY = re.compile(r"([^\s=#;\[][^=]*?)\s*=")
# Kubernetes and Docker links tell every container about a service called "mandate..." in variables of these names.
_SERVICE_VARIABLE = re.compile(
    r"MANDATE(_[A-Z0-9]+)*?_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_\w+)?)"
)
_SERVICE_ADDRESS = re.compile(r"(tcp|udp|sctp)://")


class Source(StrEnum):
    """Where a value in force came from."""

    DEFAULT = "default"
    FILE = "file"
    ENVIRONMENT = "environment"
    COMMAND_LINE = "command line"


@dataclass(frozen=True, slots=True)
class Entry:
    """A value for a known key as somebody wrote it; `place` is where, for a message."""

    section: str
    key: str
    text: str = field(repr=False)
    source: Source
    place: str


@dataclass(frozen=True, slots=True)
class Layer:
    """What one place says."""

    entries: tuple[Entry, ...] = ()
    problems: tuple[str, ...] = ()


def _layer(findings: Iterator[Entry | str]) -> Layer:
    found = tuple(findings)
    entries = tuple(each for each in found if isinstance(each, Entry))
    return Layer(entries, tuple(each for each in found if isinstance(each, str)))


def read_file(path: Path, schema: Schema) -> Layer:
    """Read config.ini. No interpolation, and a comment has a line of its own: `%`, `#` and `;` may stand in a value."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        return Layer(problems=(f"{path}: cannot be read ({error.strerror})",))
    except UnicodeDecodeError:
        return Layer(problems=(f"{path}: is not UTF-8",))
    # A default section of this name cannot be written, so [DEFAULT] is an unknown section like any other.
    parser = ConfigParser(interpolation=None, delimiters=("=",), default_section="\n")
    try:
        parser.read_string(text)
    except (DuplicateSectionError, DuplicateOptionError, ParsingError) as error:
        return Layer(problems=(f"{path}{_syntax_problem(error)}",))
    return _layer(_file_findings(path, text, parser, schema))


def _syntax_problem(error: DuplicateSectionError | DuplicateOptionError | ParsingError) -> str:
    match error:
        case DuplicateSectionError():
            return f", line {error.lineno}: [{error.section}] stands here a second time"
        case DuplicateOptionError():
            return f", line {error.lineno}: {error.option} stands a second time in [{error.section}]"
        case MissingSectionHeaderError():
            return f", line {error.lineno}: a key before the first [section]"
    return f", line {error.errors[0][0]}: neither a [section], a `key = value` nor a comment"


def _file_findings(path: Path, text: str, parser: ConfigParser, schema: Schema) -> Iterator[Entry | str]:
    lines = _line_numbers(text)
    for section in parser.sections():
        place = _place(path, lines.get((section, "")))
        if not schema.find_section(section):
            yield f"{place}: unknown section [{section}]{_hint(_bracketed(schema.nearest_section(section)))}"
            continue
        for key, value in parser.items(section):
            place = f"{_place(path, lines.get((section, key)))}: [{section}] {key}"
            known = schema.find_field(section, key)
            if not known:
                near = schema.nearest(section, key)
                yield f"{place} is not known{_hint(f'[{near[0]}] {near[1]}' if near else None)}"
            elif "\n" in value and not is_list(known):
                yield f"{place} takes one line; a line that begins with a space continues the value before it"
            else:
                yield Entry(section, key, value, Source.FILE, place)


def _line_numbers(text: str) -> dict[tuple[str, str], int]:
    """The lines of sections and keys, which configparser does not tell; a section stands under the empty key."""
    numbers: dict[tuple[str, str], int] = {}
    section = ""
    for number, line in enumerate(text.split("\n"), start=1):
        if header := _HEADER.match(line):
            section = header[1]
            numbers.setdefault((section, ""), number)
        elif key := _KEY.match(line):
            numbers.setdefault((section, key[1].lower()), number)
    return numbers


def _place(path: Path, line: int | None) -> str:
    return f"{path}, line {line}" if line else f"{path}"


def read_environment(environment: Mapping[str, str], schema: Schema) -> Layer:
    """Read `MANDATE_<SECTION>__<KEY>`, and for secrets `..._FILE` with the path of a file that holds the value."""
    return _layer(_environment_findings(environment, schema))


def _environment_findings(environment: Mapping[str, str], schema: Schema) -> Iterator[Entry | str]:
    for variable in sorted(environment):
        value = environment[variable]
        if (
            not variable.startswith(_PREFIX)
            or variable == CONFIG_FILE_VARIABLE
            or _is_of_service_discovery(variable, value)
        ):
            continue
        path, _, key = variable.removeprefix(_PREFIX).lower().rpartition("__")
        section = path.replace("__", ".")
        if schema.find_field(section, key):
            yield Entry(section, key, value, Source.ENVIRONMENT, variable)
        elif key.endswith(_FILE_SUFFIX) and schema.find_field(section, key.removesuffix(_FILE_SUFFIX)):
            yield _secret_from_file(variable, Path(value), section, key.removesuffix(_FILE_SUFFIX), environment, schema)
        else:
            yield f"{variable} is not known{_hint(_nearest_variable(variable, section, key, schema))}"


def _is_of_service_discovery(variable: str, value: str) -> bool:
    return "__" not in variable and bool(_SERVICE_VARIABLE.fullmatch(variable) or _SERVICE_ADDRESS.match(value))


def _secret_from_file(
    variable: str, path: Path, section: str, key: str, environment: Mapping[str, str], schema: Schema
) -> Entry | str:
    field_of_key = schema.find_field(section, key)
    if not field_of_key or not is_secret(field_of_key):
        return f"{variable}: only secrets are read from files; set {_variable(section, key)}"
    if _variable(section, key) in environment:
        return f"{variable} and {_variable(section, key)} are both set; keep one"
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "is not a text file"
        return f"{variable}: the file it names cannot be read ({reason})"
    return Entry(section, key, text.removesuffix("\n").removesuffix("\r"), Source.ENVIRONMENT, variable)


def _nearest_variable(variable: str, section: str, key: str, schema: Schema) -> str | None:
    if section:
        near = schema.nearest(section, key)
        return _variable(*near) if near else None
    known = [_variable(name, each) for name, model in schema.sections.items() for each in model.model_fields]
    return next(iter(get_close_matches(variable, known, n=1, cutoff=0.5)), None)


def _variable(section: str, key: str) -> str:
    return f"{_PREFIX}{section.replace('.', '__')}__{key}".upper()


def read_overrides(overrides: Mapping[str, str], schema: Schema) -> Layer:
    """Read what the command line sets, as `section.key`."""
    return _layer(_override_findings(overrides, schema))


def _override_findings(overrides: Mapping[str, str], schema: Schema) -> Iterator[Entry | str]:
    for name, value in overrides.items():
        section, _, key = name.rpartition(".")
        if schema.find_field(section, key):
            yield Entry(section, key, value, Source.COMMAND_LINE, f"command line, {name}")
        else:
            near = schema.nearest(section, key)
            yield f"command line: {name} is not known{_hint(f'{near[0]}.{near[1]}' if near else None)}"


def _bracketed(section: str | None) -> str | None:
    return f"[{section}]" if section else None


def _hint(near: str | None) -> str:
    return f"; did you mean {near}?" if near else ""
