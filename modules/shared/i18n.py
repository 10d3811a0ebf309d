"""Texts for people in German and English, and the choice between them.

A text stands next to the thing it describes (an error class, an item), both languages together, so that neither can be
forgotten.
"""

from dataclasses import dataclass
from typing import Literal

Language = Literal["de", "en"]
LANGUAGES: tuple[Language, ...] = ("de", "en")
DEFAULT_LANGUAGE: Language = "en"


@dataclass(frozen=True, slots=True)
class Text:
    """One sentence in every language of the product; `{name}` placeholders are filled by `str.format`."""

    en: str
    de: str

    def in_(self, language: Language, /, **values: object) -> str:
        """The sentence in `language` with its placeholders filled."""
        template = self.de if language == "de" else self.en
        return template.format(**values) if values else template


def negotiate_language(accept_language: str | None, preferred: str | None = None) -> Language:
    """Choose the language of an answer: the person's own setting, then `Accept-Language` (RFC 9110, section 12.5.4),
    then English.
    """
    if preferred in LANGUAGES:
        return "de" if preferred == "de" else "en"
    best: tuple[float, int, Language] | None = None
    for position, part in enumerate((accept_language or "")[:200].split(",")):
        tag, _, parameters = part.strip().partition(";")
        primary = tag.split("-")[0].strip().lower()
        if primary not in LANGUAGES:
            continue
        quality = _quality(parameters)
        candidate: tuple[float, int, Language] = (quality, -position, "de" if primary == "de" else "en")
        if quality > 0 and (best is None or candidate > best):
            best = candidate
    return best[2] if best else DEFAULT_LANGUAGE


def _quality(parameters: str) -> float:
    name, _, value = parameters.strip().partition("=")
    if name.strip().lower() != "q":
        return 1.0
    try:
        return min(max(float(value), 0.0), 1.0)
    except ValueError:
        return 0.0
