"""The settings framework, on a small composition of its own: layers, names nobody knows, values, secrets, text."""

from collections.abc import Mapping
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path
import subprocess
import sys
from typing import Literal

from pydantic import Field, SecretStr, ValidationError
import pytest

from modules.shared.settings import (
    DatabaseUrl,
    Duration,
    Networks,
    Section,
    SectionedSettings,
    SettingsError,
    Source,
    describe,
    render_config,
    show,
)


class Kitchen(Section):
    """Where meals are made."""

    cook: str = Field(default="Ada", description="Who cooks.")
    heat: int = Field(default=180, ge=0, le=300, description="Degrees.")
    open: bool = Field(default=True, description="Whether guests come in.")
    style: Literal["plain", "rich"] = Field(default="plain", description="The kind of meal.")
    simmer: Duration = Field(default=timedelta(minutes=10), description="How long a sauce takes.")
    guests: Networks = Field(default=(), description="Where guests come from.")
    safe_code: SecretStr = Field(default=SecretStr(""), description="Opens the safe.")
    sign: str = Field(default_factory=lambda given: f"{given['cook']}'s kitchen", description="Over the door.")


class Cellar(Section):
    """Where bottles are kept."""

    bottles: int = Field(default=3, description="How many.")
    lock: DatabaseUrl = Field(default=SecretStr(""), description="A lock like a database's.")


class Supplier(Section):
    """Somebody who delivers."""

    address: str = Field(description="Where they are.")
    password: SecretStr = Field(default=SecretStr(""), description="Their password.")


class House(SectionedSettings):
    """The composition under test."""

    kitchen: Kitchen = Field(default_factory=Kitchen)
    cellar: Cellar = Field(default_factory=Cellar)
    supplier: dict[str, Supplier] = Field(default_factory=dict)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "config.ini"


def load(
    path: Path | None = None, environment: Mapping[str, str] | None = None, overrides: Mapping[str, str] | None = None
) -> House:
    return House.load(path, environment=environment or {}, overrides=overrides or {})


def problems_of(
    path: Path | None = None, environment: Mapping[str, str] | None = None, overrides: Mapping[str, str] | None = None
) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as caught:
        load(path, environment, overrides)
    return caught.value.problems


class TestPrecedence:
    def test_defaults_hold_where_nobody_says_anything(self) -> None:
        assert load() == House()

    def test_the_file_wins_over_the_default(self, config: Path) -> None:
        config.write_text("[kitchen]\nheat = 200\n")
        assert load(config).kitchen.heat == 200

    def test_the_environment_wins_over_the_file(self, config: Path) -> None:
        config.write_text("[kitchen]\nheat = 200\n")
        assert load(config, {"MANDATE_KITCHEN__HEAT": "210"}).kitchen.heat == 210

    def test_the_command_line_wins_over_the_environment(self) -> None:
        assert load(None, {"MANDATE_KITCHEN__HEAT": "210"}, {"kitchen.heat": "220"}).kitchen.heat == 220

    def test_a_stronger_layer_replaces_a_bad_value(self, config: Path) -> None:
        config.write_text("[kitchen]\nheat = hot\n")
        assert load(config, {"MANDATE_KITCHEN__HEAT": "210"}).kitchen.heat == 210

    def test_layers_are_merged_key_by_key(self, config: Path) -> None:
        config.write_text("[kitchen]\nheat = 200\n")
        kitchen = load(config, {"MANDATE_KITCHEN__COOK": "Grace"}).kitchen
        assert (kitchen.heat, kitchen.cook) == (200, "Grace")

    def test_a_key_in_capitals_is_the_same_key(self, config: Path) -> None:
        config.write_text("[kitchen]\nHeat = 200\n")
        assert load(config).kitchen.heat == 200

    def test_the_environment_of_others_is_left_alone(self) -> None:
        assert load(None, {"PATH": "/bin", "KITCHEN__HEAT": "1"}) == House()


