"""Read what a form sends, and not a byte more than a form has."""

from urllib.parse import parse_qs

from starlette.requests import ClientDisconnect, Request

from studio.errors import BodyTooLarge, StudioError

LARGEST_BODY = 64 * 1024  # bytes; our largest form is a token, and a provider's one-click body is 26


async def read_body(request: Request) -> bytes:
    """The whole body. Raises BodyTooLarge as soon as that is known, StudioError when the sender hung up half-way."""
    if int(request.headers.get("content-length") or 0) > LARGEST_BODY:
        raise BodyTooLarge(LARGEST_BODY)
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > LARGEST_BODY:
                raise BodyTooLarge(LARGEST_BODY)
    except ClientDisconnect:
        raise StudioError("the connection ended before the form had arrived") from None
    return bytes(body)


async def read_form(request: Request) -> dict[str, str]:
    """The fields of an urlencoded form, the first of each name. Raises BodyTooLarge, StudioError."""
    fields = parse_qs((await read_body(request)).decode("utf-8", "replace"), keep_blank_values=True)
    return {name: values[0] for name, values in fields.items()}
