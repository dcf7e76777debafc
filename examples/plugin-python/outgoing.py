"""One HTTP request over wasi:http. It goes out only to origins that the config was granted."""

from urllib.parse import urlsplit

from componentize_py_types import Err
from wit_world.imports import outgoing_handler
from wit_world.imports.streams import StreamError_Closed
from wit_world.imports.wasi_http_types import (
    Fields,
    Method_Post,
    OutgoingBody,
    OutgoingRequest,
    Scheme_Http,
    Scheme_Https,
)


class RequestFailed(Exception):
    """There is no response; the text says why."""


def post(url: str, content_type: str, body: bytes) -> int:
    """Posts a body and returns the status of the response."""
    try:
        return _post(url, content_type, body)
    except Err as error:
        raise RequestFailed(f"{url}: {type(error.value).__name__.removeprefix('ErrorCode_')}") from error


def _post(url: str, content_type: str, body: bytes) -> int:
    parts = urlsplit(url)
    headers = [("content-type", content_type.encode()), ("content-length", str(len(body)).encode())]
    request = OutgoingRequest(Fields.from_list(headers))
    request.set_method(Method_Post())
    request.set_scheme(Scheme_Https() if parts.scheme == "https" else Scheme_Http())
    request.set_authority(parts.netloc)
    request.set_path_with_query((parts.path or "/") + (f"?{parts.query}" if parts.query else ""))
    outgoing = request.body()
    future = outgoing_handler.handle(request, None)
    _write(outgoing, body)
    with future.subscribe() as answered:
        answered.block()
    # A future's outer result says whether it was asked before, the inner one is the answer.
    answer = future.get().value
    if isinstance(answer, Err):
        raise answer
    with answer.value as response:
        return response.status()


def _write(outgoing: OutgoingBody, body: bytes) -> None:
    with outgoing.write() as stream, stream.subscribe() as ready:
        while body:
            room = stream.check_write()
            if room == 0:
                ready.block()
                continue
            stream.write(body[:room])
            body = body[room:]
        _flush(stream)
    OutgoingBody.finish(outgoing, None)


def _flush(stream) -> None:
    try:
        stream.blocking_flush()
    except Err as error:
        # The whole body is out and the other side has closed: the response says what it made of it.
        if not isinstance(error.value, StreamError_Closed):
            raise