class TestDerivedKey:
    def test_follows_the_key_it_is_derived_from(self) -> None:
        assert load(None, None, {"kitchen.cook": "Grace"}).kitchen.sign == "Grace's kitchen"

    def test_is_what_was_given(self) -> None:
        assert load(None, None, {"kitchen.sign": "Open"}).kitchen.sign == "Open"

    def test_left_empty_is_derived(self, config: Path) -> None:
        config.write_text("[kitchen]\nsign =\n")
        assert load(config).kitchen.sign == "Ada's kitchen"

    def test_emptied_above_takes_the_value_below_away(self, config: Path) -> None:
        config.write_text("[kitchen]\nsign = Open\n")
        settings = load(config, {"MANDATE_KITCHEN__SIGN": ""})
        assert (settings.kitchen.sign, settings.sources["kitchen.sign"]) == ("Ada's kitchen", Source.DEFAULT)

    def test_adds_no_problem_to_that_of_its_origin(self) -> None:
        (problem,) = problems_of(None, {"MANDATE_KITCHEN__HEAT": "hot"})
        assert "heat" in problem


class TestFamily:
    def test_has_a_member_for_each_section_of_the_file(self, config: Path) -> None:
        config.write_text("[supplier.north]\naddress = N1\n\n[supplier.south]\naddress = S1\n")
        assert {name: each.address for name, each in load(config).supplier.items()} == {"north": "N1", "south": "S1"}

    def test_is_set_from_the_environment(self) -> None:
        assert load(None, {"MANDATE_SUPPLIER__NORTH__ADDRESS": "N2"}).supplier["north"].address == "N2"

    def test_is_set_from_the_command_line(self) -> None:
        assert load(None, None, {"supplier.north.address": "N3"}).supplier["north"].address == "N3"

    def test_takes_a_secret_of_a_member_from_a_file(self, config: Path, tmp_path: Path) -> None:
        config.write_text("[supplier.north]\naddress = N1\n")
        secret = tmp_path / "secret"
        secret.write_text("s3cret\n")
        supplier = load(config, {"MANDATE_SUPPLIER__NORTH__PASSWORD_FILE": str(secret)}).supplier["north"]
        assert supplier.password.get_secret_value() == "s3cret"

    def test_names_a_key_a_member_lacks(self, config: Path) -> None:
        config.write_text("[supplier.north]\npassword = s3cret\n")
        assert problems_of(config) == ("[supplier.north] address: Field required",)

    def test_hints_within_the_member(self, config: Path) -> None:
        config.write_text("[supplier.north]\naddres = N1\n")
        assert problems_of(config)[0].endswith("did you mean [supplier.north] address?")

    def test_without_a_name_is_refused_with_the_way_to_write_it(self, config: Path) -> None:
        config.write_text("[supplier]\naddress = N1\n")
        assert problems_of(config) == (
            f"{config}, line 1: unknown section [supplier]; did you mean [supplier.<name>]?",
        )

    def test_is_listed_with_its_members_names(self) -> None:
        settings = load(None, None, {"supplier.north.address": "N3"})
        assert settings.sources["supplier.north.address"] is Source.COMMAND_LINE


class TestUnknownName:
    def test_in_the_file_is_refused_with_line_section_key_and_hint(self, config: Path) -> None:
        config.write_text("# a comment\n[kitchen]\ncook = Ada\nhaet = 1\n")
        assert problems_of(config) == (f"{config}, line 4: [kitchen] haet is not known; did you mean [kitchen] heat?",)

    def test_section_in_the_file_is_refused_even_if_empty(self, config: Path) -> None:
        config.write_text("[kitchn]\n")
        assert problems_of(config) == (f"{config}, line 1: unknown section [kitchn]; did you mean [kitchen]?",)

    def test_default_section_of_configparser_is_no_section(self, config: Path) -> None:
        config.write_text("[DEFAULT]\nheat = 1\n")
        assert problems_of(config) == (f"{config}, line 1: unknown section [DEFAULT]",)

    def test_in_the_environment_is_refused_with_hint(self) -> None:
        assert problems_of(None, {"MANDATE_KITCHEN__HAET": "1"}) == (
            "MANDATE_KITCHEN__HAET is not known; did you mean MANDATE_KITCHEN__HEAT?",
        )

    def test_with_a_single_underscore_in_the_environment_is_refused_with_hint(self) -> None:
        assert problems_of(None, {"MANDATE_KITCHEN_HEAT": "1"}) == (
            "MANDATE_KITCHEN_HEAT is not known; did you mean MANDATE_KITCHEN__HEAT?",
        )

    def test_on_the_command_line_is_refused_with_hint(self) -> None:
        assert problems_of(None, None, {"kitchen.haet": "1"}) == (
            "command line: kitchen.haet is not known; did you mean kitchen.heat?",
        )

    def test_is_looked_for_in_the_other_sections(self) -> None:
        assert problems_of(None, None, {"kitchen.bottles": "1"})[0].endswith("did you mean cellar.bottles?")

    def test_in_a_misspelt_section_is_found(self) -> None:
        assert problems_of(None, None, {"kitchn.heet": "1"})[0].endswith("did you mean kitchen.heat?")

    def test_like_nothing_has_no_hint(self) -> None:
        assert problems_of(None, None, {"zzz": "1"}) == ("command line: zzz is not known",)

    def test_never_stands_alone_all_problems_are_told_at_once(self, config: Path) -> None:
        config.write_text("[kitchen]\nhaet = 1\nheat = hot\n")
        assert len(problems_of(config, {"MANDATE_X": "1"}, {"y": "1"})) == 4

    @pytest.mark.parametrize(
        ("variable", "value"),
        [
            ("MANDATE_CONFIG", "/etc/mandate/config.ini"),
            ("MANDATE_SERVICE_HOST", "10.0.0.1"),
            ("MANDATE_GATEWAY_SERVICE_PORT_HTTP", "8000"),
            ("MANDATE_PORT", "tcp://10.0.0.1:8000"),
            ("MANDATE_PORT_8000_TCP_ADDR", "10.0.0.1"),
        ],
    )
    def test_of_the_surroundings_is_left_alone(self, variable: str, value: str) -> None:
        assert load(None, {variable: value}) == House()


