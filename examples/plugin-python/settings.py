"""The config: one URL."""

import json
from urllib.parse import urlsplit

from componentize_py_types import Err
from wit_world.imports.metricast_publisher_types import PublishError_Misconfigured

SCHEMA = {
    "type": "object",
    "required": ["url"],
    "additionalProperties": False,
    "properties": {"url": {"type": "string", "format": "uri", "description": "Where records are posted."}},
}


def misconfigured(text: str) -> Err:
    return Err(PublishError_Misconfigured(text))


def parse(config: str) -> str:
    """The URL of a config."""
    try:
        settings = json.loads(config)
    except ValueError as error:
        raise misconfigured(f"this is no JSON: {error}") from error
    if not isinstance(settings, dict):
        raise misconfigured('a JSON object is wanted, such as {"url": "http://127.0.0.1:8080/in"}')
    for key in settings:
        if key != "url":
            raise misconfigured(f"{key}: unknown key; did you mean `url`?")
    url = settings.get("url")
    if not isinstance(url, str) or urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).netloc:
        raise misconfigured("url: is needed, and is a whole address such as http://127.0.0.1:8080/in")
    return url
