"""Where a page finds the picture of a product."""

DRAWN = "media/"  # what the address of a picture begins with that we drew


def picture(image_link: str) -> str:
    """The address for a page; empty where the feed gave none, or something that is no picture of the web.

    >>> picture("media/oat-balm.png"), picture("https://shop.example/balm.jpg"), picture("javascript:alert(1)")
    ('/media/oat-balm.png', 'https://shop.example/balm.jpg', '')
    """
    if image_link.startswith(DRAWN):
        return f"/{image_link}"
    return image_link if image_link.startswith(("https://", "http://")) else ""
