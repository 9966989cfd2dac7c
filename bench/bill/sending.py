"""The CPU of sending a request to AWS over TLS and receiving its response: `python -m bench.bill.sending SECONDS`.

Prints microseconds. Replays leave it out, of our requests and of the floor's. A server on loopback with a certificate
of its own answers; botocore's HTTP layer sends over one connection that stays open, as in a warm function.
"""

from __future__ import annotations

import socket
import ssl
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from botocore.awsrequest import AWSPreparedRequest
from botocore.httpsession import URLLib3Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

ROUND: Final = 50
HOST: Final = "localhost"

_BODY: Final = b"x" * 600
_HEADERS: Final = {
    "Content-Type": "application/x-amz-json-1.0",
    "X-Amz-Target": "DynamoDB_20120810.PutItem",
    "User-Agent": "Botocore/1.43.0 Python/3.12.0 Linux/5.10",
    "X-Amz-Date": "20270115T080000Z",
    "X-Amz-Security-Token": "t" * 900,
    "Authorization": "AWS4-HMAC-SHA256 " + "a" * 260,
    "Content-Length": str(len(_BODY)),
}
"""A request as large as that of a step, with the token of a function's role."""

_ANSWER: Final = (
    b"HTTP/1.1 200 OK\r\nServer: Server\r\nDate: Fri, 15 Jan 2027 08:00:00 GMT\r\nConnection: keep-alive\r\n"
    b"Content-Type: application/x-amz-json-1.0\r\nContent-Length: 500\r\nx-amzn-RequestId: " + b"R" * 52 + b"\r\n"
    b"x-amz-crc32: 2745614147\r\n\r\n" + b"x" * 500
)


def _certificate(folder: Path) -> Path:
    """Write a key and a certificate of it into one file."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, HOST)])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = folder / "certificate.pem"
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path


def _serve(listening: socket.socket, certificate: Path) -> None:
    """Answer the requests of one connection."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with context.wrap_socket(listening.accept()[0], server_side=True) as connection:
        received = b""
        while more := connection.recv(65_536):
            received += more
            if received.partition(b"\r\n\r\n")[2][len(_BODY) - 1 :]:
                connection.sendall(_ANSWER)
                received = b""


@contextmanager
def _server(certificate: Path) -> Iterator[int]:
    """Run the server in a process of its own; provide its port."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        serving = get_context("fork").Process(target=_serve, args=(listening, certificate), daemon=True)
        serving.start()
        yield listening.getsockname()[1]
        serving.terminate()
        serving.join()


def main(seconds: float) -> None:
    with TemporaryDirectory() as folder:
        certificate = _certificate(Path(folder))
        with _server(certificate) as port:
            session, best = URLLib3Session(verify=str(certificate)), float("inf")
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                begun = time.process_time()
                for _ in range(ROUND):
                    request = AWSPreparedRequest("POST", f"https://{HOST}:{port}/", dict(_HEADERS), _BODY, False)
                    if session.send(request).status_code != 200:
                        raise RuntimeError("the server refused the request")
                best = min(best, (time.process_time() - begun) / ROUND)
    print(round(best * 1e6))  # noqa: T201


if __name__ == "__main__":
    main(float(sys.argv[1]))
