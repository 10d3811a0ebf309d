"""What was wrong with a value, said in the reader's language and without the value itself (it may be a secret).

pydantic's own messages are English and some quote the input, so only its error type and harmless numbers are used; a
type without a text here gets a general one.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from modules.shared.i18n import Language, Text

_GENERAL = Text(en="This value is not acceptable.", de="Dieser Wert ist nicht zulässig.")

_TEXTS: dict[str, Text] = {
    "missing": Text(en="This is required.", de="Diese Angabe fehlt."),
    "extra_forbidden": Text(en="This member is not known here.", de="Diese Angabe ist hier nicht bekannt."),
    "too_many_members": Text(en="These are too many members.", de="Das sind zu viele Angaben."),
    "nested_too_deeply": Text(en="This is nested too deeply.", de="Das ist zu tief verschachtelt."),
    "unstorable_text": Text(
        en="Text must not contain NUL or unpaired surrogates.",
        de="Text darf weder NUL noch einzelne Surrogate enthalten.",
    ),
    "string_too_short": Text(
        en="At least {min_length} characters are needed.", de="Mindestens {min_length} Zeichen sind nötig."
    ),
    "string_too_long": Text(
        en="At most {max_length} characters are possible.", de="Höchstens {max_length} Zeichen sind möglich."
    ),
    "string_pattern_mismatch": Text(en="This does not have the expected form.", de="Das hat nicht die erwartete Form."),
    "string_type": Text(en="This must be text.", de="Das muss Text sein."),
    "bool_type": Text(en="This must be true or false.", de="Das muss true oder false sein."),
    "bool_parsing": Text(en="This must be true or false.", de="Das muss true oder false sein."),
    "int_type": Text(en="This must be a whole number.", de="Das muss eine ganze Zahl sein."),
    "int_parsing": Text(en="This must be a whole number.", de="Das muss eine ganze Zahl sein."),
    "int_from_float": Text(en="This must be a whole number.", de="Das muss eine ganze Zahl sein."),
    "float_parsing": Text(en="This must be a number.", de="Das muss eine Zahl sein."),
    "decimal_parsing": Text(en="This must be a decimal number.", de="Das muss eine Dezimalzahl sein."),
    "finite_number": Text(en="This must be a finite number.", de="Das muss eine endliche Zahl sein."),
    "greater_than": Text(en="This must be greater than {gt}.", de="Das muss größer als {gt} sein."),
    "greater_than_equal": Text(en="This must be at least {ge}.", de="Das muss mindestens {ge} sein."),
    "less_than": Text(en="This must be less than {lt}.", de="Das muss kleiner als {lt} sein."),
    "less_than_equal": Text(en="This must be at most {le}.", de="Das darf höchstens {le} sein."),
    "too_short": Text(
        en="At least {min_length} entries are needed.", de="Mindestens {min_length} Einträge sind nötig."
    ),
    "too_long": Text(
        en="At most {max_length} entries are possible.", de="Höchstens {max_length} Einträge sind möglich."
    ),
    "enum": Text(en="Possible values: {expected}.", de="Mögliche Werte: {expected}."),
    "literal_error": Text(en="Possible values: {expected}.", de="Mögliche Werte: {expected}."),
    "list_type": Text(en="This must be a list.", de="Das muss eine Liste sein."),
    "dict_type": Text(en="This must be an object.", de="Das muss ein Objekt sein."),
    "model_attributes_type": Text(en="This must be an object.", de="Das muss ein Objekt sein."),
    "model_type": Text(en="This must be an object.", de="Das muss ein Objekt sein."),
    "uuid_parsing": Text(en="This must be a UUID.", de="Das muss eine UUID sein."),
    "uuid_type": Text(en="This must be a UUID.", de="Das muss eine UUID sein."),
    "url_parsing": Text(en="This must be a URL.", de="Das muss eine URL sein."),
    "datetime_parsing": Text(en="This must be a time as in RFC 3339.", de="Das muss ein Zeitpunkt nach RFC 3339 sein."),
    "datetime_from_date_parsing": Text(
        en="This must be a time as in RFC 3339.", de="Das muss ein Zeitpunkt nach RFC 3339 sein."
    ),
    "timezone_aware": Text(en="The time zone is missing.", de="Die Zeitzone fehlt."),
    "date_parsing": Text(en="This must be a date.", de="Das muss ein Datum sein."),
    "date_from_datetime_parsing": Text(en="This must be a date.", de="Das muss ein Datum sein."),
}


def places_at_fault(errors: Iterable[Mapping[str, Any]], language: Language) -> list[dict[str, object]]:
    """The `errors` member of a 422: a JSON pointer (RFC 6901) into the body, or the name of the parameter, each with
    code and text.
    """
    return [_place(entry, language) for entry in errors]


def _place(entry: Mapping[str, Any], language: Language) -> dict[str, object]:
    source, *path = entry["loc"] or ("body",)
    context = entry.get("ctx") or {}
    pointer = "/".join(str(step) for step in path)
    if source == "body":
        pointer = "".join("/" + _escape(str(step)) for step in path) + str(context.get("place", ""))
    return {"pointer": pointer, "in": source, "code": entry["type"], "detail": _text(entry["type"], context, language)}


def _text(kind: str, context: Mapping[str, Any], language: Language) -> str:
    try:
        return _TEXTS.get(kind, _GENERAL).in_(language, **context)
    except (KeyError, IndexError):
        return _GENERAL.in_(language)


def _escape(step: str) -> str:
    return step.replace("~", "~0").replace("/", "~1")
