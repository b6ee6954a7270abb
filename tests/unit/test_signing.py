"""Which certificates and keys may sign, and what is said of those that may not."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from kit import certificates

from avatarlab_ops.cli import doctor
from avatarlab_ops.errors import InputError
from avatarlab_ops.trust import signing


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with chain.pem and key.pem that the environment names."""
    folder = signing.development(tmp_path)
    monkeypatch.setenv("AVATARLAB_SIGNING_CERTIFICATE", str(folder / "chain.pem"))
    monkeypatch.setenv("AVATARLAB_SIGNING_KEY", str(folder / "key.pem"))
    return folder


def test_the_development_chain_is_made_once_and_says_what_it_is(tmp_path: Path) -> None:
    first, second = signing.identity(tmp_path), signing.identity(tmp_path)
    assert first == second
    assert first is not None
    assert first.development
    assert "identifies nobody" in first.provider
    assert b"PRIVATE" not in repr(first).encode()


def test_ones_own_certificate_is_used(own: Path) -> None:
    who = signing.identity(own / "another home")
    assert who is not None
    assert not who.development


def test_a_certificate_without_its_key_is_half_a_signer(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AVATARLAB_SIGNING_KEY")
    with pytest.raises(InputError, match="AVATARLAB_SIGNING_KEY is not: set both"):
        signing.identity(own)


def test_a_key_of_another_certificate_is_refused(own: Path) -> None:
    (own / "key.pem").write_bytes(certificates.pem(ec.generate_private_key(ec.SECP256R1())))
    with pytest.raises(InputError, match="is not that of the first certificate"):
        signing.identity(own)


def test_an_expired_certificate_is_refused_by_name_and_date(own: Path) -> None:
    certificate, key = certificates.expired()
    (own / "chain.pem").write_bytes(certificate)
    (own / "key.pem").write_bytes(key)
    with pytest.raises(
        InputError, match=r"certificate of Yesterday Ltd is valid from .* not now: have it renewed"
    ):
        signing.identity(own)


def test_doctor_tells_whose_certificate_signs_and_what_is_wrong_with_it(own: Path, tmp_path: Path) -> None:
    def told() -> doctor.Finding:
        return next(one for one in doctor._machine(tmp_path) if one.name == "signing")

    assert (told().right, told().detail) == (True, f"{signing.DEVELOPMENT}, without a time stamp")
    for days, said in (
        (30, None),
        (20, "in 20 days; from then on"),
        (-1, "not now"),
    ):
        certificate, key = certificates.ending(days)
        (own / "chain.pem").write_bytes(certificate)
        (own / "key.pem").write_bytes(key)
        found = told()
        assert found.right == (said is None)
        assert said is None or (said in found.detail and "have it renewed" in found.detail)


def test_a_chain_must_lead_to_an_issuer(own: Path, tmp_path: Path) -> None:
    end = b"-----END CERTIFICATE-----\n"
    signer, _, _ = (own / "chain.pem").read_bytes().partition(end)
    (own / "chain.pem").write_bytes(signer + end)
    with pytest.raises(InputError, match="add those of its issuers"):
        signing.identity(own)
    _, _, issuers = (signing.development(tmp_path / "other") / "chain.pem").read_bytes().partition(end)
    (own / "chain.pem").write_bytes(signer + end + issuers)
    with pytest.raises(InputError, match="did not issue"):
        signing.identity(own)


@pytest.mark.parametrize("name", ["chain.pem", "key.pem"])
@pytest.mark.parametrize("content", [b"", b"a secret that is no PEM", None])
def test_what_is_no_pem_is_refused_without_a_word_of_it(own: Path, name: str, content: bytes | None) -> None:
    (own / name).unlink()
    if content is not None:
        (own / name).write_bytes(content)
    with pytest.raises(InputError, match=name) as refused:
        signing.identity(own)
    assert "secret" not in str(refused.value)


def test_a_weak_key_is_refused() -> None:
    with pytest.raises(InputError, match="RSA of 2048 bits"):
        signing._algorithm(rsa.generate_private_key(65537, 1024), Path("key.pem"))  # noqa: S505
