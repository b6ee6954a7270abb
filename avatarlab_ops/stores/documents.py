"""The document store: MongoDB collections with validators.

A document's `_id` is its identity; saving it twice is saving it once.
"""

from __future__ import annotations

import os

import pymongo
from bson.errors import BSONError
from pymongo import ASCENDING, IndexModel
from pymongo.database import Database
from pymongo.errors import DocumentTooLarge, OperationFailure, PyMongoError, WriteError
from pymongo.write_concern import WriteConcern

from avatarlab_ops.canonical import Json
from avatarlab_ops.errors import InvariantBroken, TransientError
from avatarlab_ops.settings import Settings
from avatarlab_ops.states import RATED

NAMESPACE_EXISTS = 48  # MongoDB's error code

SELECTION_MS = 3000  # a server that is down is known to be down after this long

_TEXT = {"bsonType": "string", "minLength": 1}
_DIGEST = {"bsonType": "string", "pattern": "^[0-9a-f]{64}$"}


def _schema(required: Json) -> Json:
    properties = {"_id": _TEXT, **required}
    return {"$jsonSchema": {"bsonType": "object", "required": list(required), "properties": properties}}


def _of_aspects(value: Json) -> Json:
    """Schema of an object that holds one `value` for each aspect of a video that can be rated."""
    properties: Json = dict.fromkeys(RATED, value)
    return {"bsonType": "object", "properties": properties, "additionalProperties": False}


VALIDATORS: dict[str, Json] = {
    # One whole provenance document per published video; _id is the render. No artifact is required by name: a
    # manifest that waits in the outbox while the code is changed has the stages of the code that wrote it.
    "manifests": _schema({
        "manifest_version": {"bsonType": "int"}, "render_id": _TEXT, "published_at": _TEXT,
        "request": {"bsonType": "object", "required": ["sha256", "body"]},
        "inputs": {"bsonType": "object", "required": ["avatar"]},
        "artifacts": {"bsonType": "object", "minProperties": 1},
        "outputs": {"bsonType": "object"}, "measures": {"bsonType": "object"},
        "code_version": _TEXT, "environment": {"bsonType": "object"},
    }),
    # When each sound of a script falls; _id is the fingerprint of the speech.
    "timelines": _schema({
        "duration_s": {"bsonType": ["double", "int"], "minimum": 0}, "language": _TEXT,
        "words": {"bsonType": "array"}, "phones": {"bsonType": "array"}, "visemes": {"bsonType": "array"},
    }),
    # What a stage measured and where it ran; _id is the fingerprint of its artifact.
    "stage_reports": _schema({
        "stage": _TEXT, "fingerprint": _DIGEST, "sha256": _DIGEST, "facts": {"bsonType": "object"},
        "compute_s": {"bsonType": ["double", "int"], "minimum": 0}, "environment": {"bsonType": "object"},
    }),
    # OpenLineage run events; _id is the render and the event.
    "lineage_events": _schema({
        "eventType": {"enum": ["START", "RUNNING", "COMPLETE", "ABORT", "FAIL", "OTHER"]}, "eventTime": _TEXT,
        "run": {"bsonType": "object", "required": ["runId"]},
        "job": {"bsonType": "object", "required": ["namespace", "name"]}, "producer": _TEXT,
    }),
    # What one caller thinks of one published video (feedback.py); _id is the render and the caller.
    "feedback": _schema({
        "render_id": _TEXT, "caller": _TEXT, "at": _TEXT,
        "ratings": _of_aspects({"bsonType": "int", "minimum": 1, "maximum": 5}) | {"required": ["video"]},
        "comments": _of_aspects(_TEXT | {"maxLength": 2000}),
        "engines": {"bsonType": "object"},
    }),
}  # fmt: skip

