"""A metricast plugin in Python: posts records to a URL, one JSON object a line. examples/webhook is the same in Rust.

componentize-py looks for the interface's functions in the class `Publisher` of this module, and for the resource of the
same name in the module that is called like the interface: publisher.py.
"""

import json

import settings
from records import dictionary
from wit_world.imports.metricast_publisher_types import Description, Finding, Metrics, Snippet


class Publisher:
    def describe(self) -> Description:
        return Description("webhook-python", "0.1.0", json.dumps(settings.SCHEMA), [])

    def format_metrics(self, metrics: Metrics) -> str:
        return json.dumps(dictionary(metrics), ensure_ascii=False)

    def check(self, config: str) -> None:
        settings.parse(config)

    def probe(self, config: str) -> list[Finding]:
        settings.parse(config)
        return []

    def snippets(self, config: str) -> list[Snippet]:
        settings.parse(config)
        return []
