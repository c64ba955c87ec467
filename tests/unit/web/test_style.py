"""The style sheet: small, without foreign parts, and legible in both schemes by the contrast rules of WCAG 2.2 AA."""

import re

import pytest

from consumers.web.render.assets import FOLDER, Assets
from consumers.web.render.words import IMPACT_TONE, STATUS_TONE

CSS = (FOLDER / "page.css").read_text("utf-8")
TONES = sorted({*IMPACT_TONE.values(), *STATUS_TONE.values()})


def variables(block: str) -> dict[str, str]:
    return dict(re.findall(r"--([\w-]+):\s*(#[0-9a-f]{6})", block))


_light, _dark = re.findall(r":root \{(.*?)\}", CSS, re.DOTALL)
SCHEMES = {"light": variables(_light), "dark": variables(_light) | variables(_dark)}
BOTH = pytest.mark.parametrize("scheme", SCHEMES)


def luminance(colour: str) -> float:
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(scheme: str, one: str, other: str) -> float:
    """https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio"""
    dark, light = sorted(luminance(SCHEMES[scheme][name]) for name in (one, other))
    return (light + 0.05) / (dark + 0.05)


@BOTH
@pytest.mark.parametrize("ground", ["bg", "card"])
@pytest.mark.parametrize("ink", ["text", "muted", "link", *TONES])
def test_text_is_legible(scheme: str, ink: str, ground: str) -> None:
    assert contrast(scheme, ink, ground) >= 4.5


@BOTH
@pytest.mark.parametrize("tone", TONES)
def test_chips_and_banners_are_legible(scheme: str, tone: str) -> None:
    assert contrast(scheme, tone, f"{tone}-soft") >= 4.5
    assert contrast(scheme, f"on-{tone}", f"fill-{tone}") >= 4.5


@BOTH
@pytest.mark.parametrize("mark", [*(f"{tone}-bar" for tone in TONES), "none-bar", "focus"])
def test_bars_and_focus_can_be_told_from_their_ground(scheme: str, mark: str) -> None:
    assert contrast(scheme, mark, "card") >= 3


@BOTH
def test_a_button_is_legible(scheme: str) -> None:
    assert contrast(scheme, "accent", "on-accent") >= 4.5


def test_every_tone_has_its_symbol_its_style_and_its_icon() -> None:
    symbols = (FOLDER.parent / "templates" / "symbols.svg").read_text("utf-8")
    files = Assets.load().files
    for tone in TONES:
        assert f'id="i-{tone}"' in symbols
        assert f".tone-{tone} " in CSS
        assert f"favicon-{tone}.svg" in files


def test_the_files_are_small_and_ask_for_nothing_from_elsewhere() -> None:
    files = Assets.load().files
    assert len(files["page.css"].content) < 20_000
    assert len(files["page.js"].content) < 20_000
    assert len(files["push.js"].content) + len(files["push-worker.js"].content) < 8_000
    for name, asset in files.items():
        assert b"url(" not in asset.content, name
        assert b"@import" not in asset.content, name
        assert not re.search(rb"https?://(?!www\.w3\.org/2000/svg)", asset.content), name


def test_motion_and_print_are_thought_of() -> None:
    assert "@media (prefers-reduced-motion: reduce)" in CSS
    assert "@media print" in CSS


def test_assets_have_types_and_a_version_that_follows_their_content() -> None:
    assets = Assets.load()
    assert assets.files["page.css"].media_type == "text/css; charset=utf-8"
    assert "javascript" in assets.files["page.js"].media_type
    assert assets.files["favicon-ok.svg"].media_type == "image/svg+xml"
    assert len({asset.version for asset in assets.files.values()}) == len(assets.files)
    assert re.fullmatch(r"/static/page\.css\?v=[0-9a-f]{16}", assets.url("page.css"))
    with pytest.raises(KeyError):
        assets.url("../page.py")
