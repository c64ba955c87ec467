"""The commonest template of rules is filled without the engine: the result must be the engine's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.domain.wording import _ENVIRONMENT, MAX_LENGTH, fill

NAMES = st.sampled_from(["region", "a_b", "x9", "zone", "severity"])
LABELS = st.dictionaries(NAMES, st.text(max_size=8))


@given(NAMES, LABELS, st.sampled_from(["", " "]))
def test_one_label_is_filled_as_the_engine_fills_it(name: str, labels: dict[str, str], space: str) -> None:
    source = f"{{{{{space}labels.{name}{space}}}}}"
    assert fill(source, {"labels": labels}) == _ENVIRONMENT.from_string(source).render(labels=labels)


@pytest.mark.parametrize("name", ["items", "get", "keys"])
def test_a_method_of_a_dictionary_is_no_label(name: str) -> None:
    assert fill(f"{{{{ labels.{name} }}}}", {"labels": {name: "eu"}}) != "eu"


def test_a_label_is_data_and_cut_like_every_text() -> None:
    assert fill("{{ labels.region }}", {"labels": {"region": "{{ 1 + 1 }}"}}) == "{{ 1 + 1 }}"
    assert len(fill("{{ labels.region }}", {"labels": {"region": "x" * 20_000}})) == MAX_LENGTH
