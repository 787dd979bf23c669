"""Operations on webhooks and what is delivered to them."""

from collections.abc import Iterator, Mapping
from functools import partial

from crony.client.headers import etag
from crony.client.transport import Answer, Parameter, Transport
from crony.client.walking import each


class Webhooks(Transport):
    """``webhook`` is a name, ``event`` an event's id."""

    def list_webhooks(self, **params: Parameter) -> Answer:
        """Get one page; never the secrets."""
        return self._call("GET", "webhooks", params=params)

    def each_webhook(self, **params: Parameter) -> Iterator[Answer]:
        """Walk through all pages."""
        return each(self.list_webhooks, params)

    def get_webhook(self, webhook: str) -> Answer:
        """Get one, without its secret."""
        return self._call("GET", "webhooks", webhook)

    def put_webhook(
        self,
        webhook: str,
        body: Mapping[str, object],
        *,
        if_match: int | str | None = None,
        if_none_match: str | None = None,
    ) -> Answer:
        """Make or replace it; only the answer that makes it has the secret.

        ``if_match`` is a revision or an ETag; ``if_none_match="*"`` creates only.
        """
        return self._call(
            "PUT",
            "webhooks",
            webhook,
            body=body,
            headers={"If-Match": etag(if_match), "If-None-Match": if_none_match},
        )

    def delete_webhook(
        self, webhook: str, *, if_match: int | str | None = None
    ) -> None:
        """Send nothing more to it, and forget what was sent."""
        self._call("DELETE", "webhooks", webhook, headers={"If-Match": etag(if_match)})

    def ping_webhook(self, webhook: str) -> Answer:
        """Send a test event now; the answer is the delivery, and how it went."""
        return self._call("POST", "webhooks", webhook, "ping")

    def list_deliveries(self, webhook: str, **params: Parameter) -> Answer:
        """Get one page of what was sent or is to be; the newest event first."""
        return self._call("GET", "webhooks", webhook, "deliveries", params=params)

    def each_delivery(self, webhook: str, **params: Parameter) -> Iterator[Answer]:
        """Walk through all pages."""
        return each(partial(self.list_deliveries, webhook), params)

    def retry_delivery(self, webhook: str, event: str) -> Answer:
        """Send an event once more."""
        return self._call("POST", "webhooks", webhook, "deliveries", event, "retry")
