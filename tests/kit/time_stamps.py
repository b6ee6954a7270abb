"""A time-stamp authority (RFC 3161) over HTTP: openssl answers, with a certificate made here."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

NAME = "Test time-stamp authority"
_POLICY = """
[tsa]
serial = {folder}/serial
crypto_device = builtin
signer_cert = {folder}/tsa.pem
certs = {folder}/root.pem
signer_key = {folder}/tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256, sha384, sha512
accuracy = secs:1
ess_cert_id_chain = no
ess_cert_id_alg = sha256
"""


@contextmanager
def authority(folder: Path) -> Iterator[str]:
    """The address of an authority that stamps until the block ends; its files lie in `folder`."""
    _certificates(folder)
    (folder / "serial").write_text("01\n")
    (folder / "policy.cnf").write_text(_POLICY.format(folder=folder))
    one_at_a_time = threading.Lock()

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            with one_at_a_time:
                asked = self.rfile.read(int(self.headers["Content-Length"]))
                stamp = _stamp(folder, asked)
            self.send_response(200)
            self.send_header("Content-Type", "application/timestamp-reply")
            self.send_header("Content-Length", str(len(stamp)))
            self.end_headers()
            self.wfile.write(stamp)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Tests' output stays readable."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def _stamp(folder: Path, asked: bytes) -> bytes:
    query, reply = folder / "query.tsq", folder / "reply.tsr"
    query.write_bytes(asked)
    command = ["openssl", "ts", "-reply", "-config", "policy.cnf", "-section", "tsa"]
    command += ["-queryfile", query.name, "-out", reply.name]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return reply.read_bytes()


def _certificates(folder: Path) -> None:
    root, own = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    issued = {"root.pem": _issue("root", root, root), "tsa.pem": _issue(NAME, own, root)}
    for name, certificate in issued.items():
        (folder / name).write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    (folder / "tsa.key").write_bytes(
        own.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    )


def _issue(
    name: str, key: ec.EllipticCurvePrivateKey, issuer: ec.EllipticCurvePrivateKey
) -> x509.Certificate:
    now, top = datetime.now(UTC), key is issuer
    called, by = (x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, one)]) for one in (name, "root"))
    usage = x509.KeyUsage(
        digital_signature=not top, key_cert_sign=top, crl_sign=top, content_commitment=False,
        key_encipherment=False, data_encipherment=False, key_agreement=False,
        encipher_only=False, decipher_only=False,
    )  # fmt: skip
    public, above = key.public_key(), issuer.public_key()
    built = x509.CertificateBuilder(by, called, public, x509.random_serial_number())
    built = built.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=30))
    built = built.add_extension(x509.BasicConstraints(ca=top, path_length=None), critical=True)
    built = built.add_extension(usage, critical=True)
    built = built.add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    built = built.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(above), critical=False)
    if not top:
        stamps = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING])
        built = built.add_extension(stamps, critical=True)
    return built.sign(issuer, hashes.SHA256())
