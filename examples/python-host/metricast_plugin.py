"""A metricast plugin in a Python program, by wasmtime: the program is the host.

`Plugin` opens a component that exports `metricast:publisher/publisher` and gives it records, one a call. As a program,
it publishes the lines of a file and prints what a scraper would get:

    metricast format records.ndjson > standard.ndjson
    python metricast_plugin.py prometheus.wasm standard.ndjson '{"extra_metrics": false}'
"""

import json
import sys

from wasmtime import Engine, Store, WasiConfig
from wasmtime.component import Component, Linker, Record, Variant

INTERFACE = "metricast:publisher/publisher@0.1.0"
EVENT = ("event_name", "task_id", "start_time", "end_time", "status", "error", "retry_count", "process_id")
NETWORK = ("operation", "task_id", "host", "port", "start_time", "end_time", "bytes_sent", "bytes_received", "error")


class PublishError(Exception):
    """What a plugin answers instead of a receipt: the case (`unavailable`) and its words."""


def wit_record(**fields):
    """A record as wasmtime takes it: its fields are named as in WIT, with hyphens."""
    record = Record()
    for name, value in fields.items():
        setattr(record, name.replace("_", "-"), value)
    return record


def wit_metrics(record, names):
    """A record in the standard form, as `metricast format` writes it. Numbers that WIT has as f64 must be floats."""
    own = {name: record.get(name) for name in names}
    own |= {name: float(own[name]) for name in ("start_time", "end_time") if own[name] is not None}
    attributes = record.get("attributes", {}).items()
    return wit_record(**own, attributes=[wit_record(key=key, value=value) for key, value in attributes])


class Plugin:
    """An open publisher. The plugin gets clocks, random numbers and HTTP to any address; no files, no environment."""

    def __init__(self, path, config):
        engine = Engine()
        self.store = Store(engine)
        wasi = WasiConfig()
        wasi.inherit_stderr()
        self.store.set_wasi(wasi)
        self.store.set_wasi_http()
        linker = Linker(engine)
        linker.add_wasip2()
        linker.add_wasi_http()
        self.instance = linker.instantiate(self.store, Component.from_file(engine, path))
        self.interface = self.instance.get_export_index(self.store, INTERFACE)
        if self.interface is None:
            raise ValueError(f"{path} exports no {INTERFACE}: is it a metricast plugin?")
        self.publisher = self._call("[static]publisher.open", json.dumps(config), None)

    def publish(self, record):
        """Publishes one record and returns the receipt."""
        if record["metric_type"] == "network":
            return self._method("publish-network-metrics", wit_metrics(record, NETWORK))
        return self._method("publish-event-metrics", wit_metrics(record, EVENT))

    def flush(self):
        """Sends what is due at an interval."""
        return self._method("flush")

    def scrape(self, accept="text/plain; version=0.0.4"):
        """What a scraper gets: bytes in the form that `accept` asks for; None where there is nothing to scrape."""
        exposition = self._method("scrape", accept)
        return None if exposition is None else bytes(exposition.body)

    def close(self):
        """Sends the last of it."""
        return self._method("close")

    def _method(self, name, *arguments):
        return self._call(f"[method]publisher.{name}", self.publisher, *arguments)

    def _call(self, name, *arguments):
        index = self.instance.get_export_index(self.store, name, self.interface)
        answer = self.instance.get_func(self.store, index)(self.store, *arguments)
        if isinstance(answer, Variant) and answer.tag == "ok":
            return answer.payload
        failure = answer.payload if isinstance(answer, Variant) and answer.tag == "err" else answer
        if isinstance(failure, Variant):
            words = getattr(failure.payload, "reason", failure.payload)
            raise PublishError(f"{failure.tag}: {words}")
        return answer


def main(path, records, config="{}"):
    plugin = Plugin(path, json.loads(config))
    with open(records, encoding="utf-8") as lines:
        for line in lines:
            receipt = plugin.publish(json.loads(line))
            if receipt.accepted != 1:
                sys.exit(f"not accepted: {line}{[rejection.reason for rejection in receipt.rejected]}")
    # A closed plugin has nothing more to say.
    exposition = plugin.scrape()
    left = plugin.close()
    if left.pending or left.rejected:
        sys.exit(f"not delivered: {left.pending}, given up: {[rejection.reason for rejection in left.rejected]}")
    sys.stdout.buffer.write(exposition or b"")


if __name__ == "__main__":
    main(*sys.argv[1:])
