"""Operators' Markdown: what stays, and that nothing in it can harm a reader."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import html

from consumers.web.render.markdown import SCHEMES, TAGS, to_html

HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "![a](https://tracker.example/pixel.png)",
    "[a](javascript:alert(1))",
    "[a](JaVaScRiPt:alert(1))",
    "[a](data:text/html;base64,PHNjcmlwdD4=)",
    "<javascript:alert(1)>",
    '[a](https://example.com "onmouseover=alert(1)")',
    "`<b onclick=alert(1)>`",
    "<svg/onload=alert(1)>",
    "<style>*{display:none}</style>",
    "[a]: javascript:alert(1)\n\n[a]",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "<a href='https://example.com' style='position:fixed'>x</a>",
]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One.\nTwo.", "<p>One.<br>\nTwo.</p>"),
        ("**Now** and *then* ~~never~~", "<p><strong>Now</strong> and <em>then</em> <s>never</s></p>"),
        ("R&D < 3", "<p>R&amp;D &lt; 3</p>"),
        ("- a\n- b", "<ul>\n<li>a</li>\n<li>b</li>\n</ul>"),
        ("`a < b`", "<p><code>a &lt; b</code></p>"),
        ("", ""),
    ],
)
def test_what_operators_write_is_shown(text: str, expected: str) -> None:
    assert to_html(text).strip() == expected


def test_a_link_tells_its_target_nothing() -> None:
    assert to_html("[a](https://acme.example)") == (
        '<p><a href="https://acme.example" rel="nofollow noopener noreferrer">a</a></p>\n'
    )


@pytest.mark.parametrize(("level", "tags"), [(3, ["h3", "h4"]), (4, ["h4", "h5"]), (6, ["h6", "h6"])])
def test_the_highest_heading_takes_the_level_that_the_page_has_for_it(level: int, tags: list[str]) -> None:
    found = html.fragment_fromstring(to_html("## One\n\n### Two", level), create_parent=True)
    assert [each.tag for each in found] == tags


@given(st.lists(st.sampled_from(HOSTILE) | st.text(), max_size=4).map("\n".join))
def test_nothing_harmful_comes_out(text: str) -> None:
    found = html.fragment_fromstring(f"<div>{to_html(text)}</div>".replace("\x00", ""))
    for element in found.iterdescendants():
        assert element.tag in TAGS
        assert set(element.attrib) <= {"href", "rel", "start", "title"}
        if (address := element.get("href")) is not None:
            assert address.partition(":")[0].lower() in SCHEMES


@pytest.mark.parametrize("text", HOSTILE)
def test_each_known_trick_is_harmless(text: str) -> None:
    found = html.fragment_fromstring(f"<div>{to_html(text)}</div>")
    assert not found.xpath(".//script|.//img|.//svg|.//style|.//@onclick|.//@onerror|.//@style")
    assert not [address for address in found.xpath(".//@href") if not address.startswith("https://example.com")]


def test_deep_nesting_is_borne() -> None:
    assert to_html("> " * 5_000 + "deep")
    assert to_html("[" * 5_000)