class TestFile:
    @pytest.mark.parametrize("text", ["50%", "%(heat)s", "a;b#c", "a=b:c", "%%"])
    def test_takes_values_literally(self, config: Path, text: str) -> None:
        config.write_text(f"[kitchen]\ncook = {text}\n")
        assert load(config).kitchen.cook == text

    def test_may_begin_with_a_byte_order_mark(self, config: Path) -> None:
        config.write_bytes("[kitchen]\ncook = Zoë\n".encode("utf-8-sig"))
        assert load(config).kitchen.cook == "Zoë"

    def test_takes_a_list_over_several_lines(self, config: Path) -> None:
        config.write_text("[kitchen]\nguests =\n  10.0.0.0/8,\n  # from home\n  fd00::/8\n")
        assert load(config).kitchen.guests == (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))

    def test_refuses_a_single_value_over_several_lines(self, config: Path) -> None:
        config.write_text("[kitchen]\ncook = Ada\n  heat = 200\n")
        assert problems_of(config)[0].startswith(f"{config}, line 2: [kitchen] cook takes one line")

    def test_that_is_missing_is_named(self, config: Path) -> None:
        assert problems_of(config) == (f"{config}: cannot be read (No such file or directory)",)

    def test_that_is_not_text_is_named(self, config: Path) -> None:
        config.write_bytes(b"[kitchen]\ncook = \xff\n")
        assert problems_of(config) == (f"{config}: is not UTF-8",)

    @pytest.mark.parametrize(
        ("text", "problem"),
        [
            ("heat = 1\n", ", line 1: a key before the first [section]"),
            ("[kitchen]\n[cellar]\n[kitchen]\n", ", line 3: [kitchen] stands here a second time"),
            ("[kitchen]\nheat = 1\nHEAT = 2\n", ", line 3: heat stands a second time in [kitchen]"),
            ("[kitchen]\ns3cret\n", ", line 2: neither a [section], a `key = value` nor a comment"),
        ],
    )
    def test_with_a_slip_is_refused_with_the_line(self, config: Path, text: str, problem: str) -> None:
        config.write_text(text)
        assert problems_of(config) == (f"{config}{problem}",)


class TestBadValue:
    def test_in_the_file_is_named_with_line_section_and_key(self, config: Path) -> None:
        config.write_text("[kitchen]\n\nheat = hot\n")
        (problem,) = problems_of(config)
        assert problem.startswith(f"{config}, line 3: [kitchen] heat: Input should be a valid integer")
        assert problem.endswith("(not 'hot')")

    def test_in_the_environment_is_named_with_variable_section_and_key(self) -> None:
        (problem,) = problems_of(None, {"MANDATE_KITCHEN__STYLE": "raw"})
        assert problem == "MANDATE_KITCHEN__STYLE: [kitchen] style: Input should be 'plain' or 'rich' (not 'raw')"

    def test_on_the_command_line_is_named_with_section_and_key(self) -> None:
        (problem,) = problems_of(None, None, {"kitchen.heat": "301"})
        assert problem.startswith(
            "command line, kitchen.heat: [kitchen] heat: Input should be less than or equal to 300"
        )

    def test_in_a_list_is_named_by_its_word(self) -> None:
        (problem,) = problems_of(None, None, {"kitchen.guests": "10.0.0.0/8, home"})
        assert problem.endswith("(not 'home')")

    def test_that_is_long_is_cut(self) -> None:
        (problem,) = problems_of(None, None, {"kitchen.heat": "9" * 5000})
        assert len(problem) < 400


