"""Records as Python sees them: rows of the packed batch, and the standard dictionary."""

import json
from datetime import datetime, timedelta, timezone
from math import isnan

from wit_world.imports.metricast_publisher_types import (
    Attribute,
    Batch,
    EventMetrics,
    Metrics,
    Metrics_Event,
    Metrics_Network,
    NetworkMetrics,
)

ABSENT = 0xFFFFFFFF
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def dictionary(metrics: Metrics) -> dict:
    """The standard dictionary of a record (see `format-metrics` in wit/publisher.wit)."""
    match metrics:
        case Metrics_Event(event):
            return _whole("event", _event_fields(event), event)
        case Metrics_Network(network):
            return _whole("network", _network_fields(network), network)


def dictionaries(batch: Batch) -> list[dict]:
    """The standard dictionary of every record of a batch, by index: events first, then networks."""
    rows = _Rows(batch)
    return [dictionary(rows.event(row)) for row in range(rows.event_count)] + [
        dictionary(rows.network(row)) for row in range(len(batch.networks.operation))
    ]


def line(entry: dict) -> bytes:
    """A dictionary as one line of JSON."""
    return json.dumps(entry, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _event_fields(event: EventMetrics) -> dict:
    return {
        "event_name": event.event_name,
        "task_id": event.task_id,
        "start_time": event.start_time,
        "end_time": event.end_time,
        "status": event.status,
        "error": event.error,
        "retry_count": event.retry_count,
        "process_id": event.process_id,
    }


def _network_fields(network: NetworkMetrics) -> dict:
    return {
        "operation": network.operation,
        "task_id": network.task_id,
        "host": network.host,
        "port": network.port,
        "start_time": network.start_time,
        "end_time": network.end_time,
        "bytes_sent": network.bytes_sent,
        "bytes_received": network.bytes_received,
        "error": network.error,
    }


def _whole(kind: str, fields: dict, record: EventMetrics | NetworkMetrics) -> dict:
    if record.attributes:
        fields["attributes"] = {attribute.key: attribute.value for attribute in record.attributes}
    start, end = record.start_time, record.end_time
    fields["timestamp"] = _rfc3339(start if end is None else end)
    fields["metric_type"] = kind
    if end is not None:
        fields["duration"] = end - start
    return fields


def _rfc3339(seconds: float) -> str:
    whole = int(seconds)
    time = EPOCH + timedelta(seconds=whole, microseconds=int((seconds - whole) * 1e6 + 0.5))
    return time.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class _Rows:
    """Reads the columns of a batch record by record."""

    def __init__(self, batch: Batch):
        self.batch = batch
        ends, text = batch.ends, batch.text
        # String i is text[ends[i-1]:ends[i]]; string 0 is empty.
        self.strings = [text[start:end].decode() for start, end in zip([0, *ends], ends)]
        self.event_count = len(batch.events.event_name)

    def event(self, row: int) -> Metrics_Event:
        columns = self.batch.events
        return Metrics_Event(
            EventMetrics(
                event_name=self.strings[columns.event_name[row]],
                task_id=self.strings[columns.task_id[row]],
                start_time=columns.start_time[row],
                end_time=_time(columns.end_time[row]),
                status=self.strings[columns.status[row]],
                error=self._optional(columns.error[row]),
                retry_count=columns.retry_count[row],
                process_id=_number(columns.process_id[row]),
                attributes=self._attributes(row),
            )
        )

    def network(self, row: int) -> Metrics_Network:
        columns = self.batch.networks
        return Metrics_Network(
            NetworkMetrics(
                operation=self.strings[columns.operation[row]],
                task_id=self._optional(columns.task_id[row]),
                host=self.strings[columns.host[row]],
                port=columns.port[row],
                start_time=columns.start_time[row],
                end_time=_time(columns.end_time[row]),
                bytes_sent=columns.bytes_sent[row],
                bytes_received=columns.bytes_received[row],
                error=self._optional(columns.error[row]),
                attributes=self._attributes(self.event_count + row),
            )
        )

    def _optional(self, index: int) -> str | None:
        return None if index == ABSENT else self.strings[index]

    def _attributes(self, index: int) -> list[Attribute]:
        attributes = self.batch.attributes
        start = attributes.row_ends[index - 1] if index else 0
        pairs = slice(start, attributes.row_ends[index])
        return [
            Attribute(self.strings[key], self.strings[value])
            for key, value in zip(attributes.keys[pairs], attributes.values[pairs])
        ]


def _time(seconds: float) -> float | None:
    return None if isnan(seconds) else seconds


def _number(value: int) -> int | None:
    return None if value == ABSENT else value
