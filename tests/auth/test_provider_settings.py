"""`[google]`, `[microsoft]`, `[oidc.<name>]`: what is taken, and what stops the start."""

from pathlib import Path

import pytest

from gateway.settings import Settings, validate

OIDC = "[oidc.keycloak]\nissuer = https://login.example.org/realms/staff\nclient_id = gateway\n"


def problems(directory: Path, text: str) -> list[str]:
    file = directory / "config.ini"
    file.write_text(text, encoding="utf-8")
    return validate(file)


class TestProviderSettings:
    def test_take_any_number_of_providers(self, tmp_path: Path) -> None:
        file = tmp_path / "config.ini"
        file.write_text(OIDC + OIDC.replace("keycloak", "dex") + "algorithms = ES256, EdDSA\n", encoding="utf-8")
        settings = Settings.load(file, environment={}, overrides={})
        assert {name: section.algorithms for name, section in settings.oidc.items()} == {
            "keycloak": ("RS256",),
            "dex": ("ES256", "EdDSA"),
        }

    def test_read_the_secret_from_a_file_and_show_it_to_nobody(self, tmp_path: Path) -> None:
        secret = tmp_path / "secret"
        secret.write_text("hush\n", encoding="utf-8")
        environment = {"MANDATE_GOOGLE__CLIENT_ID": "gateway", "MANDATE_GOOGLE__CLIENT_SECRET_FILE": str(secret)}
        settings = Settings.load(None, environment=environment, overrides={})
        assert settings.google.client_secret.get_secret_value() == "hush"
        assert "hush" not in repr(settings)

    @pytest.mark.parametrize(
        "issuer",
        ["http://127.0.0.1:9000", "http://localhost:9000/realm", "http://[::1]:9000", "https://login.example.org"],
    )
    def test_allow_plain_http_on_this_machine_alone(self, tmp_path: Path, issuer: str) -> None:
        assert problems(tmp_path, f"[oidc.x]\nissuer = {issuer}\nclient_id = gateway\n") == []

    @pytest.mark.parametrize(
        ("text", "complaint"),
        [
            ("[oidc.x]\nissuer = http://login.example.org\nclient_id = g\n", "must begin with https://"),
            ("[google]\nissuer = http://10.0.0.1\n", "must begin with https://"),
            ("[microsoft]\nauthority = https://x.test?y=1\n", "an issuer is written as"),
            ("[oidc.x]\nissuer = https://user@login.example.org\nclient_id = g\n", "an issuer is written as"),
            ("[oidc.x]\nclient_id = g\n", "issuer"),
            ("[oidc.x]\nissuer = https://login.example.org\n", "client_id"),
            (f"{OIDC}algorithms = HS256\n", "algorithms"),
            (f"{OIDC}algorithms = none\n", "algorithms"),
            (f"{OIDC}algorithms =\n", "algorithms"),
            (f"{OIDC}scopes = email\n", "openid must be among the scopes"),
            (f"{OIDC}verified_email = always\n", "verified_email"),
            ("[google]\nclient_secret = hush\n", "client_id is missing"),
            ("[microsoft]\ntenant = contoso.example\n", "tenant"),
        ],
    )
    def test_stop_the_start_with_what_is_wrong(self, tmp_path: Path, text: str, complaint: str) -> None:
        problem, *_ = problems(tmp_path, text)
        assert complaint in problem
        assert "hush" not in problem
