"""Every kind of receipt that Tocsin understands: one line each, nothing is found by scanning."""

from producers.receipts import sendgrid, twilio
from producers.receipts.receipt import ReceiptKind

RECEIPT_KINDS: tuple[ReceiptKind, ...] = (sendgrid.KIND, twilio.MESSAGES, twilio.CALLS)
RECEIPT_KIND_OF_NAME: dict[str, ReceiptKind] = {kind.name: kind for kind in RECEIPT_KINDS}
