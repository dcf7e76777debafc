"""The open publisher."""

from typing import Self

import settings
from componentize_py_types import Err
from outgoing import RequestFailed, post
from records import dictionaries, dictionary, line
from wit_world.imports.metricast_publisher_types import (
    Batch,
    EventMetrics,
    Exposition,
    Flushed,
    Metrics_Event,
    Metrics_Network,
    NetworkMetrics,
    Profile,
    PublishError_Rejected,
    PublishError_Unavailable,
    Receipt,
    Saved,
    Unavailable,
)


class Publisher:
    def __init__(self, url: str):
        self.url = url

    @classmethod
    def open(cls, config: str, state: Saved | None) -> Self:
        return cls(settings.parse(config))

    def profile(self) -> Profile:
        return Profile(stateful=False, max_instances=1, flush_interval_ms=None, scrapes=False)

    def publish_event_metrics(self, metrics: EventMetrics) -> Receipt:
        return self._post([dictionary(Metrics_Event(metrics))])

    def publish_network_metrics(self, metrics: NetworkMetrics) -> Receipt:
        return self._post([dictionary(Metrics_Network(metrics))])

    def publish_batch(self, batch: Batch) -> Receipt:
        return self._post(dictionaries(batch))

    def flush(self) -> Flushed:
        return Flushed(pending=0, rejected=[], retry_after_ms=None, reason="")

    def close(self) -> Flushed:
        return self.flush()

    def snapshot(self) -> Saved | None:
        return None

    def scrape(self, accept: str) -> Exposition | None:
        return None

    def _post(self, entries: list[dict]) -> Receipt:
        if entries:
            try:
                status = post(self.url, "application/x-ndjson", b"".join(map(line, entries)))
            except RequestFailed as error:
                raise unavailable(str(error)) from error
            if status in (400, 413, 422):
                raise Err(PublishError_Rejected(f"{self.url} answered {status}"))
            if not 200 <= status < 300:
                raise unavailable(f"{self.url} answered {status}")
        return Receipt(accepted=len(entries), rejected=[], retryable=[], in_doubt=[], retry_after_ms=None)


def unavailable(reason: str) -> Err:
    return Err(PublishError_Unavailable(Unavailable(reason, retry_after_ms=None)))
