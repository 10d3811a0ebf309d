"""Bodies and values that PostgreSQL could not store."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, TypeAdapter, ValidationError
import pytest

from modules.shared.wire import StorableText, WireModel, is_storable


class Inner(WireModel):
    name: str


class Body(WireModel):
    inner: Inner | None = None
    inners: list[Inner] = Field(default_factory=list)
    free: dict[str, Any] = Field(default_factory=dict)
    number: float = 0


def places(body: object) -> list[tuple[tuple[int | str, ...], str]]:
    with pytest.raises(ValidationError) as refusal:
        Body.model_validate(body)
    return [(error["loc"], error.get("ctx", {}).get("place", "")) for error in refusal.value.errors()]


class TestStorable:
    @pytest.mark.parametrize("text", ["", "plain", "Grüße", "😀", "\t\n", "\ufffe"])
    def test_is_what_postgresql_keeps(self, text: str) -> None:
        assert is_storable(text)

    @pytest.mark.parametrize("text", ["\0", "a\0b", "\ud800", "ü\udfff"])
    def test_is_not_nul_or_half_a_surrogate_pair(self, text: str) -> None:
        assert not is_storable(text)

    @given(st.text())
    def test_agrees_with_utf_8(self, text: str) -> None:
        encodable = text.encode("utf-8", "ignore").decode() == text
        assert is_storable(text) == (encodable and "\0" not in text)


class TestAWireModel:
    def test_refuses_unknown_members(self) -> None:
        assert places({"colour": "red"}) == [(("colour",), "")]

    @pytest.mark.parametrize("number", [float("nan"), float("inf")])
    def test_refuses_numbers_json_does_not_have(self, number: float) -> None:
        assert places({"number": number}) == [(("number",), "")]

    @pytest.mark.parametrize(
        ("body", "place"),
        [
            ({"inner": {"name": "\0"}}, (("inner",), "/name")),
            ({"inners": [{"name": "a"}, {"name": "\ud800"}]}, (("inners",), "/1/name")),
            ({"free": {"a/b": [{"c~d": "\0"}]}}, (("free",), "/a~1b/0/c~0d")),
            ({"free": {"a\0b": 1}}, (("free",), "/a?b")),
        ],
    )
    def test_points_to_text_that_cannot_be_stored(self, body: object, place: tuple[tuple[str], str]) -> None:
        assert places(body) == [place]

    def test_takes_everything_else(self) -> None:
        body = Body.model_validate({"inner": {"name": "Grüße"}, "free": {"😀": [1, None, "x"]}})
        assert body.free == {"😀": [1, None, "x"]}


class TestStorableTextAsAType:
    def test_refuses_what_cannot_be_stored(self) -> None:
        with pytest.raises(ValidationError):
            TypeAdapter(StorableText).validate_python("a\0b")


class TestManyMembers:
    def test_are_refused_in_one_word_and_not_each_by_name(self) -> None:
        with pytest.raises(ValidationError) as refusal:
            Body.model_validate({f"unknown{number}": 1 for number in range(1000)})
        assert [entry["type"] for entry in refusal.value.errors()] == ["too_many_members"]

    def test_are_named_while_they_are_few(self) -> None:
        with pytest.raises(ValidationError) as refusal:
            Body.model_validate({"colour": "red"})
        assert "extra_forbidden" in [entry["type"] for entry in refusal.value.errors()]


class TestDeepNesting:
    @pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
    @pytest.mark.parametrize("depth", [100, 300, 900])
    def test_is_refused_before_it_exhausts_the_stack(self, opening: str, closing: str, depth: int) -> None:
        inner = json.loads(opening * depth + "1" + closing * depth)
        with pytest.raises(ValidationError) as refusal:
            Body.model_validate({"free": {"a": inner}})
        assert [entry["type"] for entry in refusal.value.errors(include_input=False)] == ["nested_too_deeply"]
