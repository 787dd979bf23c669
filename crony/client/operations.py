"""Keys, tenants, and what an operator asks of the service itself."""

from collections.abc import Iterator, Mapping

from crony.client.headers import etag
from crony.client.transport import Answer, Parameter, Transport
from crony.client.walking import each


class Operations(Transport):
    """Everything that is about neither schedules nor runs nor workers."""

    def list_keys(self, **params: Parameter) -> Answer:
        """Get one page; never the secrets."""
        return self._call("GET", "keys", params=params)

    def each_key(self, **params: Parameter) -> Iterator[Answer]:
        """Walk through all pages."""
        return each(self.list_keys, params)

    def get_key(self, key: str) -> Answer:
        """Get one, without its secret."""
        return self._call("GET", "keys", key)

    def create_key(
        self, body: Mapping[str, object], *, idempotency_key: str | None = None
    ) -> Answer:
        """Make one; only this answer has the secret."""
        return self._call(
            "POST",
            "keys",
            body=body,
            headers={"Idempotency-Key": idempotency_key},
            repeatable=idempotency_key is not None,
        )

    def delete_key(self, key: str) -> None:
        """Make it worthless."""
        self._call("DELETE", "keys", key)

    def get_tenant(self, tenant: str) -> Answer:
        """Get its quotas, their use, and what it sets for its schedules."""
        return self._call("GET", "tenants", tenant)

    def put_tenant(
        self,
        tenant: str,
        body: Mapping[str, object],
        *,
        if_match: int | str | None = None,
    ) -> Answer:
        """Create it, or set its quotas, profile, limit and retention."""
        return self._call(
            "PUT", "tenants", tenant, body=body, headers={"If-Match": etag(if_match)}
        )

    def delete_tenant(self, tenant: str, *, if_match: int | str | None = None) -> None:
        """Delete one that is empty."""
        self._call("DELETE", "tenants", tenant, headers={"If-Match": etag(if_match)})

    def stats(self) -> Answer:
        """Get how much waits, runs and is free."""
        return self._call("GET", "stats")

    def live(self) -> Answer:
        """Ask whether the service runs."""
        return self._call("GET", "health", "live")

    def ready(self) -> Answer:
        """Ask whether its store answers."""
        return self._call("GET", "health", "ready")

    def metrics(self) -> str:
        """Get the counters in the text form of Prometheus."""
        response = self._respond("GET", "metrics", headers={"Accept": "text/plain"})
        return response.content.decode()

    def openapi(self) -> Answer:
        """Get the API's own description."""
        return self._call("GET", "openapi.json")