class TestSecret:
    def test_is_read_from_the_file_a_variable_names(self, tmp_path: Path) -> None:
        secret = tmp_path / "secret"
        secret.write_text("50%;pass word\n")
        kitchen = load(None, {"MANDATE_KITCHEN__SAFE_CODE_FILE": str(secret)}).kitchen
        assert kitchen.safe_code.get_secret_value() == "50%;pass word"

    def test_loses_only_one_line_ending(self, tmp_path: Path) -> None:
        secret = tmp_path / "secret"
        secret.write_bytes(b" code\n\r\n")
        kitchen = load(None, {"MANDATE_KITCHEN__SAFE_CODE_FILE": str(secret)}).kitchen
        assert kitchen.safe_code.get_secret_value() == " code\n"

    def test_from_a_file_wins_over_config_ini(self, config: Path, tmp_path: Path) -> None:
        config.write_text("[kitchen]\nsafe_code = old\n")
        secret = tmp_path / "secret"
        secret.write_text("new")
        kitchen = load(config, {"MANDATE_KITCHEN__SAFE_CODE_FILE": str(secret)}).kitchen
        assert kitchen.safe_code.get_secret_value() == "new"

    def test_given_twice_is_refused(self, tmp_path: Path) -> None:
        environment = {"MANDATE_KITCHEN__SAFE_CODE": "s3cret", "MANDATE_KITCHEN__SAFE_CODE_FILE": str(tmp_path)}
        (problem,) = problems_of(None, environment)
        assert problem == "MANDATE_KITCHEN__SAFE_CODE_FILE and MANDATE_KITCHEN__SAFE_CODE are both set; keep one"

    def test_file_that_is_missing_is_refused(self, tmp_path: Path) -> None:
        (problem,) = problems_of(None, {"MANDATE_KITCHEN__SAFE_CODE_FILE": str(tmp_path / "none")})
        assert problem.endswith("the file it names cannot be read (No such file or directory)")

    def test_file_that_is_not_text_is_refused(self, tmp_path: Path) -> None:
        secret = tmp_path / "secret"
        secret.write_bytes(b"\xff")
        (problem,) = problems_of(None, {"MANDATE_KITCHEN__SAFE_CODE_FILE": str(secret)})
        assert problem.endswith("the file it names cannot be read (is not a text file)")

    def test_file_for_an_ordinary_key_is_refused(self) -> None:
        (problem,) = problems_of(None, {"MANDATE_KITCHEN__HEAT_FILE": "/x"})
        assert problem == "MANDATE_KITCHEN__HEAT_FILE: only secrets are read from files; set MANDATE_KITCHEN__HEAT"

    @pytest.mark.parametrize(
        "value",
        ["s3cret", "postgresql://u:s3cret", "postgresql://u:x/s3cret@host/name", "postgresql://u:s3cret@[host/name"],
    )
    def test_is_not_repeated_when_it_is_bad(self, config: Path, value: str) -> None:
        config.write_text(f"[cellar]\nlock = {value}\n")
        with pytest.raises(SettingsError) as caught:
            load(config)
        assert "s3cret" not in str(caught.value)
        assert caught.value.__context__ is None

    def test_is_not_repeated_when_it_stands_in_the_wrong_place(self, config: Path) -> None:
        config.write_text("[kitchen]\nsafe_cod = s3cret\n[cellr]\nlock = s3cret\n")
        environment = {"MANDATE_KITCHEN__SAFE": "s3cret"}
        assert "s3cret" not in str(problems_of(config, environment, {"safe": "s3cret"}))

    def test_is_not_repeated_when_the_line_is_a_slip(self, config: Path) -> None:
        config.write_text("[kitchen]\nsafe_code s3cret\n")
        with pytest.raises(SettingsError) as caught:
            load(config)
        assert "s3cret" not in str(caught.value)

    def test_is_not_repeated_when_the_model_is_built_by_hand(self) -> None:
        with pytest.raises(ValidationError) as caught:
            Cellar.model_validate({"lock": "s3cret"})
        assert "s3cret" not in str(caught.value)

    def test_is_masked_in_the_settings_themselves(self) -> None:
        assert "s3cret" not in repr(load(None, None, {"kitchen.safe_code": "s3cret"}))


