"""Who signs: a certificate and its key from the environment, else a development chain of this machine.

The development chain is made at the first call and kept in the state folder; it says in its name that it
identifies nobody. A key is read where it is used and stays in this process.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.x509 import Certificate
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from avatarlab_ops import environment
from avatarlab_ops.errors import InputError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

FOLDER = "signing"  # in the state folder: the development chain, 0700
CHAIN, KEY = "chain.pem", "key.pem"
DEVELOPMENT = "Avatarlab development certificate (identifies nobody)"
YEARS = 10
_CURVES = {"secp256r1": "es256", "secp384r1": "es384", "secp521r1": "es512"}


@dataclass(frozen=True, repr=False)
class Identity:
    """A signer. `provider` is the organisation, else the name, in its certificate."""

    chain: bytes  # PEM, the signer's own certificate first
    key: bytes  # PEM (PKCS#8), secret
    algorithm: str  # as C2PA calls it
    provider: str
    serial: str  # of the certificate, decimal
    anchor: str  # PEM of the last certificate of the chain
    development: bool
    timestamp_url: str | None


def identity(home: Path) -> Identity | None:
    """Who signs what is published now; None where the policy is not to sign.

    Raises InputError for a certificate that is missing, has expired or is not that of the key.
    """
    known = environment.read()
    if known.content_credentials == "off":
        return None
    certificate, key = known.signing_certificate, known.signing_key
    if (certificate is None) is not (key is None):
        given, absent = ("CERTIFICATE", "KEY") if key is None else ("KEY", "CERTIFICATE")
        raise InputError(f"AVATARLAB_SIGNING_{given} is set, but AVATARLAB_SIGNING_{absent} is not: set both")
    if certificate is None or key is None:
        folder = development(home)
        return _load(folder / CHAIN, folder / KEY, development=True, timestamp_url=known.timestamp_url)
    return _load(certificate, key, development=False, timestamp_url=known.timestamp_url)


def expires(home: Path) -> datetime | None:
    """When the first certificate of the signer's chain ends; None where nobody signs, or none is made yet.

    Raises InputError for a file that holds none.
    """
    known = environment.read()
    chain = known.signing_certificate or home / FOLDER / CHAIN
    made = known.signing_certificate is not None or chain.exists()
    if known.content_credentials == "off" or not made:
        return None
    return min(one.not_valid_after_utc for one in _certificates(chain))


def _load(certificate: Path, key: Path, *, development: bool, timestamp_url: str | None) -> Identity:
    issued, private = _certificates(certificate), _private(key)
    own = issued[0]
    if own.public_key() != private.public_key():
        raise InputError(f"the key in {key} is not that of the first certificate in {certificate}")
    _check_chain(issued, certificate)
    pem = [one.public_bytes(serialization.Encoding.PEM) for one in issued]
    return Identity(
        chain=b"".join(pem),
        key=private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ),
        algorithm=_algorithm(private, key),
        provider=named(own),
        serial=str(own.serial_number),
        anchor=pem[-1].decode(),
        development=development,
        timestamp_url=timestamp_url,
    )


def _certificates(path: Path) -> list[Certificate]:
    try:
        return x509.load_pem_x509_certificates(_read(path))
    except ValueError as error:
        raise InputError(
            f"{path} holds no certificate: give a PEM file, the signer's certificate first"
        ) from error


def _private(path: Path) -> PrivateKeyTypes:
    try:
        return serialization.load_pem_private_key(_read(path), password=None)
    except (ValueError, TypeError):  # its message may quote the file
        raise InputError(
            f"{path} holds no private key without a password: give a PEM file (PKCS#8)"
        ) from None


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(
            f"{path} cannot be read ({error.strerror}): nothing can be signed without it"
        ) from error


def _check_chain(chain: list[Certificate], path: Path) -> None:
    now = datetime.now(UTC)
    for one in chain:
        if not one.not_valid_before_utc <= now < one.not_valid_after_utc:
            raise InputError(
                f"{path}: the certificate of {named(one)} is valid from {one.not_valid_before_utc:%Y-%m-%d} "
                f"to {one.not_valid_after_utc:%Y-%m-%d}, not now: have it renewed"
            )
    if len(chain) == 1:
        raise InputError(f"{path} holds one certificate: add those of its issuers after it")
    for one, issuer in pairwise(chain):
        try:
            one.verify_directly_issued_by(issuer)
        except (ValueError, TypeError, InvalidSignature) as error:
            raise InputError(
                f"{path}: the certificate of {named(issuer)} did not issue that of {named(one)} before it; "
                "put each certificate before its issuer's"
            ) from error


def named(certificate: Certificate) -> str:
    """Whose it is: the organisation, else the common name."""
    for name in (NameOID.ORGANIZATION_NAME, NameOID.COMMON_NAME):
        if found := certificate.subject.get_attributes_for_oid(name):
            return str(found[0].value)
    return "nobody"


def _algorithm(key: PrivateKeyTypes, path: Path) -> str:
    if isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name in _CURVES:
        return _CURVES[key.curve.name]
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return "ed25519"
    if isinstance(key, rsa.RSAPrivateKey) and key.key_size >= 2048:
        return "ps256"
    raise InputError(
        f"C2PA has no signature for the key in {path}: use P-256, P-384, P-521, Ed25519 or RSA of 2048 bits"
    )


def development(home: Path) -> Path:
    """The folder of this machine's development chain, made at the first call, whole or not at all."""
    folder = home / FOLDER
    if folder.is_dir():
        return folder
    home.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{FOLDER}-", dir=home))
    try:
        for name, content in zip((CHAIN, KEY), _issue(), strict=True):
            (draft / name).touch(mode=0o600)
            (draft / name).write_bytes(content)
        os.rename(draft, folder)
    except OSError:  # another process was faster
        if not folder.is_dir():
            raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return folder


def _issue() -> tuple[bytes, bytes]:
    """(chain, key) in PEM: an authority that signs once and is forgotten, and what it signs."""
    authority, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    chain = (
        _certificate("signer", key, authority, authority=False),
        _certificate("authority", authority, authority, authority=True),
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return b"".join(one.public_bytes(serialization.Encoding.PEM) for one in chain), private


def _certificate(
    name: str, key: EllipticCurvePrivateKey, issuer: EllipticCurvePrivateKey, *, authority: bool
) -> Certificate:
    """With the extensions that C2PA 2.2, section 14.5, asks of a signer."""
    now = datetime.now(UTC)
    usage = x509.KeyUsage(
        digital_signature=not authority, key_cert_sign=authority, crl_sign=authority,
        content_commitment=False, key_encipherment=False, data_encipherment=False, key_agreement=False,
        encipher_only=False, decipher_only=False,
    )  # fmt: skip
    built = (
        x509.CertificateBuilder(
            _name("authority"), _name(name), key.public_key(), x509.random_serial_number()
        )
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=365 * YEARS))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.public_key()), critical=False
        )
    )
    if not authority:
        built = built.add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=True
        )
    return built.sign(issuer, hashes.SHA256())


def _name(what: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, DEVELOPMENT),
            x509.NameAttribute(NameOID.COMMON_NAME, f"avatarlab development {what}"),
        ]
    )
