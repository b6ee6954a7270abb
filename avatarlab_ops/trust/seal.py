"""A signature beside what it signs, by the same key as content credentials, that any tool can check.

openssl x509 -in signer.pem -pubkey -noout > key.pem
openssl dgst -sha256 -verify key.pem -signature SHA256SUMS.sig SHA256SUMS     (for a P-256 key)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

from avatarlab_ops.errors import InputError
from avatarlab_ops.trust.signing import Identity, named

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes


def sign(content: bytes, signer: Identity) -> bytes:
    """The signature: ECDSA (SHA-256, 384 or 512, as long as the curve), Ed25519, or RSA-PSS with SHA-256."""
    key: PrivateKeyTypes = serialization.load_pem_private_key(signer.key, None)
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return key.sign(content, ec.ECDSA(_digest(key.curve.key_size)))
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign(content)
    assert isinstance(key, rsa.RSAPrivateKey)  # noqa: S101 (signing.identity refuses others)
    return key.sign(content, _pss(), _digest(256))


def check(content: bytes, signature: bytes, chain: bytes) -> tuple[str, str]:
    """(whose certificate signed, its serial number). Raises InputError for a signature over other content.

    `chain` is PEM, the signer's certificate first. Who it is, the reader has to know: anybody can make one.
    """
    try:
        own = x509.load_pem_x509_certificates(chain)[0]
        _verify(own.public_key(), content, signature)
    except (ValueError, InvalidSignature) as error:
        raise InputError("the signature does not match these bytes and the certificate beside it") from error
    return named(own), str(own.serial_number)


def _verify(key: PublicKeyTypes, content: bytes, signature: bytes) -> None:
    if isinstance(key, ec.EllipticCurvePublicKey):
        key.verify(signature, content, ec.ECDSA(_digest(key.curve.key_size)))
    elif isinstance(key, ed25519.Ed25519PublicKey):
        key.verify(signature, content)
    elif isinstance(key, rsa.RSAPublicKey):
        key.verify(signature, content, _pss(), _digest(256))
    else:
        raise ValueError(f"no signature is made with a key of {type(key).__name__}")


def _digest(bits: int) -> hashes.HashAlgorithm:
    return hashes.SHA256() if bits <= 256 else hashes.SHA384() if bits <= 384 else hashes.SHA512()


def _pss() -> padding.PSS:
    return padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.DIGEST_LENGTH)
