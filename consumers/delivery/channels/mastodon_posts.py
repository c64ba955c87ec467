"""Which of an account's posts, as a Mastodon server shows them, has the words of a message. Pure; who asks is the channel.

https://docs.joinmastodon.org/methods/accounts/#statuses: a post carries nothing of ours but its words, as HTML. That one is there
says that it arrived; that none is there proves nothing, since a server may write words in its own way.
"""

import html
import re
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

import msgspec

MOST = 10
"""Posts that are looked through: more would not fit into what is read of an answer."""
SLACK = timedelta(minutes=2)
"""By how much the server's clock may be behind ours."""
_TAG = re.compile(r"<[^>]*>")


class Post(msgspec.Struct):
    """One post, as the API shows it."""

    id: str
    created_at: datetime
    content: str


def found_among(posts: Sequence[Post], text: str, published: datetime, others: Collection[str]) -> str | None:
    """Return the id of the post with this text that was made since then, and is none of ``others``; None: there is none."""
    wanted = _bare(text)
    return next(
        (
            post.id
            for post in posts
            if post.id not in others
            and post.created_at.tzinfo is not None
            and post.created_at >= published - SLACK
            and _bare(html.unescape(_TAG.sub("", post.content))) == wanted
        ),
        None,
    )


def _bare(text: str) -> str:
    """Return a text without white space: lines become paragraphs on the way."""
    return "".join(text.split())
