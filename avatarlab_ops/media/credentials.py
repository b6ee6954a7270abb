"""What content credentials (C2PA) say of a file, and whether they still fit its bytes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from avatarlab_ops.canonical import Json
from avatarlab_ops.errors import MediaRefused
from avatarlab_ops.printable import printable

RENDER = "org.avatarlab.render"  # our assertion: provider, system, version, time, render id
TEXT = 200  # characters that are kept of what a stranger wrote
CODES = 20


@dataclass(frozen=True)
class Credentials:
    """The credentials of a file. Everything but `signed`, `trusted` and `intact` is the signer's own word.

    `signed`: the signature is that of the claim; `trusted`: by a certificate that leads to an anchor given;
    `intact`: the bytes are those that were signed.
    """

    signed: bool
    trusted: bool
    intact: bool
    manifest: str  # its label, urn:c2pa:...
    issuer: str
    serial: str  # of the signer's certificate, decimal
    signed_at: str | None  # by a time-stamp authority
    generator: str
    render: Json  # our assertion, {} in files of others
    failures: tuple[str, ...]  # C2PA's codes


def read(path: Path, sidecar: bytes | None = None, *, anchor: str = "") -> Credentials | None:
    """The credentials in a file, or in `sidecar` for a WebM; None where there are none.

    `anchor` is the PEM of a certificate to trust. Raises MediaRefused for what cannot be read as such.
    """
    import c2pa

    with path.open("rb") as file, c2pa.Context(_settings(anchor)) as context:
        try:
            reader = c2pa.Reader("video/webm" if sidecar else None, file, sidecar, context)
        except c2pa.C2paError.ManifestNotFound:
            return None
        except (c2pa.C2paError.NotSupported, c2pa.C2paError.Other) as error:
            if _unknown(error):
                return None
            raise MediaRefused(f"{path.name} has content credentials that cannot be read: {error}") from error
        except c2pa.C2paError as error:
            raise MediaRefused(f"{path.name} has content credentials that cannot be read: {error}") from error
        with reader:
            return _summary(json.loads(reader.json()))


def _settings(anchor: str) -> Any:
    """Nothing is fetched, whatever address a file names."""
    import c2pa

    trust = {"trust_anchors": anchor} if anchor else {}
    verify = {"verify_trust": bool(anchor), "remote_manifest_fetch": False, "ocsp_fetch": False}
    return c2pa.Settings.from_dict({"trust": trust, "verify": verify})


def _unknown(error: Exception) -> bool:
    """A format that has no place for credentials."""
    return any(said in str(error) for said in ("could not be parsed", "type is unsupported", "not supported"))


def _summary(store: Json) -> Credentials:
    manifest = store["manifests"][store["active_manifest"]]
    results = store.get("validation_results", {}).get("activeManifest", {})
    success = {one["code"] for one in results.get("success", ())}
    failures = tuple(dict.fromkeys(_text(one["code"]) for one in results.get("failure", ())))[:CODES]
    signature = manifest.get("signature_info") or {}
    generator = (manifest.get("claim_generator_info") or [{}])[0]
    return Credentials(
        signed="claimSignature.validated" in success,
        trusted="signingCredential.trusted" in success,
        intact=store.get("validation_state") in ("Valid", "Trusted"),
        manifest=_text(store["active_manifest"]),
        issuer=_text(signature.get("issuer") or signature.get("common_name") or "nobody"),
        serial=_text(signature.get("cert_serial_number") or ""),
        signed_at=_text(signature["time"]) if signature.get("time") else None,
        generator=_text(f"{generator.get('name', '')} {generator.get('version', '')}".strip()),
        render=_render(manifest),
        failures=failures,
    )


def _render(manifest: Json) -> Json:
    for assertion in manifest.get("assertions", ()):
        if assertion.get("label") == RENDER and isinstance(assertion.get("data"), dict):
            return {_text(k): _text(v) for k, v in list(assertion["data"].items())[:CODES]}
    return {}


def _text(value: object) -> str:
    return printable(str(value), TEXT)
