"""What Avatarlab adds to Airflow: the Studio, links from the publish task to the video and its manifest, the
reason of a failure as its run's note, and what tasks weigh.

Airflow imports this file in every component, so it stays light; the small web part behind the links is
loaded by the api-server only (`plugins/avatarlab_web`, which `.airflowignore` hides from the plugin search).
"""

import sys
from typing import Any, ClassVar
from urllib.parse import urlsplit

import avatarlab_notes
import avatarlab_weights
from airflow.plugins_manager import AirflowPlugin
from airflow.sdk import BaseOperatorLink
from airflow.sdk.configuration import conf

from avatarlab_ops.places import ADMIT_TASK, RENDER_ID

PREFIX = "/avatarlab"


class _PublishedFile(BaseOperatorLink):
    """Address, under Airflow's own, that leads a logged-in user to one file of a published render."""

    file: ClassVar[str]

    def get_link(self, operator: Any, *, ti_key: Any) -> str:  # noqa: ARG002
        """Return the address; "" while nothing is published. `ti_key` is the running task instance."""
        render_id = ti_key.xcom_pull(task_ids=ADMIT_TASK, key=RENDER_ID)
        base = str(conf.get("api", "base_url")).rstrip("/")
        return f"{base}{PREFIX}/renders/{render_id}/{self.file}" if render_id else ""


class VideoLink(_PublishedFile):
    """The published video."""

    name = "Video"
    file = "video"


class ManifestLink(_PublishedFile):
    """The manifest: what the video was made of."""

    name = "Manifest"
    file = "manifest"


def _views() -> list[dict[str, Any]]:
    """The Studio in Airflow's navigation, and a run's video as a tab of its page.

    By path, not by host: under another name of this host a browser would send no login.
    """
    studio = urlsplit(conf.get("api", "base_url", fallback="") or "").path.rstrip("/") + PREFIX
    look = {"icon": f"{studio}/static/icon.svg"}
    return [
        {"name": "Avatarlab", "href": f"{studio}/", "destination": "nav", "url_route": "avatarlab",
         "nav_top_level": True, **look},
        {"name": "Video", "href": f"{studio}/runs/{{RUN_ID}}?dag={{DAG_ID}}", "destination": "dag_run",
         "url_route": "video", **look},
    ]  # fmt: skip


class AvatarlabPlugin(AirflowPlugin):
    """Registers the links, the listener and, in the api-server, the Studio."""

    name = "avatarlab"
    operator_extra_links = [VideoLink(), ManifestLink()]  # noqa: RUF012
    fastapi_apps = []  # noqa: RUF012
    fastapi_root_middlewares = []  # noqa: RUF012
    listeners = [avatarlab_notes]  # noqa: RUF012
    priority_weight_strategies = [avatarlab_weights.PeopleFirst]  # noqa: RUF012
    external_views = _views()

    @classmethod
    def on_load(cls, *_: Any, **__: Any) -> None:
        """Load the web part where there is a web server."""
        if "airflow.api_fastapi.app" in sys.modules and not cls.fastapi_apps:
            from avatarlab_web.app import app
            from avatarlab_web.door import StrictRuns

            cls.fastapi_apps.append({"app": app, "url_prefix": PREFIX, "name": "Avatarlab"})
            cls.fastapi_root_middlewares.append(
                {"middleware": StrictRuns, "args": [], "kwargs": {}, "name": "Avatarlab's runs"}
            )
