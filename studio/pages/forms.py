"""Read what a form sends, and not a byte more than a form has."""

from dataclasses import dataclass, field
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


@dataclass
class Fields:
    """What a form sent, and what is wrong with it, field by field; the page shows each problem beside its field."""

    values: dict[str, list[str]] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)

    def one(self, name: str, default: str = "") -> str:
        """The first value of this name, without blanks around it."""
        return self.values.get(name, [default])[0].strip()

    def all(self, name: str) -> list[str]:
        """Every value of this name that is not blank."""
        return [value.strip() for value in self.values.get(name, []) if value.strip()]

    def number(self, name: str, default: int, *, least: int, most: int) -> int:
        """A whole number; what is none is noted as a problem, and the default returned."""
        try:
            value = int(self.one(name, str(default)))
        except ValueError:
            value = least - 1
        if not least <= value <= most:
            self.problems[name] = f"use a whole number from {least} to {most}"
            return default
        return value


async def read_fields(request: Request) -> Fields:
    """Every field of an urlencoded form. Raises BodyTooLarge, StudioError."""
    body = (await read_body(request)).decode("utf-8", "replace").replace("%00", "")  # PostgreSQL refuses NUL
    return Fields(parse_qs(body, keep_blank_values=True, max_num_fields=1_000))


async def read_form(request: Request) -> dict[str, str]:
    """The fields of an urlencoded form, the first of each name. Raises BodyTooLarge, StudioError."""
    fields = parse_qs((await read_body(request)).decode("utf-8", "replace"), keep_blank_values=True)
    return {name: values[0] for name, values in fields.items()}
