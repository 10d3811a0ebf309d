"""The ways to sign in that this installation offers, as a sign-in page draws them.

Each way announces itself once, where it is wired; nobody else lists them.
"""

from dataclasses import dataclass
from typing import Literal

from modules.auth.schemas.accounts import SecondFactorName, SignInMethodRead
from modules.shared.i18n import Language, Text

MethodKind = Literal["password", "magic_link", "passkey", "provider"]


@dataclass(frozen=True, slots=True)
class SignInMethod:
    """One way in. `name` is what sessions and policies call it: `password`, `magic_link`, `google`, `oidc:<name>`.

    `kind` tells a page what to draw: a form for address and password, a form for the address alone, a button that asks
    the browser for a passkey, a link to a provider. `login_path` is where it begins, with the prefix of the API.
    """

    name: str
    kind: MethodKind
    label: Text
    login_path: str


class SignInMethods:
    """What was announced, in that order."""

    def __init__(self) -> None:
        self._methods: dict[str, SignInMethod] = {}
        self._second_factors: dict[SecondFactorName, None] = {}

    def offer(self, method: SignInMethod) -> None:
        """Announce a way in. Raises ValueError when its name is announced already."""
        if method.name in self._methods:
            raise ValueError(f"the way {method.name!r} is offered already")
        self._methods[method.name] = method

    def offer_second_factor(self, name: SecondFactorName) -> None:
        """Announce that people may set this factor up."""
        self._second_factors[name] = None

    def list_methods(self, language: Language) -> list[SignInMethodRead]:
        """Every way in, its name for people in `language`."""
        return [
            SignInMethodRead(
                name=each.name, kind=each.kind, display_name=each.label.in_(language), login_path=each.login_path
            )
            for each in self._methods.values()
        ]

    @property
    def second_factors(self) -> list[SecondFactorName]:
        """The factors people may set up besides their first proof."""
        return list(self._second_factors)
