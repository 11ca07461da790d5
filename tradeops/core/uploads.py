"""From a request to files and given values: multipart forms, or one CSV as the body."""

import shutil

from django.core.files.uploadedfile import TemporaryUploadedFile, UploadedFile
from django.http import QueryDict
from django.utils.datastructures import MultiValueDict
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.parsers import BaseParser, DataAndFiles
from rest_framework.request import Request

BODY_NAME = "request body"  # no ticker: a body of one instrument has to name it
COPIED_BYTES = 1024 * 1024
IGNORED = ("format", "csrfmiddlewaretoken")


class CsvParser(BaseParser):
    """A CSV file as the whole body."""

    media_type = "text/csv"

    def parse(self, stream, media_type=None, parser_context=None) -> bytes:
        return stream.read()


class CsvFileParser(BaseParser):
    """A CSV file as the whole body, kept on disk: as a form that holds nothing but the field `file`."""

    media_type = "text/csv"

    def parse(self, stream, media_type=None, parser_context=None) -> DataAndFiles:
        upload = TemporaryUploadedFile(BODY_NAME, self.media_type, 0, "utf-8")
        shutil.copyfileobj(stream, upload.file, COPIED_BYTES)
        upload.size = upload.file.tell()
        upload.file.seek(0)
        return DataAndFiles(QueryDict(), MultiValueDict({"file": [upload]}))


def uploaded_file(request: Request) -> UploadedFile:
    """The one file of a request, not read. Raises ValidationError naming `file`."""
    refuse_strange_files(request)
    files = request.FILES.getlist("file")
    if len(files) != 1:
        code = "too_many" if files else "required"
        raise refusal("file", "Send one CSV file, in the field file or as a text/csv body.", code)
    return files[0]


def refuse_strange_files(request: Request) -> None:
    strange = [name for name in request.FILES if name != "file"]
    if strange:
        raise refusal(strange[0], "Files belong into the field file.", "unknown")
    if "file" in request.data and not request.FILES:
        raise refusal("file", "This is not a file: send it as an upload.", "invalid")


def uploaded_files(request: Request) -> list[tuple[str, bytes]]:
    """(name, content) of every file of the request. Raises ValidationError naming `file`."""
    if isinstance(request.data, bytes):
        return [(BODY_NAME, request.data)]
    refuse_strange_files(request)
    files = [(uploaded.name, uploaded.read()) for uploaded in request.FILES.getlist("file")]
    if not files:
        raise refusal("file", "Send one or several CSV files, in the field file or one as a text/csv body.", "required")
    return files


def given_values(request: Request) -> dict[str, str]:
    """Names and texts from the query and the form, each at most once."""
    given: dict[str, str] = {}
    form = {} if isinstance(request.data, bytes) else request.data
    for source in (request.query_params, form):
        for name in source:
            if name in IGNORED or (source is form and name == "file"):
                continue
            texts = source.getlist(name)
            if name in given or len(texts) > 1:
                raise refusal(name, "It is given twice.", "duplicate")
            given[name] = texts[0]
    return given


def refusal(field: str, message: str, code: str) -> ValidationError:
    return ValidationError({field[:80]: [ErrorDetail(message, code=code)]})
