"""Settings as text: the values in force with their sources; the commented config.ini and the reference made from the
models.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from inspect import getdoc
import textwrap
from typing import Literal, get_args, get_origin

from pydantic.fields import FieldInfo

from modules.shared.settings.composition import SectionedSettings
from modules.shared.settings.layers import Source
from modules.shared.settings.schema import Schema, Section, is_derived, is_secret

_WIDTH = 118
_MASK = "********"
_REFERENCE_PREAMBLE = """\
Written by `scripts/render_docs.py` from the settings models.
`mandate config init` writes a file with all of it, `mandate config validate` says what is wrong with one, `mandate \
config show` what is in force and who said so. A key is set in the section of config.ini, or as the environment \
variable `MANDATE_<SECTION>__<KEY>`, which is stronger; a secret also as `MANDATE_<SECTION>__<KEY>_FILE` with the path \
of a file that holds it. Names nobody knows stop the start.
A list is separated by commas or by indented lines. A duration is written as `45s`, `10m`, `1h30m`, `30d`; a size as \
`500kB`, `1MB`, `32MiB`; a limit as `20/minute` or `10/15minutes`."""
_PREAMBLE = """\
Settings. Lines that begin with ; show the default: remove the ; to set another value.
Stronger than this file: the environment as MANDATE_<SECTION>__<KEY> (for a secret also \
MANDATE_<SECTION>__<KEY>_FILE with the path of a file that holds it), and above that the command line. \
Names nobody knows stop the start.
A list is separated by commas or by indented lines. A duration is written as 45s, 10m, 1h30m, 30d; a size as 500kB, \
1MB, 32MiB. A comment has a line of its own. Characters like % # ; have no meaning inside a value."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One value in force, fit to be shown: a secret is masked."""

    name: str
    value: str
    source: Source


def describe(settings: SectionedSettings) -> tuple[Setting, ...]:
    """Every setting in the order of config.ini, secrets masked."""
    return tuple(_described(settings))


def _described(settings: SectionedSettings) -> Iterator[Setting]:
    sources = settings.sources
    for section_name, section in settings.list_sections():
        written = section.model_dump(mode="json")
        for key, field in type(section).model_fields.items():
            name = f"{section_name}.{key}"
            yield Setting(name, _masked(field, written[key], sources[name]), sources[name])


def _masked(field: FieldInfo, value: object, source: Source) -> str:
    if not is_secret(field):
        return _written(value)
    # A default is printed in the manual; whether a secret was given is worth seeing.
    if source is Source.DEFAULT:
        return _default(field, value)
    return _MASK if value else ""


def show(settings: SectionedSettings) -> str:
    """Every setting as `section.key = value  (source)`, secrets masked."""
    return "".join(f"{f'{each.name} = {each.value}'.rstrip()}  ({each.source})\n" for each in describe(settings))


def render_config(composition: type[SectionedSettings]) -> str:
    """The complete config.ini of `composition`: every key with its meaning, and its default as a comment."""
    schema = Schema.of(composition)
    names = {**schema.sections, **{f"{family}.<name>": model for family, model in schema.families.items()}}
    preamble = "\n#\n".join(_comment(paragraph) for paragraph in _PREAMBLE.split("\n"))
    blocks = [preamble, *(_block(name, model, is_family=name not in schema.sections) for name, model in names.items())]
    return "\n\n".join(blocks) + "\n"


def _block(name: str, model: type[Section], *, is_family: bool) -> str:
    header = f"; [{name}]" if is_family else f"[{name}]"
    defaults = model.model_construct().model_dump(mode="json")
    keys = (_key(key, field, defaults.get(key, "")) for key, field in model.model_fields.items())
    return "\n\n".join((f"{header}\n{_comment(getdoc(model) or '')}", *keys))


def _key(key: str, field: FieldInfo, default: object) -> str:
    meaning = " ".join(part for part in (field.description, _choices(field)) if part)
    return f"{_comment(meaning)}\n; {key} = {_default(field, default)}".rstrip()


def render_reference(composition: type[SectionedSettings]) -> str:
    """Every key of `composition` as a Markdown page, for those who look a setting up."""
    schema = Schema.of(composition)
    names = {**schema.sections, **{f"{family}.<name>": model for family, model in schema.families.items()}}
    preamble = "\n\n".join(_REFERENCE_PREAMBLE.split("\n"))
    return "\n\n".join((f"# Configuration\n\n{preamble}", *(_chapter(*each) for each in names.items()))) + "\n"


def _chapter(name: str, model: type[Section]) -> str:
    defaults = model.model_construct().model_dump(mode="json")
    rows = (_row(key, field, defaults.get(key, "")) for key, field in model.model_fields.items())
    table = "\n".join(("| key | default | meaning |", "|---|---|---|", *rows))
    return f"## [{name}]\n\n{getdoc(model) or ''}\n\n{table}"


def _row(key: str, field: FieldInfo, default: object) -> str:
    parts = (field.description, _choices(field), "Secret." if is_secret(field) else "")
    meaning = " ".join(part for part in parts if part)
    shown = f"`{written}`" if (written := _default(field, default)) else ""
    return f"| `{key}` | {shown} | {' '.join(meaning.split())} |".replace("<", "&lt;")


def _choices(field: FieldInfo) -> str:
    if get_origin(field.annotation) is not Literal:
        return ""
    return f"One of: {', '.join(get_args(field.annotation))}."


def _default(field: FieldInfo, written: object) -> str:
    if is_derived(field) or field.is_required():
        return ""
    return str(field.default.get_secret_value()) if is_secret(field) else _written(written)


def _written(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _comment(text: str) -> str:
    paragraph = " ".join(text.split())
    return textwrap.fill(
        paragraph, _WIDTH, initial_indent="# ", subsequent_indent="# ", break_long_words=False, break_on_hyphens=False
    )