# What is searched besides `_id`.
INDEXES: dict[str, list[IndexModel]] = {
    "manifests": [IndexModel([("run_id", ASCENDING)]), IndexModel([("published_at", ASCENDING)])],
    "timelines": [],
    "stage_reports": [IndexModel([("stage", ASCENDING), ("engine.name", ASCENDING)])],
    "lineage_events": [IndexModel([("run.runId", ASCENDING), ("eventTime", ASCENDING)])],
    "feedback": [IndexModel([("render_id", ASCENDING), ("caller", ASCENDING)], unique=True)],
}


def answers(settings: Settings, patience_s: float) -> bool:
    """Whether a MongoDB that takes writes answers within about so many seconds."""
    ms = int(patience_s * 1000)
    try:
        with pymongo.MongoClient[Json](
            settings.mongo_uri, serverSelectionTimeoutMS=ms, connectTimeoutMS=ms, socketTimeoutMS=ms
        ) as client:
            client.admin.command("ping")
    except PyMongoError:  # also of a name that DNS does not know (mongodb+srv)
        return False
    return True


class Documents:
    """One MongoDB database. Instances may be shared by threads, not across a fork; see `documents`."""

    def __init__(self, settings: Settings) -> None:
        self._client: pymongo.MongoClient[Json] = pymongo.MongoClient(
            settings.mongo_uri, serverSelectionTimeoutMS=SELECTION_MS, connectTimeoutMS=SELECTION_MS
        )
        # Acknowledged by one member only, writes are lost when mongod is killed (shared/research/servers.md).
        self.database: Database[Json] = self._client.get_default_database("avatarlab").with_options(
            write_concern=WriteConcern(w="majority", wtimeout=10_000)
        )

    def close(self) -> None:
        """Drop the connections."""
        self._client.close()

    def create_collections(self) -> None:
        """Create the collections and indexes, or bring the validators to the newest version."""
        try:
            for name, validator in VALIDATORS.items():
                self._collection(name, validator)
                if INDEXES[name]:
                    self.database[name].create_indexes(INDEXES[name])
        except PyMongoError as error:
            raise TransientError(f"MongoDB did not answer: {error}") from error

    def _collection(self, name: str, validator: Json) -> None:
        try:  # not asked before: another process may create it in between
            self.database.create_collection(name, validator=validator, check_exists=False)
        except OperationFailure as error:
            if error.code != NAMESPACE_EXISTS:
                raise
            self.database.command("collMod", name, validator=validator)

    def save(self, collection: str, key: str, document: Json) -> None:
        """Write a document under its key, replacing an equal earlier one.

        Raises InvariantBroken when the validator refuses it, TransientError when the server is away.
        """
        if collection not in VALIDATORS:
            raise InvariantBroken(f"there is no collection {collection!r}; known: {', '.join(VALIDATORS)}")
        try:
            self.database[collection].replace_one({"_id": key}, document, upsert=True)
        except WriteError as error:
            raise InvariantBroken(f"{collection} refused the document {key}: {error.details}") from error
        except (BSONError, DocumentTooLarge, OverflowError) as error:
            raise InvariantBroken(f"{collection} cannot hold the document {key}: {error}") from error
        except (OperationFailure, PyMongoError) as error:
            raise TransientError(f"MongoDB did not answer: {error}") from error

    def find(self, collection: str, key: str) -> Json | None:
        """The document, None when there is none."""
        try:
            return self.database[collection].find_one({"_id": key})
        except PyMongoError as error:
            raise TransientError(f"MongoDB did not answer: {error}") from error

    def aggregate(self, collection: str, *steps: Json) -> list[Json]:
        """What an aggregation pipeline gives. Raises TransientError when the server is away."""
        try:
            return list(self.database[collection].aggregate(list(steps)))
        except PyMongoError as error:
            raise TransientError(f"MongoDB did not answer: {error}") from error


_stores: dict[tuple[int, str], Documents] = {}


def documents(settings: Settings) -> Documents:
    """One client per process and server; a forked child makes its own."""
    key = (os.getpid(), settings.mongo_uri)
    if key not in _stores:
        _stores[key] = Documents(settings)
    return _stores[key]
