"""All settings of an installation, read once: layers laid over each other, judged, remembered with their sources."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, PrivateAttr, ValidationError
from pydantic_core import ErrorDetails

from modules.shared.settings.layers import Entry, Layer, Source, read_environment, read_file, read_overrides
from modules.shared.settings.schema import Schema, Section, SettingsError, is_derived, is_secret

_LONGEST_QUOTE = 80


class SectionedSettings(BaseModel):
    """Base of a composition: each field is a `Section`, or a `dict[str, Section]` for a family like `[oidc.<name>]`.

    What only several sections together can tell is checked by the composition's own validators, which raise
    `SettingsError`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, validate_default=True)

    _given: dict[str, Source] = PrivateAttr(default_factory=dict)

    @classmethod
    def load(cls, path: Path | None, *, environment: Mapping[str, str], overrides: Mapping[str, str]) -> Self:
        """Read and judge everything. Raises SettingsError with all problems at once; without `path` no file is read."""
        schema = Schema.of(cls)
        layers = (
            read_file(path, schema) if path else Layer(),
            read_environment(environment, schema),
            read_overrides(overrides, schema),
        )
        entries = _lay_over(schema, layers)
        sections, refusals = _build(schema, entries.values())
        if problems := [*(problem for layer in layers for problem in layer.problems), *refusals]:
            raise SettingsError(problems)
        settings = cls.model_validate(sections)
        given = {f"{entry.section}.{entry.key}": entry.source for entry in entries.values()}
        settings._given.update(given)  # noqa: SLF001  - its own class fills it
        return settings

    @property
    def sources(self) -> Mapping[str, Source]:
        """Where the value of every `section.key` came from."""
        return {
            f"{name}.{key}": self._given.get(f"{name}.{key}", Source.DEFAULT)
            for name, section in self.list_sections()
            for key in type(section).model_fields
        }

    def list_sections(self) -> Iterator[tuple[str, Section]]:
        """Every section with its name as config.ini writes it."""
        for name in type(self).model_fields:
            value = getattr(self, name)
            if isinstance(value, Section):
                yield name, value
            else:
                yield from ((f"{name}.{member}", section) for member, section in value.items())


def _lay_over(schema: Schema, layers: Iterable[Layer]) -> dict[tuple[str, str], Entry]:
    """The last entry of each key. A derived key left empty is not an entry, and takes those below it away."""
    last = {(entry.section, entry.key): entry for layer in layers for entry in layer.entries}
    return {name: entry for name, entry in last.items() if entry.text or not _derives(schema, *name)}


def _derives(schema: Schema, section: str, key: str) -> bool:
    field = schema.find_field(section, key)
    return field is not None and is_derived(field)


def _build(schema: Schema, entries: Iterable[Entry]) -> tuple[dict[str, object], list[str]]:
    """The sections somebody said something about, ready for the composition, and why some cannot be built."""
    written: dict[str, dict[str, Entry]] = {}
    for entry in entries:
        written.setdefault(entry.section, {})[entry.key] = entry
    built: dict[str, Section] = {}
    problems: list[str] = []
    for name, values in written.items():
        model = schema.sections.get(name) or schema.families[name.partition(".")[0]]
        try:
            built[name] = model.model_validate({key: entry.text for key, entry in values.items()})
        except ValidationError as error:
            problems += _refusals(name, model, values, error)
    return _nest(schema, built), problems


def _nest(schema: Schema, built: Mapping[str, Section]) -> dict[str, object]:
    nested: dict[str, object] = {name: section for name, section in built.items() if name in schema.sections}
    for family in schema.families:
        members = {
            name.removeprefix(f"{family}."): section for name, section in built.items() if name.startswith(f"{family}.")
        }
        nested |= {family: members} if members else {}
    return nested


def _refusals(name: str, model: type[Section], values: Mapping[str, Entry], error: ValidationError) -> Iterator[str]:
    for detail in error.errors(include_url=False):
        if detail["type"] == "default_factory_not_called":  # derived from a key that has a problem of its own
            continue
        key = str(detail["loc"][0]) if detail["loc"] else ""
        message = detail["msg"].removeprefix("Value error, ")
        if entry := values.get(key):
            quote = "" if is_secret(model.model_fields[key]) else f" (not {_quoted(detail, entry)})"
            yield f"{entry.place}: {_named(name, key, entry)}{message}{quote}"
        else:
            yield f"[{name}]{f' {key}' if key else ''}: {message}"


def _quoted(detail: ErrorDetails, entry: Entry) -> str:
    """The value at fault; of a list only the word at fault."""
    text = str(detail["input"]) if len(detail["loc"]) > 1 else entry.text
    return repr(text if len(text) <= _LONGEST_QUOTE else f"{text[:_LONGEST_QUOTE]}…")


def _named(section: str, key: str, entry: Entry) -> str:
    """The name of the key as config.ini writes it, where the place does not say it already."""
    return "" if entry.source is Source.FILE else f"[{section}] {key}: "
