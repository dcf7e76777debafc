"""Sizes, cold start and memory of metricast's components under the wasmtime command line.

    python measure.py WASMTIME COMPONENT...

For each component: its bytes, and gzipped; the seconds that `wasmtime compile` takes and the bytes of what it makes.
For a service also, with the compiled form: milliseconds from the start of the process to the first answer to
GET /healthz, milliseconds of a later request (each has an instance of its own), and the process's memory after it.
Each is the median of RUNS starts. Nothing is asked of the backend.
"""

import gzip
import http.client
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RUNS = 9
PATIENCE = 30


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def ask(port):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    connection.request("GET", "/healthz")
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status


def first_answer(port, process):
    end = time.monotonic() + PATIENCE
    while process.poll() is None and time.monotonic() < end:
        try:
            status = ask(port)
        except ConnectionError:
            time.sleep(0.001)
            continue
        if status != 200:
            sys.exit(f"GET /healthz is answered by {status}: put a config that can work into the service")
        return
    sys.exit("the host gave no answer")


def resident(process):
    """Resident memory in MiB: all of it, and the part that is not a mapped file."""
    status = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")
    sizes = dict(line.split(":", 1) for line in status.splitlines())
    return [int(sizes[name].split()[0]) / 1024 for name in ("VmRSS", "RssAnon")]


def host(wasmtime, compiled, port):
    command = [wasmtime, "serve", "-S", "cli", "--allow-precompiled", "--addr", f"127.0.0.1:{port}", compiled]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def serve(wasmtime, compiled):
    """Milliseconds to the first answer, of a later request; MiB of memory, MiB of it that is the process's own."""
    port = free_port()
    start = time.perf_counter()
    with host(wasmtime, compiled, port) as process:
        try:
            first_answer(port, process)
            cold = time.perf_counter() - start
            start = time.perf_counter()
            ask(port)
            return [1000 * cold, 1000 * (time.perf_counter() - start), *resident(process)]
        finally:
            process.terminate()


def is_service(wasmtime, compiled):
    """Whether `wasmtime serve` takes it."""
    with host(wasmtime, compiled, free_port()) as process:
        try:
            process.wait(timeout=1)
            return False
        except subprocess.TimeoutExpired:
            return True
        finally:
            process.terminate()


def main(wasmtime, *components):
    print("| component | KiB | gzipped | compile, s | compiled, KiB | cold start, ms | request, ms | MiB | own MiB |")
    print("|---|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for component in map(Path, components):
            compiled = Path(folder) / f"{component.stem}.cwasm"
            start = time.perf_counter()
            subprocess.run([wasmtime, "compile", component, "-o", compiled], check=True)
            seconds = time.perf_counter() - start
            wasm = component.read_bytes()
            cells = [f"{len(bytes) / 1024:,.0f}" for bytes in (wasm, gzip.compress(wasm))]
            cells += [f"{seconds:.1f}", f"{compiled.stat().st_size / 1024:,.0f}"]
            if is_service(wasmtime, compiled):
                runs = [serve(wasmtime, compiled) for _ in range(RUNS)]
                cells += [f"{statistics.median(figures):.1f}" for figures in zip(*runs)]
            else:
                cells += ["", "", "", ""]
            print(f"| {component.stem} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
