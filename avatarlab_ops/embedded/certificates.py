"""One certificate for the inside of a server: signed by itself; ports answer its holder alone."""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from avatarlab_ops.embedded.server import HOST, write_private

YEARS = 100  # nobody would renew it: it lives and ends with the state folder
ALLOWANCE = timedelta(days=1)  # for a clock that is set back


def ensure(folder: Path) -> tuple[Path, Path]:
    """Paths of (certificate, private key) in PEM, 0600, made at the first call.

    The certificate is its own authority and holds for loopback; server and client show the same one.
    """
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    if not (certificate.exists() and key.exists()):
        folder.mkdir(mode=0o700, exist_ok=True)
        issued, private = _issue()
        write_private(key, private)
        write_private(certificate, issued)
    return certificate, key


def _issue() -> tuple[str, str]:
    from cryptography import x509  # 0.1 s, at a first start only

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "avatarlab")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - ALLOWANCE)
        .not_valid_after(now + timedelta(days=365 * YEARS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(HOST))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return certificate.public_bytes(serialization.Encoding.PEM).decode(), private.decode()
