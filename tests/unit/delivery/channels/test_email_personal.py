"""What is each recipient's own of a request to SendGrid: filled in, it says what its values say, whatever they are."""

import msgspec
import orjson
from hypothesis import given
from hypothesis import strategies as st

from consumers.delivery.channel import Message
from consumers.delivery.channels.email_personal import Person, PersonalParts
from consumers.delivery.render.mail_texts import MailTexts, shared_headers
from tests.unit.delivery.channels.messages import message, notice

DOMAIN = "acme.example"
words = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=40)
links = words.map(lambda path: f"https://status.acme.example/{path}")
subjects = st.sampled_from(["0a1b", "{0}", "%s{{1}}", 'ü"\\u0000\U0001f6a8'])


@st.composite
def people(draw: st.DrawFn) -> list[Person]:
    """Draw recipients who have the same links, and of whom some have what must be escaped."""
    shown = [draw(st.booleans()) for _ in range(3)]
    names = ("unsubscribe_url", "confirm_url", "manage_url")
    found: list[Person] = []
    for _ in range(draw(st.integers(1, 4))):
        urls = {name: draw(links) if is_there else "" for name, is_there in zip(names, shown, strict=True)}
        one = msgspec.structs.replace(message(notification=draw(words)), **urls)
        found.append((one, draw(words)))
    return found


def parts(like: Message) -> PersonalParts:
    return PersonalParts(like, shared_headers(like, DOMAIN), MailTexts(), DOMAIN)


@given(people(), subjects)
def test_filled_in_is_as_encoded(of: list[Person], subject: str) -> None:
    of = [(msgspec.structs.replace(one, notice=notice(subject_id=subject)), to) for one, to in of]
    made = parts(of[0][0])
    assert orjson.loads(made.encode(of, "attempt 1")) == [made.values(one, to, "attempt 1") for one, to in of]


def test_each_has_their_own() -> None:
    of = [
        (message(notification=f"{n:056}", unsubscribe_url=f"https://status.acme.example/u/{n}"), f"kim{n}@acme.example")
        for n in range(3)
    ]
    for n, found in enumerate(orjson.loads(parts(of[0][0]).encode(of, "abc"))):
        assert found["to"] == [{"email": f"kim{n}@acme.example"}]
        assert found["custom_args"] == {"notification": f"{n:056}", "attempt": "abc"}
        assert found["headers"]["List-Unsubscribe"] == f"<https://status.acme.example/u/{n}>"
        assert found["headers"]["Message-ID"] == f"<{n:056}@{DOMAIN}>"
        assert set(found["substitutions"].values()) == {f"https://status.acme.example/u/{n}"}
