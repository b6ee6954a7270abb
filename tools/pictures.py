"""The Studio's pictures in docs/images: `make up` in a new state folder, then `python -m tools.pictures`.

studio-walk.webp leads from an upload to the playing video, studio.webp shows the video's page, verify.webp
what is told of that video once somebody has encoded it again and given it another sound.
"""

from __future__ import annotations

import io
import json
import shutil
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import FrameLocator, Page, ViewportSize, sync_playwright

from avatarlab_ops.embedded.supervisor import read_state
from avatarlab_ops.home import home_folder

ROOT = Path(__file__).parents[1]
INTO = ROOT / "docs" / "images"
WALK = ViewportSize(width=1180, height=760)  # pixels of the window
WIDTH = 900  # pixels of the animation
SCRIPT = (
    "Welcome to the Studio. One portrait and a few lines become a talking video, "
    "with captions, and with a record of all that made it."
)
PLAYED_S, FPS = 4.0, 5  # of the video, in the animation
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run"]


class Film:
    """Pictures of a page, each with the milliseconds that it stays."""

    def __init__(self, page: Page) -> None:
        self._page, self._frames, self._durations = page, list[Image.Image](), list[int]()

    def take(self, ms: int) -> None:
        """Add the page as it is now."""
        seen = Image.open(io.BytesIO(self._page.screenshot(animations="disabled"))).convert("RGB")
        self._frames.append(
            seen.resize((WIDTH, round(WIDTH * seen.height / seen.width)), Image.Resampling.LANCZOS)
        )
        self._durations.append(ms)

    def write(self, path: Path) -> None:
        """Write the animation, which begins anew after its end."""
        first, *others = self._frames
        first.save(
            path, save_all=True, append_images=others, duration=self._durations, loop=0, quality=70, method=6
        )


def main() -> None:
    """Take both pictures of the site of this state folder."""
    home = home_folder()
    password = json.loads((home / "airflow" / "passwords.json").read_text())["admin"]
    address = read_state(home)["address"]
    chromium = shutil.which("chromium")
    with sync_playwright() as play, play.chromium.launch(executable_path=chromium, args=FLAGS) as browser:
        page = browser.new_page(viewport=WALK, color_scheme="light")
        page.set_default_timeout(300_000)
        page.goto(f"{address}/auth/login/?next={address}/plugin/avatarlab")
        page.get_by_label("Username").fill("admin")
        page.locator("input[type=password]").fill(password)
        page.keyboard.press("Enter")
        film, studio = Film(page), page.frame_locator("iframe")
        compose(studio, film)
        watch(studio, film)
        film.write(INTO / "studio-walk.webp")
        page.set_viewport_size({"width": 1440, "height": 900})
        photograph(page, INTO / "studio.webp")
        with tempfile.TemporaryDirectory() as folder:
            with page.expect_download() as coming:
                studio.get_by_role("link", name="Video", exact=True).click()
            coming.value.save_as(published := Path(folder) / "published.mp4")
            studio.get_by_role("link", name="Verify").click()
            check(studio, dubbed(published, Path(folder) / "from-the-web.mp4"))
            photograph(page, INTO / "verify.webp")


def compose(studio: FrameLocator, film: Film) -> None:
    """From the list of videos to the button that makes one, with a portrait brought on the way."""
    studio.get_by_role("heading", name="Videos").wait_for()
    film.take(1200)
    studio.get_by_role("link", name="Make a video").first.click()
    studio.get_by_role("button", name="Add a portrait or clip").click()
    studio.get_by_label("Portrait or clip", exact=True).set_input_files(ROOT / "demo" / "astronaut.png")
    studio.get_by_label("Who is shown?").fill("Eileen Collins")
    studio.get_by_label("Or the licence").fill("Public domain, NASA")
    film.take(2000)
    studio.get_by_role("button", name="Add", exact=True).click()
    studio.locator("dialog:not([open])").first.wait_for(state="attached")
    studio.get_by_label("What should be said?").fill(SCRIPT)
    studio.get_by_alt_text("The first frame of the video").wait_for()
    studio.get_by_text("of work").wait_for()
    film.take(2500)


def watch(studio: FrameLocator, film: Film) -> None:
    """From that button to the playing video: a picture for each step that is done, then the film itself."""
    studio.get_by_role("button", name="Make the video").click()
    done, video = studio.locator(".steps .done, .steps .cached"), studio.locator(".stage video")
    for steps in range(1, 6):
        done.nth(steps - 1).or_(video).first.wait_for()
        if video.count():
            break
        film.take(900)
    video.wait_for()
    for frame in range(round(PLAYED_S * FPS)):
        video.evaluate(
            "(video, at) => new Promise((done) => { video.onseeked = done; video.currentTime = at; })",
            frame / FPS,
        )
        film.take(round(1000 / FPS))
    film.take(2500)


def dubbed(source: Path, target: Path) -> Path:
    """The video as it may come back: its picture encoded again, its sound played backwards."""
    import av

    with av.open(str(source)) as given, av.open(str(target), "w") as made:
        first = given.streams.video[0]
        shown = made.add_stream("libx264", rate=25, options={"crf": "28"})
        shown.width, shown.height, shown.pix_fmt = first.width, first.height, "yuv420p"
        heard = made.add_stream("aac", rate=48_000, layout="mono")
        blocks = []
        for frame in given.decode():
            if isinstance(frame, av.AudioFrame):
                blocks.append(frame.to_ndarray().mean(axis=0))
            elif isinstance(frame, av.VideoFrame):
                frame.pict_type = 0
                made.mux(shown.encode(frame))
        backwards = np.ascontiguousarray(np.concatenate(blocks)[None, ::-1], np.float32)
        sound = av.AudioFrame.from_ndarray(backwards, "fltp", "mono")
        sound.sample_rate = 48_000
        for block in av.AudioResampler("fltp", "mono", 48_000, frame_size=1024).resample(sound):
            made.mux(heard.encode(block))
        made.mux([*shown.encode(None), *heard.encode(None)])
    return target


def check(studio: FrameLocator | Page, file: Path) -> None:
    """Ask on the page of verification what a file is."""
    studio.get_by_label("Video, poster or captions").set_input_files(file)
    studio.get_by_role("button", name="Look at it").click()
    studio.get_by_role("heading", name="What was looked at").wait_for()


def photograph(page: Page, path: Path) -> None:
    """The page as it is."""
    seen = Image.open(io.BytesIO(page.screenshot(animations="disabled"))).convert("RGB")
    seen.save(path, quality=82, method=6)


if __name__ == "__main__":
    main()
