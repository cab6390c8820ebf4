"""What may stand in the addresses of the campaign and segment pages, and how their forms are read."""

from typing import Annotated

from fastapi import Depends, Header, Path, Query

from studio.pages.forms import Fields, read_fields

NO_NUL = r"^[^\x00]*$"  # PostgreSQL refuses it

Name = Annotated[str, Path(max_length=64, pattern=NO_NUL)]
Chosen = Annotated[str, Query(max_length=100, pattern=NO_NUL)]
Cursor = Annotated[str, Query(max_length=500, pattern=NO_NUL)]
Part = Annotated[str, Header(alias="X-Part", max_length=10)]  # set by studio.js, which wants a part of a page
Typed = Annotated[Fields, Depends(read_fields)]
