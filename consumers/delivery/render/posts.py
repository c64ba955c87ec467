"""Text of messages for public posts, and how long X and Mastodon hold a text to be. Pure.

https://docs.x.com/fundamentals/counting-characters: 280, where letters of most alphabets weigh 1, all else 2 and every link 23.
https://docs.joinmastodon.org/user/posting: 500 clusters, where every link counts 23.
"""

import re
import unicodedata
from dataclasses import replace

from consumers.delivery.channel import Message
from consumers.delivery.render.graphemes import clusters
from consumers.delivery.render.text import Measure, fitted, parts_of

LINK = 23
_MENTION = re.compile(r"(?<![\w/.])([@\uff20])(?=\w)")
_LIGHT = re.compile("[\u0000-\u10ff\u2000-\u200d\u2010-\u201f\u2032-\u2037]")
# A link that nobody can doubt: a known ending, a plain path, white space around it.
_PLAIN_LINK = re.compile(
    r"(?<!\S)https?://(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+(?:[a-z]{2}|com|net|org|info|dev|app|cloud|biz|edu|gov)"
    r"(?:/[a-z0-9-]+)*/?(?!\S)",
    re.IGNORECASE | re.ASCII,
)
# What else may become a link, as a whole or its beginning, so that no more of it is sure to be part of one than the shortest.
_HTTP = re.compile(r"https?://[\w.-]++", re.IGNORECASE)
_SCHEME = re.compile(r"[a-z]{3,9}:[/?]", re.IGNORECASE)
_SHORTEST_WITH_SCHEME = len("http://a.co")
_ENDING = re.compile(r"(?<=\S)\.(?:[a-z][\w-]|[^\W\d_a-z]\S)", re.IGNORECASE)
_SHORTEST_DOMAIN = len("a.co")


def post_of(message: Message, limit: int, measure: Measure, *, link: bool = True) -> str:
    """Return a message as a post of at most ``limit``, with composed characters (NFC). It mentions nobody.

    An @ before a name is followed by a space of no width: what a monitor wrote must not call on strangers.
    """
    parts = parts_of(message, link=link)
    return fitted(
        replace(parts, headline=_quiet(parts.headline), body=_quiet(parts.body), promise=_quiet(parts.promise)),
        limit,
        measure,
    )


def _quiet(text: str) -> str:
    return _MENTION.sub("\\1\u200b", unicodedata.normalize("NFC", text))


def x_weight(text: str) -> int:
    """Return what a text weighs on X, or a little more, never less.

    More where only X's own lists could tell: which endings make a link, and which emoji are one. In linear time, which the
    official algorithm does not take.
    """
    kept, links = _PLAIN_LINK.subn("", text)
    rest, schemes = _HTTP.subn("", kept)
    domains = len(_ENDING.findall(rest))
    return (
        LINK * links
        + (LINK - _SHORTEST_WITH_SCHEME) * schemes
        + (LINK - _SHORTEST_DOMAIN) * domains
        + 2 * len(kept)
        - len(_LIGHT.findall(kept))
    )


def mastodon_length(text: str) -> int:
    """Return a text's length on Mastodon, or a little more: a link that it may not recognise counts whole."""
    kept, links = _PLAIN_LINK.subn("", text)
    return LINK * links + (LINK - _SHORTEST_WITH_SCHEME) * len(_SCHEME.findall(kept)) + clusters(kept)