class TestShow:
    def test_tells_every_value_with_its_source(self, config: Path) -> None:
        config.write_text("[kitchen]\nheat = 200\n")
        lines = show(load(config, {"MANDATE_KITCHEN__OPEN": "no"}, {"kitchen.simmer": "90m"})).splitlines()
        assert lines == [
            "kitchen.cook = Ada  (default)",
            "kitchen.heat = 200  (file)",
            "kitchen.open = false  (environment)",
            "kitchen.style = plain  (default)",
            "kitchen.simmer = 90m  (command line)",
            "kitchen.guests =  (default)",
            "kitchen.safe_code =  (default)",
            "kitchen.sign = Ada's kitchen  (default)",
            "cellar.bottles = 3  (default)",
            "cellar.lock =  (default)",
        ]

    def test_masks_a_secret(self) -> None:
        shown = show(load(None, None, {"kitchen.safe_code": "s3cret"}))
        assert "kitchen.safe_code = ********  (command line)\n" in shown
        assert "s3cret" not in shown

    def test_shows_that_a_secret_was_emptied(self) -> None:
        assert "kitchen.safe_code =  (command line)\n" in show(load(None, None, {"kitchen.safe_code": ""}))

    def test_masks_the_secret_of_a_member(self) -> None:
        settings = load(None, None, {"supplier.north.address": "N", "supplier.north.password": "s3cret"})
        assert [each.value for each in describe(settings)][-2:] == ["N", "********"]

    def test_writes_values_as_they_are_read(self, config: Path) -> None:
        first = load(None, None, {"kitchen.guests": "10.0.0.0/8,::1", "kitchen.simmer": "1h30m", "kitchen.open": "off"})
        written = {each.name: each.value for each in describe(first) if each.value}
        assert load(None, None, written) == load(None, None, written | {"kitchen.simmer": "90m"})
        assert load(None, None, written).kitchen == first.kitchen


class TestRenderConfig:
    def test_changes_nothing_as_it_is(self, config: Path) -> None:
        config.write_text(render_config(House), encoding="utf-8")
        settings = load(config)
        assert settings == House()
        assert set(settings.sources.values()) == {Source.DEFAULT}

    def test_changes_nothing_with_every_default_spelt_out(self, config: Path) -> None:
        lines = render_config(House).splitlines()
        own = lines[: lines.index("; [supplier.<name>]")]
        config.write_text("\n".join(line.removeprefix("; ") for line in own))
        assert load(config).model_dump() == House().model_dump()

    def test_says_meaning_choices_and_default_of_a_key(self) -> None:
        assert "# The kind of meal. One of: plain, rich.\n; style = plain\n" in render_config(House)

    def test_leaves_a_derived_key_empty(self) -> None:
        assert "# Over the door.\n; sign =\n" in render_config(House)

    def test_shows_how_a_family_is_written(self) -> None:
        assert "; [supplier.<name>]\n# Somebody who delivers.\n" in render_config(House)


class TestSchema:
    def test_refuses_a_field_that_is_no_section(self) -> None:
        class Crooked(SectionedSettings):
            number: int = 1

        with pytest.raises(TypeError, match=r"Crooked\.number is neither"):
            Crooked.load(None, environment={}, overrides={})


class TestImport:
    def test_reads_no_settings(self, tmp_path: Path) -> None:
        (tmp_path / "config.ini").write_text("[nonsense]\n")
        program = (
            "import modules.shared.settings, modules.auth.settings, modules.mandates.settings, modules.rbac.settings"
        )
        root = Path(__file__).parents[2]
        done = subprocess.run(
            [sys.executable, "-c", program],
            cwd=tmp_path,
            env={"MANDATE_NONSENSE": "1", "PYTHONPATH": str(root)},
            check=False,
            capture_output=True,
            text=True,
        )
        assert (done.returncode, done.stderr) == (0, "")
