"""The matrix of misbehaviours passes a channel that is right and finds what is wrong with one that is not."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import httpx
import pytest

from consumers.delivery.channel import Capabilities, ConfirmBy, Message
from consumers.delivery.classify import classify_http
from consumers.delivery.outcome import InDoubt, Outcome, Retry, Scope, Sent
from tests.fakes.vendors.matrix import PROVIDER, try_all
from tests.fakes.vendors.sendgrid import MAIL, SEND, SendGrid, mail_request
from tests.fakes.vendors.server import VendorServer
from tests.unit.delivery.channels.messages import message


@pytest.fixture
def vendor() -> Iterator[VendorServer[SendGrid]]:
    with VendorServer(SendGrid()) as running:
        yield running


class MailByHttp:
    """A channel that is right, but for its ``faults``."""

    capabilities = Capabilities("mail", "Mail", "address", "", False, ConfirmBy.LINK, 1)

    def __init__(self, vendor: VendorServer[SendGrid], *faults: str) -> None:
        self._faults = faults
        self._url = vendor.url + SEND
        self._client = httpx.AsyncClient(trust_env=False, timeout=httpx.Timeout(5, read=0.5))

    def validate(self, address: str) -> str:
        return address

    def mask(self, address: str) -> str:
        return address[:1]

    async def send(self, message: Message) -> Outcome:
        outcome = await self._once()
        if "repeats" in self._faults and isinstance(outcome, Retry):
            return await self._once()
        return outcome

    async def _once(self) -> Outcome:
        request = mail_request(MAIL)
        try:
            answer = await self._client.post(self._url, headers=request.headers, content=request.raw)
        except httpx.ConnectError:
            return Retry("no connection")
        except httpx.HTTPError:
            return Retry("no answer") if "hopes" in self._faults else InDoubt("no answer")
        if answer.status_code == 200:
            return Sent() if "trusts" in self._faults else InDoubt("not the provider's answer")
        address = Scope.RECIPIENT if "blames" in self._faults else Scope.CHANNEL
        wait = answer.headers.get("retry-after")
        return classify_http(answer.status_code, now=datetime.now(UTC), retry_after=wait, address=address)

    async def close(self) -> None:
        await self._client.aclose()


@asynccontextmanager
async def mail_by_http(vendor: VendorServer[SendGrid], *faults: str) -> AsyncIterator[MailByHttp]:
    made = MailByHttp(vendor, *faults)
    try:
        yield made
    finally:
        await made.close()


EXPECTED = PROVIDER | {"accepted, body cut": "sent"}  # there is no body to cut


async def test_a_channel_that_is_right_passes_the_matrix(vendor: VendorServer[SendGrid]) -> None:
    async with mail_by_http(vendor) as channel:
        await try_all(channel, message(), vendor, EXPECTED)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("repeats", "503: 2 requests came"),
        ("hopes", "accepted, silence: it was accepted and is called certainly not sent"),
        ("trusts", "another's page: it was not accepted and is called sent"),
        ("blames", "404: expected channel, got recipient"),
    ],
)
async def test_a_fault_of_a_channel_is_found(vendor: VendorServer[SendGrid], fault: str, said: str) -> None:
    async with mail_by_http(vendor, fault) as channel:
        with pytest.raises(AssertionError) as found:
            await try_all(channel, message(), vendor, EXPECTED)
    assert said in str(found.value)


async def test_a_row_that_no_misbehaviour_has_is_noticed(vendor: VendorServer[SendGrid]) -> None:
    async with mail_by_http(vendor) as channel:
        with pytest.raises(AssertionError, match="no such misbehaviours"):
            await try_all(channel, message(), vendor, EXPECTED | {"flood": "sent"})
