"""Certificates that may not sign."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID


def expired() -> tuple[bytes, bytes]:
    """A certificate of Yesterday Ltd, over since yesterday, and its key: PEM."""
    return ending(-1)


def ending(days: int) -> tuple[bytes, bytes]:
    """A chain (a certificate of Yesterday Ltd that ends in so many days, its own issuer) and its key: PEM."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Yesterday Ltd")])
    built = x509.CertificateBuilder(name, name, key.public_key(), 7)
    since, until = now - timedelta(days=9), now + timedelta(days=days, minutes=1)
    built = built.not_valid_before(since).not_valid_after(until)
    certificate = built.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    return certificate * 2, pem(key)


def pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    """A key in PEM (PKCS#8)."""
    none = serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, none)
