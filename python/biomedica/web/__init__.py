"""Pages in a browser: what is common to all of them, and those that look at a dataset or ask experts about it."""

try:
    import jinja2  # noqa: F401
    import PIL  # noqa: F401
    import python_multipart  # noqa: F401
    import starlette  # noqa: F401
    import uvicorn  # noqa: F401
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        f"pages in a browser need {error.name}: pip install 'biomedica[web]'", name=error.name
    ) from error
