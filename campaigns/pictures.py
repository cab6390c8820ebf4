"""A picture for every product: those without one get one drawn, once, kept in the workspace."""

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from sqlalchemy import update
from sqlmodel import Session, col, select

from engine.catalog import Product
from engine.render.images import draw_product_image, image_name

FEW = 200  # below that, starting processes takes longer than drawing (5 ms a picture)
BATCH = 200

Progress = Callable[[int, int], None]
"""Called with (pictures done, pictures in all)."""


def draw_missing(session: Session, media: Path, *, progress: Progress | None = None) -> int:
    """Draw a picture for each product that has none, and remember where it is; commits in batches.

    Also draws again what was deleted from the folder. A kill loses at most one batch. Returns how many were drawn.
    """
    media.mkdir(parents=True, exist_ok=True)
    products = session.exec(select(Product).order_by(col(Product.sku_id))).all()
    wanted = [
        (product, path)
        for product in products
        if (not product.image_link or product.image_link.startswith("media/"))
        and not ((path := media / image_name(product.title, product.family)).exists() and product.image_link)
    ]
    jobs = [(product.title, product.family, str(path)) for product, path in wanted]
    for done, _ in enumerate(_drawn(jobs), start=1):
        if done % BATCH == 0 or done == len(wanted):
            _remember(session, wanted[(done - 1) // BATCH * BATCH : done])
            if progress:
                progress(done, len(wanted))
    return len(wanted)


def draw_to(job: tuple[str, str, str]) -> None:
    """Draw one picture to its file, complete or not there at all. job: (title, family, path)."""
    title, family, name = job
    path = Path(name)
    if path.exists():
        return
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.write_bytes(draw_product_image(title, family))
    fresh.replace(path)


def _drawn(jobs: list[tuple[str, str, str]]) -> Iterator[None]:
    if len(jobs) < FEW:
        yield from map(draw_to, jobs)
        return
    # spawn: a forked child of a process with threads (numpy's) may hang
    with ProcessPoolExecutor(max_workers=os.cpu_count(), mp_context=get_context("spawn")) as pool:
        yield from pool.map(draw_to, jobs, chunksize=20)


def _remember(session: Session, drawn: Iterable[tuple[Product, Path]]) -> None:
    for product, path in drawn:
        session.execute(
            update(Product).where(col(Product.sku_id) == product.sku_id).values(image_link=f"media/{path.name}")
        )
    session.commit()
