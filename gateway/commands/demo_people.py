"""The people of the demo; `demo.sql` says where they are and what they may do there."""

from dataclasses import dataclass

from modules.shared.i18n import Language


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with an account. `part` says what they are for, to whoever tries the demo."""

    email: str
    name: str
    language: Language
    part: str


PEOPLE = (
    # the first account of an installation becomes its sysadmin
    Person("sam@example.org", "Sam Okoye", "en", "sysadmin of the installation, member of neither mandate"),
    Person("ada@example.org", "Ada Keller", "de", "administrator of Alpine Software, viewer in Baltic Trading"),
    Person("max@example.org", "Max Brunner", "en", "member of both: his group's invoices in Alpine, all in Baltic"),
    Person("vera@example.org", "Vera Costa", "en", "viewer in Alpine Software, without the margins"),
    Person("bert@example.org", "Bert Lindqvist", "en", "administrator of Baltic Trading"),
)
