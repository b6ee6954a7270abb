"""The tables. Times are UTC; lengths in seconds; digests are sha256 in hex.

One module for each kind of record; all of them are loaded together, so that they know each other.
"""

from __future__ import annotations

from avatarlab_ops.stores.catalog.tables.base import (
    ASKED,
    AT_WORK,
    CONSENT_KINDS,
    DUE,
    HELD,
    LIVE_STATES,
    SHARED_KINDS,
    SOURCE_KINDS,
    WAITING,
    Base,
)
from avatarlab_ops.stores.catalog.tables.made import (
    Artifact,
    ArtifactInput,
    EngineVersion,
    EngineWeight,
    PicturePrint,
    SoundPrint,
)
from avatarlab_ops.stores.catalog.tables.outgoing import (
    Outbox,
    RenderOrder,
    WebhookCallback,
    WebhookDelivery,
    WebhookEndpoint,
)
from avatarlab_ops.stores.catalog.tables.people import Consent, InputObject, InputOwner, Share, Tombstone
from avatarlab_ops.stores.catalog.tables.renders import (
    BulkItem,
    BulkRun,
    Progress,
    PublishedFile,
    Rate,
    Render,
    RenderConsent,
    RenderInput,
    RenderTag,
    Request,
    StageRun,
    VideoSource,
)

__all__ = [
    "ASKED",
    "AT_WORK",
    "CONSENT_KINDS",
    "DUE",
    "HELD",
    "LIVE_STATES",
    "SHARED_KINDS",
    "SOURCE_KINDS",
    "WAITING",
    "Artifact",
    "ArtifactInput",
    "Base",
    "BulkItem",
    "BulkRun",
    "Consent",
    "EngineVersion",
    "EngineWeight",
    "InputObject",
    "InputOwner",
    "Outbox",
    "PicturePrint",
    "Progress",
    "PublishedFile",
    "Rate",
    "Render",
    "RenderConsent",
    "RenderInput",
    "RenderOrder",
    "RenderTag",
    "Request",
    "Share",
    "SoundPrint",
    "StageRun",
    "Tombstone",
    "VideoSource",
    "WebhookCallback",
    "WebhookDelivery",
    "WebhookEndpoint",
]
