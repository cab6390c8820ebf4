"""The settings as they are now, each with where it comes from. They are read here and changed in the file."""

from fastapi import APIRouter
from starlette.responses import Response

from campaigns.execute import World
from campaigns.setting_sources import ENVIRONMENT, setting_lines
from campaigns.settings import SETTINGS_FILE
from studio.pages.shell import page
from studio.visit import Viewer


def settings_pages(world: World) -> APIRouter:
    """/settings."""
    pages = APIRouter()

    @pages.get("/settings")
    def settings(visit: Viewer) -> Response:
        return page(
            "settings.html",
            visit,
            lines=setting_lines(world.settings),
            file=world.settings.workspace / SETTINGS_FILE,
            environment=ENVIRONMENT,
        )

    return pages
