"""Leads a logged-in user from a render to its files, by an address of the object store that soon expires."""

from functools import cache
from typing import Any, Literal
from urllib.parse import urlsplit

from airflow.api_fastapi.core_api.datamodels.common import BaseModel as _  # noqa: F401  (loads Airflow's app first)
from airflow.api_fastapi.core_api.security import requires_access_dag
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from fastapi import Depends, FastAPI, HTTPException
from fastapi.responses import RedirectResponse

EXPIRES_S = 900

app = FastAPI(title="Avatarlab files", docs_url=None, redoc_url=None, openapi_url=None)


@cache
def _settings() -> Any:
    from avatarlab_ops.settings import Settings

    return Settings.from_env()


@cache
def _objects() -> Any:
    import boto3
    from botocore.config import Config

    settings = _settings()
    return boto3.client(
        "s3",
        endpoint_url=settings.s3_endpoint,
        aws_access_key_id=settings.s3_access_key,
        aws_secret_access_key=settings.s3_secret_key,
        region_name=settings.s3_region,
        config=Config(s3={"addressing_style": "path"}, signature_version="s3v4"),
    )


def _may_read(dag_id: str = "avatar_render") -> str:
    return dag_id


@app.get(
    "/renders/{render_id}/{file}",
    dependencies=[Depends(requires_access_dag("GET", DagAccessEntity.RUN))],
)
def published_file(render_id: str, file: Literal["video", "manifest"]) -> RedirectResponse:
    """Redirect to a presigned address of the render's video or manifest; 404 while it is not published."""
    from avatarlab_ops import pipeline
    from avatarlab_ops.errors import AvatarlabError

    try:
        result = pipeline.published(_settings(), render_id)
    except AvatarlabError as error:
        raise HTTPException(404, str(error)) from error
    if result is None:
        raise HTTPException(404, f"render {render_id} is not published")
    uri = urlsplit(result.video_uri if file == "video" else result.manifest_uri)
    address = _objects().generate_presigned_url(
        "get_object", Params={"Bucket": uri.netloc, "Key": uri.path.lstrip("/")}, ExpiresIn=EXPIRES_S
    )
    return RedirectResponse(address)
