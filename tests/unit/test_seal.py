"""A detached signature holds for its content alone, whatever kind of key signs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID

from avatarlab_ops.errors import InputError
from avatarlab_ops.trust import seal
from avatarlab_ops.trust.signing import Identity

KEYS = {
    "P-256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "P-521": lambda: ec.generate_private_key(ec.SECP521R1()),
    "Ed25519": ed25519.Ed25519PrivateKey.generate,
    "RSA": lambda: rsa.generate_private_key(65537, 2048),
}


@pytest.mark.parametrize("kind", KEYS)
def test_what_was_signed_and_nothing_else(kind: str) -> None:
    key, now = KEYS[kind](), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Harbour Ltd")])
    built = x509.CertificateBuilder(name, name, key.public_key(), 7).not_valid_before(now)
    digest = None if kind == "Ed25519" else hashes.SHA256()
    issued = built.not_valid_after(now + timedelta(days=1)).sign(key, digest)
    chain = issued.public_bytes(serialization.Encoding.PEM)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    signer = Identity(chain, pem, "", "Harbour Ltd", "7", "", development=False, timestamp_url=None)
    signature = seal.sign(b"these words", signer)
    assert seal.check(b"these words", signature, chain) == ("Harbour Ltd", "7")
    with pytest.raises(InputError, match="does not match these bytes"):
        seal.check(b"those words", signature, chain)
