"""The settings of the gateway: defaults, what sections derive from each other, what must agree, and config.ini."""

from datetime import timedelta
from pathlib import Path

import pytest

from gateway.settings import Settings, initial_config, show, validate
from modules.shared.settings import SettingsError, Source

CONFIG = Path(__file__).parents[2] / "config.ini"
EXTERNAL = {
    "database.url": "postgresql://mandate_app:pw@db/mandate",
    "database.auth_url": "postgresql://mandate_auth:pw@db/mandate",
    "database.system_url": "postgresql://mandate_system:pw@db/mandate",
}
SMTP = {"mail.backend": "smtp", "mail.host": "mail.example.org", "mail.sender": "gateway@example.org"}


def load(**overrides: str) -> Settings:
    """Settings with overrides whose dots are written as double underscores."""
    return load_with({name.replace("__", "."): value for name, value in overrides.items()})


def load_with(overrides: dict[str, str]) -> Settings:
    return Settings.load(None, environment={}, overrides=overrides)


def refusal_of(overrides: dict[str, str]) -> str:
    with pytest.raises(SettingsError) as caught:
        load_with(overrides)
    return str(caught.value)


class TestConfigIni:
    def test_of_the_repository_is_what_init_writes(self) -> None:
        assert CONFIG.read_text(encoding="utf-8") == initial_config()

    def test_of_the_repository_changes_no_default(self) -> None:
        settings = Settings.load(CONFIG, environment={}, overrides={})
        assert settings == Settings()
        assert set(settings.sources.values()) == {Source.DEFAULT}

    def test_explains_every_key(self) -> None:
        for name, section in Settings().list_sections():
            assert all(field.description for field in type(section).model_fields.values()), name

    def test_fits_a_page(self) -> None:
        assert max(map(len, initial_config().splitlines())) <= 120


class TestDefaults:
    def test_are_the_promised_ones(self) -> None:
        settings = Settings()
        assert settings.http.public_url == "http://127.0.0.1:8000"
        assert settings.auth.issuer == "http://127.0.0.1:8000"
        assert settings.auth.access_token_lifetime == timedelta(minutes=10)
        assert settings.database.embedded
        assert settings.installation.master_key_file == Path("data/master.key")
        assert settings.mail.directory == Path("data/mail")
        assert settings.rate_limits.storage.get_secret_value() == "memory://"

    def test_do_not_change_once_made(self) -> None:
        with pytest.raises(ValueError, match="frozen"):
            Settings().http.port = 1


class TestPublicUrl:
    def test_follows_host_and_port(self) -> None:
        assert load(http__host="::1", http__port="9000").http.public_url == "http://[::1]:9000"

    def test_of_a_server_on_every_address_is_this_machine(self) -> None:
        assert load(http__host="0.0.0.0").http.public_url == "http://127.0.0.1:8000"  # noqa: S104  - read, not bound

    def test_is_the_issuer_unless_one_is_given(self) -> None:
        assert load(http__public_url="https://gate.example.org").auth.issuer == "https://gate.example.org"
        assert load(http__public_url="https://gate.example.org", auth__issuer="gate").auth.issuer == "gate"

    def test_without_tls_is_refused_beyond_this_machine(self) -> None:
        assert "[http] public_url: http://gate.example.org" in refusal_of(
            {"http.public_url": "http://gate.example.org"}
        )

    def test_is_asked_for_when_the_server_listens_on_a_network_address(self) -> None:
        assert "[http] public_url" in refusal_of({"http.host": "10.0.0.1"})

    def test_with_a_path_is_refused(self) -> None:
        assert "no path" in refusal_of({"http.public_url": "https://example.org/gate"})


class TestAllowedOrigins:
    def test_without_tls_are_refused_beyond_this_machine(self) -> None:
        refusal = refusal_of({"http.allowed_origins": "https://a.example, http://b.example"})
        assert "[http] allowed_origins: http://b.example" in refusal
        assert "a.example" not in refusal

    def test_may_be_any_origin_never_a_wildcard(self) -> None:
        assert "allowed_origins" in refusal_of({"http.allowed_origins": "*"})


class TestDataDirectory:
    def test_holds_master_key_and_mails(self) -> None:
        settings = load(installation__data_directory="/srv/gate")
        assert settings.installation.master_key_file == Path("/srv/gate/master.key")
        assert settings.mail.directory == Path("/srv/gate/mail")

    def test_does_not_move_what_was_placed_elsewhere(self) -> None:
        settings = load(installation__data_directory="/srv/gate", mail__directory="/srv/out")
        assert settings.mail.directory == Path("/srv/out")

    def test_left_empty_is_refused(self) -> None:
        assert "must not be empty" in refusal_of({"installation.data_directory": ""})


class TestDatabase:
    def test_is_external_with_the_urls_of_its_logins(self) -> None:
        assert not load_with(EXTERNAL).database.embedded

    @pytest.mark.parametrize("given", ["url", "owner_url", "auth_url", "system_url"])
    def test_with_some_urls_only_is_refused(self, given: str) -> None:
        refusal = refusal_of({f"database.{given}": "postgresql://somebody:s3cret@db/mandate"})
        assert "[database]: an external database needs url, auth_url and system_url; missing:" in refusal
        assert "s3cret" not in refusal

    def test_needs_no_owner_to_serve(self) -> None:
        assert load_with(EXTERNAL).database.owner_url.get_secret_value() == ""


class TestMail:
    def test_by_smtp_needs_server_and_sender(self) -> None:
        assert "[mail]: backend = smtp needs host and sender" in refusal_of({"mail.backend": "smtp"})

    def test_by_smtp_needs_no_login(self) -> None:
        assert load_with(SMTP).mail.username == ""

    def test_refuses_half_a_login(self) -> None:
        assert "given together" in refusal_of({**SMTP, "mail.username": "gateway"})

    def test_sends_no_password_in_the_clear(self) -> None:
        login = {"mail.username": "gateway", "mail.password": "s3cret", "mail.security": "none"}
        assert "in the clear" in refusal_of({**SMTP, **login})
        assert load_with({**SMTP, **login, "mail.host": "localhost"}).mail.security == "none"

    def test_takes_any_password(self, tmp_path: Path) -> None:
        config = tmp_path / "config.ini"
        config.write_text("[mail]\npassword = 100%(x)s;#=\n")
        settings = Settings.load(config, environment={}, overrides={})
        assert settings.mail.password.get_secret_value() == "100%(x)s;#="


class TestAuth:
    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("password_minimum_length", "7"),
            ("password_minimum_length", "257"),
            ("access_token_lifetime", "8d"),
            ("session_idle_lifetime", "31d"),
            ("refresh_grace", "16m"),
            ("argon2_parallelism", "5000"),
            ("registration", "everybody"),
            ("registration_home", "mandate:"),
            ("algorithm", "none"),
        ],
    )
    def test_refuses_what_cannot_be(self, name: str, value: str) -> None:
        assert "[auth]" in refusal_of({f"auth.{name}": value})

    def test_takes_a_mandate_as_home(self) -> None:
        assert load(auth__registration_home="mandate:acme").auth.registration_home == "mandate:acme"


class TestSetUpCode:
    @pytest.mark.parametrize(
        ("choice", "host", "needed"),
        [
            ("auto", "127.0.0.1", False),
            ("auto", "0.0.0.0", True),  # noqa: S104  - read, not bound
            ("yes", "127.0.0.1", True),
            ("no", "0.0.0.0", False),  # noqa: S104  - read, not bound
        ],
    )
    def test_is_needed_where_others_could_come_first(self, choice: str, host: str, *, needed: bool) -> None:
        assert load(auth__set_up_code_required=choice, http__host=host).needs_set_up_code is needed

    def test_is_needed_behind_a_proxy_on_this_machine(self) -> None:
        assert load(http__host="127.0.0.1", http__public_url="https://mandate.example.org").needs_set_up_code


class TestRateLimits:
    def test_keep_the_password_of_their_storage(self) -> None:
        shown = show(load(rate_limits__storage="redis://:s3cret@redis:6379/0"))
        assert "rate_limits.storage = ********  (command line)" in shown
        assert "s3cret" not in shown

    def test_know_their_storages(self) -> None:
        assert "[rate_limits] storage" in refusal_of({"rate_limits.storage": "memcached://x"})


class TestShow:
    def test_never_shows_a_secret_whichever_way_it_came(self, tmp_path: Path) -> None:
        secret, config = tmp_path / "secret", tmp_path / "config.ini"
        secret.write_text("s3cret-1\n")
        config.write_text("[metrics]\ntoken = s3cret-2\n")
        settings = Settings.load(
            config,
            environment={"MANDATE_MAIL__PASSWORD_FILE": str(secret)},
            overrides={name: url.replace(":pw@", ":s3cret-3@") for name, url in EXTERNAL.items()},
        )
        assert "s3cret" not in show(settings) + repr(settings)
        assert settings.mail.password.get_secret_value() == "s3cret-1"


class TestValidate:
    def test_finds_nothing_in_a_good_file(self) -> None:
        assert validate(CONFIG) == []

    def test_names_every_problem(self, tmp_path: Path) -> None:
        config = tmp_path / "config.ini"
        config.write_text("[http]\nprot = 80\n[mail]\nport = x\n")
        first, second = validate(config)
        assert first == f"{config}, line 2: [http] prot is not known; did you mean [http] port?"
        assert second.startswith(f"{config}, line 4: [mail] port: ")

    def test_names_sections_that_disagree(self, tmp_path: Path) -> None:
        config = tmp_path / "config.ini"
        config.write_text("[http]\npublic_url = http://gate.example.org\n")
        assert [problem.partition(":")[0] for problem in validate(config)] == ["[http] public_url"]

    def test_counts_what_the_environment_adds(self) -> None:
        assert validate(CONFIG, environment={"MANDATE_HTTP__PORT": "0"})

    def test_prefers_the_section_that_looks_right(self) -> None:
        (problem,) = validate(CONFIG, overrides={"mial.port": "25"})
        assert problem.endswith("did you mean mail.port?")
